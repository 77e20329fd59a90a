//! A run under way in its folder: stage after stage, saved so that it can go on after anything that stops it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::batches::Loader;
use crate::error::{Error, Result};
use crate::gpu::Device;
use crate::graph::{Graph, Store};
use crate::train::callbacks::history::History;
use crate::train::checkpoint::Checkpoint;
use crate::train::features::cache::FeatureCache;
use crate::train::features::file::FeatureFile;
use crate::train::features::transfer::Staged;
use crate::train::fit::Fit;
use crate::train::progress::Progress;
use crate::train::run::keeper::{BEST, Keeper, LAST};
use crate::train::run::setup;
use crate::train::run::watcher::Watcher;
use crate::train::run::{Data, Place, Run};
use crate::train::schedule::stages::Stage;
use crate::weights::import::Report;

/// See the module's first line.
pub struct Session {
    pub run: Run,
    pub folder: PathBuf,
    pub progress: Progress,
    /// Where features stay from one run to the next.
    pub cache: Option<FeatureCache>,
    /// What the run trains on instead of images.
    features: Option<FeatureFile>,
    /// Loaders of the training images and of those that validate, with what they could not read.
    pub loaders: Vec<Arc<Loader>>,
    /// What pretrained weights were loaded, where the run began with this session.
    pub imported: Option<Report>,
}

impl Session {
    /// Begins a run: fills the store, and once all is well writes the settings into `folder`.
    ///
    /// # Errors
    /// The weights cannot be read, or the folder cannot be written.
    pub fn begin(mut run: Run, data: Data, store: &mut Store, memory: u64, folder: &Path) -> Result<Session> {
        store.precision = run.precision;
        let imported = setup::fill(&run, store)?;
        let progress = setup::progress(&run, store)?;
        run.place = Some(Place::of(store, memory));
        run.write(folder)?;
        Ok(Session { imported, ..Session::new(run, data, folder, progress)? })
    }

    /// Takes up the run in `folder` where it was last saved, or at its beginning where it never was.
    ///
    /// # Errors
    /// The folder holds no run, its images have changed, or a file of it is damaged.
    pub fn resume(folder: &Path, store: &mut Store) -> Result<Session> {
        let run = Run::read(folder)?;
        store.precision = run.precision;
        if let Some(place) = &run.place {
            store.choices = place.choices.clone();
        }
        let data = run.data.reopen(run.seed)?;
        let last = folder.join(LAST);
        let progress = match last.exists() {
            true => {
                let (checkpoint, mut source) = Checkpoint::open(&last)?;
                checkpoint.load_run(&mut *source, store)?
            }
            false => {
                setup::fill(&run, store)?;
                setup::progress(&run, store)?
            }
        };
        Session::new(run, data, folder, progress)
    }

    fn new(run: Run, data: Data, folder: &Path, progress: Progress) -> Result<Session> {
        let (loaders, features) = match data {
            Data::Images(images) => (setup::loaders(&run, &images)?, None),
            Data::Features(file) => (Vec::new(), Some(file)),
        };
        Ok(Session {
            run,
            folder: folder.to_path_buf(),
            progress,
            cache: None,
            features,
            loaders,
            imported: None,
        })
    }

    /// What the run trains on instead of images.
    pub fn features(&self) -> Option<&FeatureFile> {
        self.features.as_ref()
    }

    /// Number of parameters, frozen or not.
    ///
    /// # Errors
    /// An architecture whose layers do not fit together.
    pub fn parameters(&self) -> Result<u64> {
        Ok(setup::graph(&self.run, &self.run.stages[0])?.params.iter().map(|p| p.spec.shape.numel()).sum())
    }

    pub fn is_complete(&self) -> bool {
        self.progress.stage >= self.run.stages.len()
    }

    /// Trains to the end. The store then holds the last weights, or the best where the run asks for them.
    ///
    /// # Errors
    /// A loss that is not a number, an unreadable image under strict, a full disk, Ctrl-C, or the device. What was
    /// saved stays, and [`Session::resume`] goes on from there.
    pub fn go(&mut self, store: &mut Store, watcher: &mut dyn Watcher) -> Result<History> {
        while let Some(stage) = self.run.stages.get(self.progress.stage).cloned() {
            self.stage(&stage, store, watcher)?;
        }
        if self.run.restore_best {
            let (checkpoint, mut source) = Checkpoint::open(&self.folder.join(BEST))?;
            checkpoint.load(&mut *source, store)?;
            keep_parameters(&checkpoint.network()?.graph, store);
        }
        Ok(self.progress.history.clone())
    }

    /// As [`Session::go`], on one more device where the first is lost: the run goes on from what was last saved. `reopen`
    /// is told what happened, and opens it.
    ///
    /// # Errors
    /// As [`Session::go`]; a second loss is an error.
    pub fn go_on_losing(
        &mut self,
        store: &mut Store,
        watcher: &mut dyn Watcher,
        reopen: impl FnOnce(&Error) -> Result<Arc<Device>>,
    ) -> Result<History> {
        match self.go(store, watcher) {
            Err(lost @ Error::DeviceLost(_)) => {
                *store = Store::new(reopen(&lost)?);
                let resumed = Session::resume(&self.folder, store)?;
                *self = Session { cache: self.cache.take(), ..resumed };
                self.go(store, watcher)
            }
            result => result,
        }
    }

    fn stage(&mut self, stage: &Stage, store: &mut Store, watcher: &mut dyn Watcher) -> Result<()> {
        let graph = setup::graph(&self.run, stage)?;
        if self.progress.stage_is_new() {
            // What an earlier stage computed from weights that were frozen then may be out of date now.
            keep_parameters(&graph, store);
        }
        watcher.stage(stage, self.progress.epoch() - self.progress.in_stage.epochs);
        let features = |done, images| watcher.features(done, images);
        let staged = match &self.features {
            Some(file) => setup::stage_on(&self.run, &graph, file)?,
            None => setup::stage(&self.run, &graph, &self.loaders, self.cache.as_ref(), store, features)?,
        };
        watcher.cached(&staged.about);
        let fit = self.fit(stage, &staged);
        let mut keeper = Keeper::new(&self.run, &self.folder, &self.progress.history, watcher)?;
        fit.go_on(store, &mut self.progress, &mut keeper)?;
        let done = self.progress.next_stage();
        keeper.close(store, stage, done, &self.progress)
    }

    fn fit<'a>(&self, stage: &Stage, staged: &'a Staged) -> Fit<'a> {
        let run = &self.run;
        Fit {
            val: staged.val.as_deref(),
            weighting: run.weighting.clone(),
            augmentation: run.augmentation.clone(),
            augment_validation: run.augment_validation,
            epochs: stage.epochs,
            batch: run.batch,
            learning_rate: stage.rate,
            schedule: run.schedule,
            plateau: run.plateau,
            stopping: run.stopping,
            monitor: run.monitor,
            seed: run.seed,
            memory: staged.memory,
            ..Fit::new(&staged.graph, &*staged.train, run.optimizer.rule())
        }
    }
}

/// Forgets everything but the weights.
fn keep_parameters(graph: &Graph, store: &mut Store) {
    store.forget(|name| graph.params.iter().all(|param| param.name != name));
}
