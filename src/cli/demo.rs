//! `frostline demo`: what pretrained weights are worth, on images that come with the project.
//!
//! (a) a head on the frozen pretrained base, (b) the same with block 5 fine-tuned, (c) the same head on a random frozen
//! base. The pass to block4_pool runs once per image and serves both (a) and (b).

mod outcome;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use self::outcome::Outcome;
use super::options::precision::PrecisionArgs;
use super::progress::bar;
use super::shared::Shared;
use crate::data::batches::{Loader, Options};
use crate::data::decode::{self, Decoder};
use crate::data::folder::{self, Dataset};
use crate::data::split::Split;
use crate::error::{Error, Result};
use crate::graph::cut::split_after;
use crate::graph::{Graph, Store};
use crate::nn::init::Random;
use crate::nn::{Freeze, Head, Network, Pool, Preprocessing, vgg};
use crate::optim::{Adam, RuleRef};
use crate::report::sheet::{self, Tile};
use crate::study::explain::{Explanation, Setting};
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::features::Extractor;
use crate::train::features::transfer::{Staging, stage};
use crate::train::metrics::argmax;
use crate::train::pretrained::{Pretrained, initialise};
use crate::train::{EpochRow, FeatureSamples, Fit, History, ImageSamples, Observer, Samples, interrupt};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: frostline demo --out runs/demo")]
pub struct Args {
    /// Images in DATA/train/CLASS and DATA/val/CLASS
    #[arg(long, default_value = "examples/clipart8")]
    pub data: PathBuf,
    /// Pretrained VGG16 without its top
    #[arg(long, default_value = "weights/vgg16_imagenet_notop.f16.safetensors")]
    pub weights: PathBuf,
    /// Seed of initial values and order
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub precision: PrecisionArgs,
    /// Folder for the contact sheet
    #[arg(long, default_value = "runs/demo")]
    pub out: PathBuf,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

const MODEL: &str = "vgg16";
const INPUT: usize = 96;
const BATCH: usize = 16;
/// The head trains on cached features, where an epoch takes a blink. 512 features and 228 images leave much of the
/// head undetermined: the decay takes out what its random start put there.
const HEAD: Schedule = Schedule { epochs: 200, rate: 0.003, decay: 1.0 };
/// Fine-tuning goes in small steps, so that the pretrained weights are bent and not broken.
const TUNE: Schedule = Schedule { epochs: 3, rate: 3e-5, decay: 0.0 };
const SHEET_TILES: usize = 40;

/// How long AdamW trains, and how fast.
#[derive(Clone, Copy)]
struct Schedule {
    epochs: usize,
    rate: f32,
    /// Decoupled weight decay.
    decay: f32,
}

impl Schedule {
    fn rule(&self) -> RuleRef {
        Arc::new(Adam::with_decay(self.decay))
    }
}

pub fn run(args: &Args, shared: &Shared) -> Result<()> {
    let begun = Instant::now();
    let shared = &Shared { quiet: shared.quiet || args.json, ..shared.clone() };
    let demo = Demo::new(args, shared)?;
    interrupt::listen();
    let mut store = args.precision.store(shared.open()?);
    let (pretrained, fine_tuned, judged) = demo.pretrained(&mut store)?;
    let random = demo.random(&mut args.precision.store(store.device().clone()))?;
    let sheet = demo.sheet(&judged)?;
    let (frozen, tuned) = (demo.explain(&Freeze::All)?, demo.explain(&block5())?);
    let outcome = Outcome {
        pretrained: best(&pretrained),
        fine_tuned: best(&fine_tuned),
        random: best(&random),
        gradient_work_skipped: frozen.backward_saved(),
        fine_tuned_gradient_work_skipped: tuned.backward_saved(),
        memory_bytes: frozen.totals.memory.total(),
        memory_bytes_nothing_frozen: frozen.nothing_frozen.memory.total(),
        memory_saved: frozen.memory_saved(),
        seconds: begun.elapsed().as_secs_f64(),
        adapter: store.device().info().to_string(),
        sheet,
    };
    outcome.print(args.json);
    Ok(())
}

fn block5() -> Freeze {
    Freeze::Until("block4_pool".to_owned())
}

fn best(history: &History) -> f64 {
    history.best().and_then(|row| row.val_acc).unwrap_or(0.0)
}

struct Demo<'a> {
    args: &'a Args,
    shared: &'a Shared,
    data: Dataset,
    weights: PathBuf,
}

