//! From a run's settings to what trains: its graph, its first weights, its samples.

use std::sync::Arc;

use crate::data::batches::{Loader, Options};
use crate::data::folder::Dataset;
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::cut::{Cut, split_after};
use crate::graph::{Graph, Store};
use crate::nn::init::Random;
use crate::nn::{Architecture, Freeze, Network};
use crate::train::augment;
use crate::train::checkpoint::Checkpoint;
use crate::train::features::cache::FeatureCache;
use crate::train::features::file::FeatureFile;
use crate::train::features::transfer::{self, Staged, Staging, Variants};
use crate::train::keras;
use crate::train::pretrained::Start;
use crate::train::pretrained::initialise;
use crate::train::progress::Progress;
use crate::train::run::Run;
use crate::train::samples::{ImageSamples, Samples};
use crate::train::schedule::stages::{self, Stage};
use crate::weights;
use crate::weights::import::Report;

/// The graph of one stage.
///
/// # Errors
/// Layers that do not fit together, or a freezing choice that names no layer.
pub fn graph(run: &Run, stage: &Stage) -> Result<Graph> {
    let mut graph =
        augment::network(run.architecture.clone(), &stage.freeze, run.label_smoothing, &run.augmentation)?
            .graph;
    for (layer, rate) in stages::rates(&run.architecture, run.block_factor) {
        graph.set_rate(&layer, rate);
    }
    Ok(graph)
}

/// Puts the first weights into the store; gives the import report of pretrained ones.
///
/// # Errors
/// A file that cannot be read, or is for another model.
pub fn fill(run: &Run, store: &mut Store) -> Result<Option<Report>> {
    let random = Random { kind: run.initial, seed: run.seed };
    let network = || Network::new(run.architecture.clone(), &Freeze::None, 0.0);
    match &run.start {
        Start::Checkpoint(path) => {
            let (checkpoint, mut source) = Checkpoint::open(path)?;
            let preprocessing = run.architecture.preprocessing;
            if (Architecture { preprocessing, ..checkpoint.architecture.clone() }) != run.architecture {
                return Err(Error::weights(path, "has another architecture than this run"));
            }
            checkpoint.load(&mut *source, store).map(|()| None)
        }
        Start::Weights(pretrained) => initialise(&network()?, Some(pretrained), store, random),
        Start::Random => initialise(&network()?, None, store, random),
    }
}

/// How far the run is where it starts from a Keras model whose optimizer was of the same kind: its state is put into the
/// store. At the beginning otherwise.
///
/// # Errors
/// The file is damaged, or other layers trained in Keras.
pub fn progress(run: &Run, store: &mut Store) -> Result<Progress> {
    let mut progress = Progress::default();
    let Start::Checkpoint(path) = &run.start else { return Ok(progress) };
    let mut source = weights::open(path)?;
    let rule = run.optimizer.rule();
    let compiled = keras::compiled::compiled(source.as_ref()).ok().flatten();
    let same = compiled.is_some_and(|c| c.described.optimizer.rule().name() == rule.name());
    if same && source.optimizer().is_some() {
        let graph = graph(run, &run.stages[0])?;
        progress.in_stage.iteration = keras::state::restore(source.as_mut(), &graph, rule.as_ref(), store)?;
    }
    Ok(progress)
}

/// Loaders of the training images and, where there are any, of those that validate. Together they keep as many decoded
/// images as one alone would, so that a run's memory does not depend on how many there are.
///
/// # Errors
/// A batch of zero, or an input size that cannot be.
pub fn loaders(run: &Run, data: &Dataset) -> Result<Vec<Arc<Loader>>> {
    let images = data.train.len() + data.val.len();
    let load = |split: &Split| -> Result<Arc<Loader>> {
        let mut options = Options::square(run.architecture.input[0] as u32, run.batch);
        options.cache_bytes = options.cache_bytes * split.len() as u64 / images as u64;
        options.strict = run.data.strict;
        options.decode.filter = run.data.resize;
        Ok(Arc::new(Loader::new(split.clone(), options)?))
    };
    [&data.train, &data.val].into_iter().filter(|split| !split.is_empty()).map(load).collect()
}

/// The fixed draws of augmentation that the run asks for.
pub fn variants(run: &Run) -> Option<Variants> {
    let count = run.cache_augment.filter(|count| *count > 0 && !run.augmentation.is_none())?;
    Some(Variants { augmentation: run.augmentation.clone(), seed: run.seed as u32, count })
}

/// Images that a frozen part would run over, each variant counted.
pub fn images(run: &Run) -> usize {
    run.data.train * variants(run).map_or(1, |variants| variants.count) + run.data.val
}

/// What trains above the frozen part, and its samples; the frozen part runs once per image, where there is one worth it.
///
/// # Errors
/// Not even one sample fits, none is readable, the device is lost, or Ctrl-C.
pub fn stage(
    run: &Run,
    graph: &Graph,
    loaders: &[Arc<Loader>],
    cache: Option<&FeatureCache>,
    store: &mut Store,
    mut features: impl FnMut(usize, usize),
) -> Result<Staged<'static>> {
    let samples = |loader: &Arc<Loader>| ImageSamples(loader.clone());
    let (variants, images) = (variants(run), images(run));
    let staging = Staging { batch: run.batch, memory: run.memory(), cache: cache.cloned(), variants };
    let (train, val) = (samples(&loaders[0]), loaders.get(1).map(samples));
    transfer::stage(graph, store, train, val, &staging, |done| features(done, images))
}

/// `graph` cut behind `layer`, whose results a file of features holds.
///
/// # Errors
/// The run augments images, or something below the features trains.
pub fn behind(run: &Run, graph: &Graph, layer: &str) -> Result<Cut> {
    let cut = split_after(graph, layer).ok_or_else(|| {
        Error::Usage(format!(
            "this model has no layer '{layer}', whose features {} holds",
            run.data.path.display()
        ))
    })?;
    if cut.prefix.params.iter().any(|param| param.trainable) || !run.augmentation.is_none() {
        let what = "features are what frozen layers made of images as they are: use --freeze all and no augmentation";
        return Err(Error::Usage(what.into()));
    }
    Ok(cut)
}

/// As [`stage`], where the frozen part ran long ago and its results lie in a file.
///
/// # Errors
/// As [`behind`].
pub fn stage_on(run: &Run, graph: &Graph, file: &FeatureFile) -> Result<Staged<'static>> {
    let layer = file.layer();
    let part = |validates| Box::new(file.part(validates, run.batch)) as Box<dyn Samples>;
    Ok(Staged {
        graph: behind(run, graph, layer)?.rest,
        train: part(false),
        val: Some(part(true)).filter(|val| !val.is_empty()),
        cached: Some(layer.to_owned()),
        about: format!("{layer}: {}", run.data.path.display()),
        memory: run.memory(),
    })
}
