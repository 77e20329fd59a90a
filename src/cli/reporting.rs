//! Keeps the page of a run up to date while the run goes on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::data::batches::Loader;
use crate::data::decode::{self, Decoder};
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::Network;
use crate::optim;
use crate::report::judge::Judged;
use crate::report::page::{FILE, Report};
use crate::report::sections::layers::LayerTimes;
use crate::report::sections::samples::Sample;
use crate::report::{Page, Picture};
use crate::study::profile;
use crate::study::show::{Method, gradcam};
use crate::train::augment::preview;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::passes::{self, Passes};
use crate::train::run::keeper::BEST;
use crate::train::run::setup;
use crate::train::{
    Checkpoint, EpochRow, History, ImageSamples, Metrics, Observer, Progress, Run, Session, Size, Stage,
    Watcher,
};

/// Epochs on cached features take a blink: the page is not written more often than this.
const PAUSE: Duration = Duration::from_secs(1);
/// Images that are shown behind their augmentation.
const SAMPLES: u32 = 16;
/// A step that takes longer is not run once more to see where its time goes.
const LONG_STEP: Duration = Duration::from_secs(10);

/// Hands everything on to another watcher.
pub struct Reporting<'a> {
    watcher: &'a mut dyn Watcher,
    run: Run,
    history: History,
    report: Report,
    path: PathBuf,
    written: Instant,
}

impl<'a> Reporting<'a> {
    /// Writes the page as it is before the next epoch.
    ///
    /// # Errors
    /// A stage that cannot be planned, or a folder that cannot be written.
    pub fn new(session: &Session, watcher: &'a mut dyn Watcher) -> Result<Reporting<'a>> {
        let mut reporting = Reporting {
            watcher,
            run: session.run.clone(),
            history: session.progress.history.clone(),
            report: Report::of(&session.run)?,
            path: session.folder.join(FILE),
            written: Instant::now(),
        };
        reporting.write()?;
        Ok(reporting)
    }

    /// Writes the page of the epochs so far.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&mut self) -> Result<()> {
        self.report.follow(&self.run, &self.history);
        self.written = Instant::now();
        self.report.write(&self.path)
    }

    /// Judges the best checkpoint on the images that validate, shows some images as training saw them and where the time
    /// of a step goes, and writes the whole page.
    ///
    /// # Errors
    /// The checkpoint or all images have become unreadable, the device is lost, or the folder cannot be written.
    pub fn finish(mut self, session: &Session, mut store: Store) -> Result<()> {
        let run = &session.run;
        // What the run itself took is enough, whatever its budget: a page costs no memory that was not announced.
        let memory = Size::of(run, store.device().caps(), run.memory())?.total();
        self.report.samples = augmented(session, &mut store)?;
        self.report.layers = layer_times(session, &mut store, memory)?;
        self.report.judged = judge(session, store, memory)?;
        self.write()
    }
}

/// The first images to train on, behind their augmentation; none where nothing augments.
fn augmented(session: &Session, store: &mut Store) -> Result<Vec<Sample>> {
    let (run, Some(loader)) = (&session.run, session.loaders.first()) else { return Ok(Vec::new()) };
    if run.augmentation.is_none() {
        return Ok(Vec::new());
    }
    let [h, w] = run.architecture.input;
    let decoder = Decoder::new(decode::Options::square(h as u32))?;
    // Spread over the classes, whose images lie one behind the other.
    let every = (loader.len() / SAMPLES).max(1) as usize;
    let paths = (0..loader.len()).step_by(every).map(|i| loader.path(i)).take(SAMPLES as usize);
    let readable = paths.filter_map(|path| Some((decoder.decode(&path).ok()?, path)));
    let (pixels, paths): (Vec<Vec<u8>>, Vec<PathBuf>) = readable.unzip();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let seen = preview(store, &pixels.concat(), [h, w], &run.augmentation, (run.seed as u32, 0))?;
    let sample = |(pixels, path): (&[u8], &PathBuf)| Sample {
        picture: Picture::new(pixels, w as u32, h as u32),
        class: path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned(),
    };
    Ok(seen.chunks_exact(h * w * 3).zip(&paths).map(sample).collect())
}

