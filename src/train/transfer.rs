//! Transfer learning's first saving: what lies below the cut runs once per image, not once per epoch.

use crate::data::augmentation::Augmentation;
use crate::error::{Error, Result};
use crate::graph::cut::{Cut, cut_with};
use crate::graph::{Graph, Node, Store};
use crate::train::feature_cache::FeatureCache;
use crate::train::features::{By, Extractor, Variant};
use crate::train::samples::{FixedVariants, Samples};

/// Features of more bytes than this stay uncached: the host's memory is for other things too.
const MOST_FEATURES: u64 = 4 << 30;

/// What remains to be trained, and the samples that it takes.
pub struct Staged<'a> {
    pub graph: Graph,
    pub train: Box<dyn Samples + 'a>,
    pub val: Option<Box<dyn Samples + 'a>>,
    /// The layer whose results are kept, where the prefix ran ahead.
    pub cached: Option<String>,
    /// What was cached, and from where; or why nothing was. For people.
    pub about: String,
}

/// How the frozen prefix runs ahead.
#[derive(Clone, Debug)]
pub struct Staging {
    /// Samples of a pass.
    pub batch: usize,
    /// Bytes that its plan may take.
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

/// Cuts `graph` at the first trainable or stochastic layer and runs the frozen part over all samples. Where there is
/// nothing worth caching (no frozen layer with parameters, or too many bytes) the graph and samples come back whole.
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
    let validating = val.as_ref().map_or(0, |val| val.len());
    let variants = staging.variants.as_ref();
    let copies = variants.map_or(1, |variants| variants.count.max(1));
    let cut = match worth_caching(graph, train.len() * copies + validating, variants) {
        Ok(cut) => cut,
        Err(why) => {
            let val = val.map(|val| Box::new(val) as Box<dyn Samples>);
            let about = format!("nothing, every layer runs in every epoch: {why}");
            return Ok(Staged { graph: graph.clone(), train: Box::new(train), val, cached: None, about });
        }
    };
    let name = cut.crossing[0].clone();
    let mut extractor = Extractor::new(&cut.prefix, &name, store, staging.batch, staging.memory)?;
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
    let mut about = format!("{name}: everything up to it ran once per image");
    if staging.cache.is_some() {
        let percent = 100.0 * found as f64 / done.max(1) as f64;
        about =
            format!("{name}: {found} of {done} images from the cache ({percent:.0} %), the others ran once");
    }
    Ok(Staged {
        graph: cut.rest,
        train: Box::new(FixedVariants::new(trained)?),
        val: val.map(|val| Box::new(val) as Box<dyn Samples>),
        cached: Some(name),
        about,
    })
}

/// The cut, or why it saves nothing.
fn worth_caching(graph: &Graph, samples: usize, variants: Option<&Variants>) -> Result<Cut, String> {
    // What augments works on pixels, which have no gradient; dropout does not.
    let augments = |node: &Node| node.op.is_stochastic() && !node.op.differentiable(0);
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
    let bytes = width * 4 * samples as u64;
    if bytes > MOST_FEATURES {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let (needed, most) = (gib(bytes), gib(MOST_FEATURES));
        return Err(format!("{name} would take {needed:.1} GiB of host memory, more than {most:.0}"));
    }
    Ok(cut)
}