impl Demo<'_> {
    fn new<'a>(args: &'a Args, shared: &'a Shared) -> Result<Demo<'a>> {
        let data = Dataset::open(&shipped(&args.data), &folder::Options::default())?;
        Ok(Demo { args, shared, data, weights: shipped(&args.weights) })
    }

    fn network(&self, freeze: &Freeze) -> Result<Network> {
        let head = Head { pool: Pool::Avg, classes: self.data.classes.len(), ..Head::default() };
        let architecture = vgg::with_head(MODEL, INPUT, Preprocessing::Caffe, &head)?;
        Network::new(architecture, freeze, 0.0)
    }

    fn memory(&self, store: &Store) -> u64 {
        self.shared.budget(store.device())
    }

    /// (a) and (b), and what the tuned network makes of the validation images.
    fn pretrained(&self, store: &mut Store) -> Result<(History, History, Judged)> {
        let network = self.network(&block5())?;
        initialise(&network, Some(&Pretrained::new(&self.weights)), store, Random::new(self.args.seed))?;
        let cut = split_after(&network.graph, "block4_pool").expect("VGG16 has a block 4");
        let memory = self.memory(store);
        let mut extractor = Extractor::new(&cut.prefix, "block4_pool", store, BATCH, memory)?;
        let (train, val) = self.extract(&mut extractor)?;
        drop(extractor);

        self.shared.say(format_args!("\n(a) pretrained base frozen, the head trains"));
        let mut frozen = cut.rest.clone();
        frozen.set_trainable(|layer| layer == network.logits());
        let head = self.head(&frozen, store, (&train, &val))?;

        self.shared.say(format_args!("\n(b) block 5 is fine-tuned with it"));
        let tuned = self.fit(&cut.rest, (&train, &val), TUNE, store)?;
        let memory = self.memory(store);
        let evaluation = evaluate(&cut.rest, store, &val, BATCH, memory)?;
        Ok((head, tuned, Judged { evaluation, indices: val.indices }))
    }

    /// (c)
    fn random(&self, store: &mut Store) -> Result<History> {
        self.shared.say(format_args!("\n(c) random base frozen, the same head trains"));
        let network = self.network(&Freeze::All)?;
        initialise(&network, None, store, Random::new(self.args.seed))?;
        let samples = |split: &Split| -> Result<ImageSamples> {
            Ok(ImageSamples(Arc::new(Loader::new(split.clone(), Options::square(INPUT as u32, BATCH))?)))
        };
        let (train, val) = (samples(&self.data.train)?, samples(&self.data.val)?);
        self.head(&network.graph, store, (&train, &val))
    }

    /// Everything below the head runs once per image; then the head trains.
    fn head(&self, graph: &Graph, store: &mut Store, data: (&dyn Samples, &dyn Samples)) -> Result<History> {
        let memory = self.memory(store);
        let progress = bar("features", data.0.len() + data.1.len(), self.shared.quiet);
        let staging = Staging { batch: BATCH, memory, cache: None, variants: None };
        let staged =
            stage(graph, store, data.0, Some(data.1), &staging, |done| progress.set_position(done as u64))?;
        progress.finish_and_clear();
        let val = staged.val.as_deref().expect("validation samples were given");
        self.fit(&staged.graph, (&*staged.train, val), HEAD, store)
    }

    fn fit(
        &self,
        graph: &Graph,
        (train, val): (&dyn Samples, &dyn Samples),
        schedule: Schedule,
        store: &mut Store,
    ) -> Result<History> {
        let fit = Fit {
            val: Some(val),
            epochs: schedule.epochs,
            batch: BATCH,
            learning_rate: schedule.rate,
            seed: self.args.seed,
            memory: self.memory(store),
            ..Fit::new(graph, train, schedule.rule())
        };
        fit.run(store, &mut Lines { shared: self.shared, every: (schedule.epochs / 6).max(1) })
    }

    fn extract(&self, extractor: &mut Extractor) -> Result<(FeatureSamples, FeatureSamples)> {
        let all = self.data.train.len() + self.data.val.len();
        let progress = bar("to block4", all, self.shared.quiet);
        self.shared.say(format_args!("features  {all} images through blocks 1 to 4, once"));
        let mut one = |split: &Split, before: usize| {
            let loader = Loader::new(split.clone(), Options::square(INPUT as u32, BATCH))?;
            let samples = ImageSamples(Arc::new(loader));
            extractor.collect(&samples, BATCH, |done| progress.set_position((before + done) as u64))
        };
        let train = one(&self.data.train, 0)?;
        let val = one(&self.data.val, train.labels.len())?;
        progress.finish_and_clear();
        Ok((train, val))
    }

    fn explain(&self, freeze: &Freeze) -> Result<Explanation> {
        Explanation::of(&Setting {
            architecture: self.network(freeze)?.architecture,
            freeze: freeze.clone(),
            batch: BATCH,
            rule: HEAD.rule(),
            memory: u64::MAX,
            precision: self.args.precision.precision,
        })
    }

    /// The validation images with what the tuned network says of them.
    fn sheet(&self, judged: &Judged) -> Result<PathBuf> {
        let decoder = Decoder::new(decode::Options::square(INPUT as u32))?;
        let classes = &self.data.classes;
        let count = judged.evaluation.labels.len();
        let tile = |i: usize| -> Result<Tile> {
            let row = &judged.evaluation.probabilities[i * classes.len()..(i + 1) * classes.len()];
            let (guess, truth) = (argmax(row), judged.evaluation.labels[i] as usize);
            let path = self.data.val.path(judged.indices[i] as usize);
            Ok(Tile {
                pixels: decoder.decode(&path)?,
                caption: [classes[truth].clone(), format!("{} {:.0}%", classes[guess], 100.0 * row[guess])],
                good: Some(guess == truth),
            })
        };
        let shown = SHEET_TILES.min(count);
        let tiles = (0..shown).map(|i| tile(i * count / shown)).collect::<Result<Vec<_>>>()?;
        std::fs::create_dir_all(&self.args.out).map_err(Error::io("make the folder", &self.args.out))?;
        let path = self.args.out.join("predictions.png");
        sheet::save_png(&sheet::draw(&tiles, INPUT as u32, 8), &path)?;
        Ok(path)
    }
}

/// Shows some of the many epochs: enough to see where it goes.
struct Lines<'a> {
    shared: &'a Shared,
    every: usize,
}

impl Observer for Lines<'_> {
    fn epoch(&mut self, _: &Store, row: &EpochRow, _: bool) -> Result<()> {
        if (row.epoch + 1).is_multiple_of(self.every) {
            let (loss, acc) = (row.val_loss.unwrap_or(0.0), row.val_acc.unwrap_or(0.0));
            self.shared.say(format_args!(
                "epoch {:>3}  loss {:.4} acc {:.4}  val_loss {loss:.4} val_acc {acc:.4}",
                row.epoch + 1,
                row.loss,
                row.acc
            ));
        }
        Ok(())
    }
}

/// An evaluation of the validation images and their places in the split.
struct Judged {
    evaluation: Evaluation,
    indices: Vec<u32>,
}

/// A file of the project: from the working folder, else from where the binary was built.
fn shipped(path: &Path) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if !path.exists() && built.exists() { built } else { path.to_path_buf() }
}
