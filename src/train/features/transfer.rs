//! Transfer learning's first saving: what lies below the cut runs once per image, not once per epoch.

use crate::data::augmentation::Augmentation;
use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::cut::{Cut, cut_with};
use crate::graph::{Graph, Node, Store};
use crate::train::features::cache::FeatureCache;
use crate::train::features::{By, Extractor, Variant};
use crate::train::samples::{FixedVariants, Samples};

/// Features of more bytes than this stay uncached: the host's memory is for other things too.
const MOST_FEATURES: u64 = 4 << 30;

/// How a graph trains over many samples: in two parts, where the results of its frozen one are worth keeping.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The frozen part and the rest, where the former is to run ahead.
    pub cut: Option<Cut>,
    /// Why nothing runs ahead, for people; empty where something does.
    pub why: String,
    /// Bytes that the frozen part's results take in the machine's memory.
    pub feature_bytes: u64,
    /// Bytes that are left for the device.
    pub memory: u64,
}

impl Parts {
    /// Cuts `graph` at the first trainable or stochastic layer, if that leaves a frozen layer with parameters whose
    /// results over all `samples` take less than 4 GiB, and less than half of `memory` where the device shares it.
    /// `variants` are the fixed draws of augmentation, where there are any; then `samples` counts every variant.
    pub fn of(graph: &Graph, samples: usize, variants: Option<&Variants>, caps: &Caps, memory: u64) -> Parts {
        let most = if caps.shares_memory() { MOST_FEATURES.min(memory / 2) } else { MOST_FEATURES };
        match worth_caching(graph, samples, variants, most) {
            Err(why) => Parts { cut: None, why, feature_bytes: 0, memory },
            Ok((cut, bytes)) => {
                let memory = if caps.shares_memory() { memory - bytes } else { memory };
                Parts { cut: Some(cut), why: String::new(), feature_bytes: bytes, memory }
            }
        }
    }
}

/// The cut and the bytes of what crosses it, or why it saves nothing.
fn worth_caching(
    graph: &Graph,
    samples: usize,
    variants: Option<&Variants>,
    most: u64,
) -> Result<(Cut, u64), String> {
    // What augments works on pixels, which have no gradient; dropout does not.
    let augments = |node: &Node| node.op.is_stochastic() && node.op.gives_pixels();
    match variants.map(|variants| &variants.augmentation) {
        None if graph.nodes.iter().any(augments) => {
            return Err("augmentation draws anew in each (--cache-augment K keeps K variants)".into());
        }
        Some(fixed) if fixed.mixes() => return Err("mixup and cutmix pair images anew in each".into()),
        Some(fixed) if fixed.erases() => return Err("random erasing draws its noise anew in each".into()),
        _ => {}
    }
    let cut = cut_with(graph, augments).filter(|cut| !cut.prefix.params.is_empty());
    let cut = cut.ok_or("no layer with weights is frozen from the first on")?;
    let [name] = &cut.crossing[..] else {
        return Err(format!("{} values cross the frost line", cut.crossing.len()));
    };
    let width = cut.prefix.find(name).map_or(0, |v| cut.prefix.values[v.0].shape.numel());
    let bytes = width.saturating_mul(4).saturating_mul(samples as u64);
    if bytes > most {
        let mib = |bytes: u64| bytes / (1 << 20);
        let (needed, most) = (mib(bytes), mib(most));
        return Err(format!("{name} would take {needed} MiB of memory, more than {most}"));
    }
    Ok((cut, bytes))
}

/// What remains to be trained, and the samples that it takes.
pub struct Staged<'a> {
    pub graph: Graph,
    pub train: Box<dyn Samples + 'a>,
    pub val: Option<Box<dyn Samples + 'a>>,
    /// The layer whose results are kept, where the prefix ran ahead.
    pub cached: Option<String>,
    /// What was cached, and from where; or why nothing was. For people.
    pub about: String,
    /// Bytes that are left for the device: the results may lie in the same memory.
    pub memory: u64,
}

/// How the frozen prefix runs ahead.
#[derive(Clone, Debug)]
pub struct Staging {
    /// Samples of a pass.
    pub batch: usize,
    /// Bytes that the device may hold, the features with them where it shares the machine's memory.
    pub memory: u64,
    /// Where features stay from one run to the next.
    pub cache: Option<FeatureCache>,
    /// How many fixed variants of each training image stand for an augmentation that draws anew.
    pub variants: Option<Variants>,
}

/// See [`Staging::variants`].
#[derive(Clone, Debug)]
pub struct Variants {
    pub augmentation: Augmentation,
    pub seed: u32,
    pub count: usize,
}

impl Variants {
    fn variant(&self, number: u32) -> Variant<'_> {
        Variant { augmentation: &self.augmentation, seed: self.seed, number }
    }
}

/// Runs the frozen part of `graph` over all samples, where [`Parts::of`] finds one worth it; else the graph and the
/// samples come back whole.
///
/// # Errors
/// Not even one sample fits, none is readable, the device is lost, or Ctrl-C.
pub fn stage<'a>(
    graph: &Graph,
    store: &mut Store,
    train: impl Samples + 'a,
    val: Option<impl Samples + 'a>,
    staging: &Staging,
    mut progress: impl FnMut(usize),
) -> Result<Staged<'a>> {
    let variants = staging.variants.as_ref();
    let copies = variants.map_or(1, |variants| variants.count.max(1));
    let samples = train.len() * copies + val.as_ref().map_or(0, |val| val.len());
    let parts = Parts::of(graph, samples, variants, store.device().caps(), staging.memory);
    let memory = parts.memory;
    let Some(cut) = parts.cut else {
        let val = val.map(|val| Box::new(val) as Box<dyn Samples>);
        let about = format!("nothing, every layer runs in every epoch: {}", parts.why);
        return Ok(Staged { graph: graph.clone(), train: Box::new(train), val, cached: None, about, memory });
    };
    let name = cut.crossing[0].clone();
    let mut extractor = Extractor::new(&cut.prefix, &name, store, staging.batch, memory)?;
    let shelf = match &staging.cache {
        Some(cache) => Some(cache.shelf(&extractor.identity(store)?)?),
        None => None,
    };
    let (mut done, mut found) = (0, 0);
    let mut collect = |samples: &dyn Samples, variant: Option<Variant>| {
        let by = By { shelf: shelf.as_ref(), variant };
        let (features, here) = extractor.collect_by(samples, staging.batch, &by, |n| progress(done + n))?;
        done += features.labels.len();
        found += here;
        Ok::<_, Error>(features)
    };
    let mut trained = Vec::with_capacity(copies);
    for number in 0..copies as u32 {
        trained.push(collect(&train, variants.map(|variants| variants.variant(number)))?);
    }
    let val = val.map(|val| collect(&val, None)).transpose()?;
    let about = match shelf {
        Some(_) => format!("{name}: {}", hits(found, done)),
        None => format!("{name}: everything up to it ran once per image"),
    };
    Ok(Staged {
        graph: cut.rest,
        train: Box::new(FixedVariants::new(trained)?),
        val: val.map(|val| Box::new(val) as Box<dyn Samples>),
        cached: Some(name),
        about,
        memory,
    })
}

fn hits(found: usize, all: usize) -> String {
    let percent = 100.0 * found as f64 / all.max(1) as f64;
    let others = if found < all { ", the others ran once" } else { "" };
    format!("{found} of {all} images from the feature cache ({percent:.0} %){others}")
}