/// Where a step of the last stage spends its time; it trains `store` further. Nothing where steps are long, where not one
/// image fits into `memory` bytes, or where there are no images.
fn layer_times(session: &Session, store: &mut Store, memory: u64) -> Result<Option<LayerTimes>> {
    let (run, Some(loader)) = (&session.run, session.loaders.first()) else { return Ok(None) };
    let stage = run.stages.last().expect("a run has stages");
    let graph = setup::graph(run, stage)?;
    let rule = run.optimizer.rule();
    let settings = profile::Settings {
        steps: 1,
        seed: run.seed,
        learning_rate: stage.rate,
        states: optim::states(rule.as_ref()),
    };
    let mut passes = match Passes::new(&graph, store, run.batch, Some(rule), memory) {
        // The parts ran one after the other; the whole step needs more.
        Err(Error::TooLarge { .. }) => return Ok(None),
        passes => passes?,
    };
    let samples = ImageSamples(loader.clone());
    let found = profile::one_step(&mut passes, &samples, &settings, LONG_STEP)?;
    Ok(found.map(|(layers, samples)| LayerTimes::of(&layers, samples)))
}

/// What the best checkpoint makes of the samples that validate; nothing where none do.
fn judge(session: &Session, store: Store, memory: u64) -> Result<Option<Judged>> {
    let run = &session.run;
    if run.data.val == 0 {
        return Ok(None);
    }
    let (network, mut store) = best(session, store)?;
    // Kernels that tuning chose may take more than the announced ones: one image is judged whatever they take.
    let least = store.device().live_bytes() + passes::least_evaluation(&network.graph, &store)?;
    let memory = memory.max(least);
    if let Some(file) = session.features() {
        let head = setup::behind(run, &network.graph, file.layer())?.rest;
        let found = evaluate(&head, &mut store, &file.part(true, run.batch), run.batch, memory)?;
        let what = "rows of features that were not trained on";
        return Ok(Some(Judged::of_rows(&found, what, &run.data.classes)));
    }
    let loader = &session.loaders[1];
    let samples = ImageSamples(loader.clone());
    let found = evaluate(&network.graph, &mut store, &samples, run.batch, memory)?;
    let what = "images that were not trained on";
    judged(&network, &mut store, &found, what, &run.data.classes, (loader, &run.data.path)).map(Some)
}

/// The network of the best epoch, and its weights in a store of their own.
fn best(session: &Session, store: Store) -> Result<(Network, Store)> {
    let (checkpoint, mut source) = Checkpoint::open(&session.folder.join(BEST))?;
    let mut network = checkpoint.network()?;
    network.graph.set_trainable(|_| false);
    // The weights of the last epoch make room for those of the best.
    let (device, choices, precision) = (store.device().clone(), store.choices.clone(), store.precision);
    drop(store);
    let mut store = Store::new(device);
    (store.choices, store.precision) = (choices, precision);
    checkpoint.load(&mut *source, &mut store)?;
    Ok((network, store))
}

/// What `found` says of the images of `loader` in `folder`, which are `what` in words; with Grad-CAM beside the highest
/// losses.
///
/// # Errors
/// The device is lost.
pub fn judged(
    network: &Network,
    store: &mut Store,
    found: &Evaluation,
    what: &str,
    classes: &[String],
    (loader, folder): (&Loader, &Path),
) -> Result<Judged> {
    let side = network.architecture.input[0] as u32;
    let attention = |pixels: &[u8]| match gradcam(network, store, pixels, None, None, Method::GradCam) {
        Ok(seen) => Ok(Some(Picture::new(seen.overlay.as_raw(), side, side))),
        // A network without convolutions looks at nothing in particular.
        Err(Error::Usage(_)) => Ok(None),
        Err(error) => Err(error),
    };
    Judged::of(found, what, classes, (loader, folder), side, attention)
}

impl Observer for Reporting<'_> {
    fn step(&mut self, epoch: usize, samples_done: usize, metrics: &Metrics) {
        self.watcher.step(epoch, samples_done, metrics);
    }

    fn epoch(&mut self, store: &Store, row: &EpochRow, best: bool) -> Result<()> {
        self.history.rows.push(row.clone());
        if self.written.elapsed() > PAUSE {
            self.write()?;
        }
        self.watcher.epoch(store, row, best)
    }

    fn wants_save(&mut self) -> bool {
        self.watcher.wants_save()
    }

    fn save(&mut self, store: &Store, progress: &Progress) -> Result<()> {
        self.watcher.save(store, progress)
    }
}

impl Watcher for Reporting<'_> {
    fn stage(&mut self, stage: &Stage, first: usize) {
        self.watcher.stage(stage, first);
    }

    fn features(&mut self, done: usize, images: usize) {
        self.watcher.features(done, images);
    }

    fn cached(&mut self, about: &str) {
        self.watcher.cached(about);
    }
}
