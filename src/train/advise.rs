//! Which of the four scenarios a folder of images is: how many there are, and what a quick probe on frozen features says.

use crate::data::folder::Dataset;
use crate::error::{Error, Result};
use crate::graph::Store;
use crate::nn::architecture::up_to;
use crate::nn::{Architecture, Freeze, Head, Pool};
use crate::optim::{Adam, Optimizer};
use crate::train::fit::Fit;
use crate::train::pretrained::Start;
use crate::train::run::setup;
use crate::train::run::{Place, Run};
use crate::train::schedule::stages::Stage;

/// From so many images per class on, fine-tuning has enough to go on; the published recipe has 258.
const MANY_PER_CLASS: usize = 100;
/// The most images that the probe looks at, to train on and to validate.
const PROBED: usize = 256;
/// An early layer whose features are edges and textures, not yet parts of ImageNet's classes.
pub const EARLY: &str = "block2_pool";

/// What was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Advice {
    /// 1 to 4.
    pub scenario: u8,
    pub images: usize,
    pub classes: usize,
    /// Validation accuracy of a classifier on the last features of the base, 0 to 1.
    pub late: f64,
    /// The same on those of [`EARLY`].
    pub early: f64,
}

impl Advice {
    fn new(images: usize, classes: usize, late: f64, early: f64) -> Advice {
        let mut advice = Advice { scenario: 0, images, classes, late, early };
        advice.scenario = match (advice.many(), advice.alike()) {
            (false, true) => 1,
            (true, true) => 2,
            (false, false) => 3,
            (true, false) => 4,
        };
        advice
    }

    /// The recommendation with its reasons, a line each.
    pub fn reasons(&self) -> [String; 3] {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let (each, enough) = (self.images / self.classes.max(1), if self.many() { "many" } else { "few" });
        let like = if self.alike() { "like" } else { "unlike" };
        [
            format!(
                "{} images of {} classes, {each} each: {enough} ({MANY_PER_CLASS} each are many)",
                self.images, self.classes
            ),
            format!(
                "a probe on frozen features: {} right from the last layer, {} from {EARLY}: {like} ImageNet's",
                percent(self.late),
                percent(self.early)
            ),
            format!("scenario {}", self.scenario),
        ]
    }

    fn many(&self) -> bool {
        self.images >= self.classes * MANY_PER_CLASS
    }

    /// Features made for ImageNet's classes serve these images too.
    fn alike(&self) -> bool {
        self.late >= self.early
    }
}

/// Probes with the base and the first weights of `run`, within `memory` bytes. `progress` sees how many images of how many
/// the base has run over.
///
/// # Errors
/// Random weights, whose features say nothing; a whole model; a base without the early layer; no validation images; the device.
pub fn advise(
    run: &Run,
    images: &Dataset,
    store: &mut Store,
    memory: u64,
    mut progress: impl FnMut(usize, usize),
) -> Result<Advice> {
    let refused = match run.start {
        Start::Weights(_) => None,
        Start::Random => Some("--scenario auto probes pretrained features; give --weights, or a number"),
        Start::Checkpoint(_) => {
            Some("--scenario auto chooses a head, and --from brings one; give --weights, or a number")
        }
    };
    if let Some(why) = refused {
        return Err(Error::Usage(why.into()));
    }
    let last = run.architecture.layers[run.architecture.base - 1].name.clone();
    let run = Run { place: Some(Place::of(store, memory)), ..run.clone() };
    let late = probe(&run, &last, images, store, |done, all| progress(done, 2 * all))?;
    let early = probe(&run, EARLY, images, store, |done, all| progress(all + done, 2 * all))?;
    Ok(Advice::new(run.data.train, run.data.classes.len(), late, early))
}

/// The validation accuracy of a linear classifier on the averaged features of `layer`.
fn probe(
    run: &Run,
    layer: &str,
    images: &Dataset,
    store: &mut Store,
    progress: impl FnMut(usize, usize),
) -> Result<f64> {
    let few = images.clone().limited(Some(PROBED));
    let mut probe =
        Run { architecture: architecture(&run.architecture, layer, images.classes.len())?, ..run.clone() };
    (probe.data.train, probe.data.val) = (few.train.len(), few.val.len());
    setup::fill(&probe, store)?;
    let stage = Stage { freeze: Freeze::All, epochs: 40, rate: 0.003 };
    let graph = setup::graph(&probe, &stage)?;
    let loaders = setup::loaders(&probe, &few)?;
    let staged = setup::stage(&probe, &graph, &loaders, None, store, progress)?;
    let rule = Optimizer::Adam(Adam::with_decay(0.1)).rule();
    let fit = Fit {
        val: staged.val.as_deref(),
        epochs: stage.epochs,
        batch: run.batch,
        learning_rate: stage.rate,
        seed: run.seed,
        memory: staged.memory,
        ..Fit::new(&staged.graph, &*staged.train, rule)
    };
    let history = fit.run(store, &mut ())?;
    Ok(history.best().map_or(0.0, |row| row.val_acc.unwrap_or(row.acc)))
}

fn architecture(whole: &Architecture, layer: &str, classes: usize) -> Result<Architecture> {
    let mut base = whole.layers[..whole.base].to_vec();
    up_to(&mut base, layer)?;
    let head = Head { pool: Pool::Avg, classes, ..Head::default() }.layers()?;
    Ok(Architecture::stack(&whole.model, base, whole.input[0], whole.preprocessing, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_likeness_decide() {
        let scenario = |images, late, early| Advice::new(images, 8, late, early).scenario;
        assert_eq!(scenario(228, 0.7, 0.5), 1);
        assert_eq!(scenario(4000, 0.7, 0.5), 2);
        assert_eq!(scenario(228, 0.4, 0.5), 3);
        assert_eq!(scenario(4000, 0.4, 0.5), 4);
    }
}
