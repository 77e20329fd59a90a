//! Augmentation on the device: ops between the pixels and the preprocessing, and the numbers that they read.

use std::ops::Range;
use std::sync::Arc;

use crate::data::augmentation::Augmentation;
use crate::data::draw::{Draw, Mixing};
use crate::error::Result;
use crate::graph::role::Role;
use crate::graph::{Graph, Plan, Program, Settings, Store, ValueId};
use crate::nn::network::{Ends, IMAGE};
use crate::nn::{Architecture, Freeze, Network};
use crate::ops::{AffineWarp, ColourJitter, Dtype, Mix, Now, OpRef, RandomErasing, SoftmaxCrossEntropy};
use crate::shape::Shape;

/// Names of the graph's inputs that the ops read; the partner's begin with [`PARTNER`].
const WARP: &str = "warp/matrix";
const COLOUR: &str = "colour/matrix";
const RECTANGLE: &str = "erase/rectangle";
const RULE: &str = "mix/rule";
const PARTNER: &str = "partner";

/// A network whose training graph augments: the plain one where nothing is switched on.
///
/// # Errors
/// As [`Network::new`], or a range that makes no sense.
pub fn network(
    architecture: Architecture,
    freeze: &Freeze,
    smoothing: f32,
    augmentation: &Augmentation,
) -> Result<Network> {
    augmentation.check()?;
    if augmentation.is_none() {
        return Network::new(architecture, freeze, smoothing);
    }
    let loss = SoftmaxCrossEntropy { smoothing, soft: augmentation.mixes() };
    Network::with_pixels(architecture, freeze, loss, |graph, image| push(graph, image, augmentation))
}

/// Pushes the ops that `augmentation` needs behind `image`.
fn push(graph: &mut Graph, image: ValueId, augmentation: &Augmentation) -> Result<ValueId> {
    let x = push_one(graph, image, "", augmentation)?;
    if !augmentation.mixes() {
        return Ok(x);
    }
    let partner = graph.input(PARTNER, graph.values[image.0].shape, Dtype::U8);
    let partner = push_one(graph, partner, "partner_", augmentation)?;
    let rule = graph.input(RULE, Shape::new(&[1, 5]), Dtype::F32);
    graph.push("mix", Arc::new(Mix), &[x, partner, rule])
}

fn push_one(graph: &mut Graph, image: ValueId, whose: &str, settings: &Augmentation) -> Result<ValueId> {
    let mut push = |x: ValueId, input: &str, numbers: usize, op: OpRef| {
        let layer = input.split('/').next().unwrap_or(input);
        let rows = graph.input(&format!("{whose}{input}"), Shape::new(&[1, numbers]), Dtype::F32);
        graph.push(&format!("{whose}{layer}"), op, &[x, rows])
    };
    let warp = AffineWarp { fill: settings.fill_mode, cval: settings.cval };
    let mut x = push(image, WARP, 6, Arc::new(warp))?;
    if settings.recolours() {
        x = push(x, COLOUR, 12, Arc::new(ColourJitter))?;
    }
    if settings.erases() {
        x = push(x, RECTANGLE, 4, Arc::new(RandomErasing))?;
    }
    Ok(x)
}

/// A batch as a graph's inputs see it, whole: (n, h, w, 3) bytes and (n) class ids.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    pub bytes: &'a [u8],
    pub labels: &'a [u32],
}

/// Feeds what the augmenting ops of a graph read, and its labels. Where no draws are switched on, images stay as they
/// are: the same graph then evaluates.
pub struct Feeder {
    draws: Option<Augmentation>,
    size: [usize; 2],
    own: Rows,
    partner: Option<Partner>,
    labels: Option<ValueId>,
    /// Classes, where labels are targets (n, classes).
    soft: Option<usize>,
}

struct Partner {
    image: ValueId,
    rows: Rows,
    rule: ValueId,
}

/// Inputs for the numbers of one image's ops.
struct Rows {
    warp: Option<ValueId>,
    colour: Option<ValueId>,
    rectangle: Option<ValueId>,
}

impl Rows {
    fn of(graph: &Graph, whose: &str) -> Rows {
        let find = |name: &str| graph.find(&format!("{whose}{name}"));
        Rows { warp: find(WARP), colour: find(COLOUR), rectangle: find(RECTANGLE) }
    }

    fn feed(&self, program: &Program, draws: &[Draw]) {
        let put = |value: Option<ValueId>, numbers: Vec<f32>| {
            if let Some(value) = value {
                program.feed(value, bytemuck::cast_slice(&numbers));
            }
        };
        put(self.warp, draws.iter().flat_map(|draw| draw.warp).collect());
        put(self.colour, draws.iter().flat_map(|draw| draw.colour).collect());
        put(self.rectangle, draws.iter().flat_map(|draw| draw.rectangle).collect());
    }
}

impl Feeder {
    /// A feeder for any graph; one without augmenting ops asks for labels alone. `draws` switches the augmentation on.
    pub fn new(graph: &Graph, draws: Option<Augmentation>) -> Feeder {
        let image = graph.find(IMAGE).map(|image| graph.values[image.0].shape);
        let size = image.map_or([1, 1], |shape| [shape.dims()[1], shape.dims()[2]]);
        let partner = graph.find(PARTNER).zip(graph.find(RULE));
        let partner = partner.map(|(image, rule)| Partner { image, rule, rows: Rows::of(graph, "partner_") });
        let labels = Ends::of(graph).map(|ends| ends.labels);
        let targets = labels.map(|labels| &graph.values[labels.0]).filter(|v| v.dtype == Dtype::F32);
        let soft = targets.map(|value| value.shape.last());
        Feeder { draws, size, own: Rows::of(graph, ""), partner, labels, soft }
    }

    /// Feeds the samples `part` of a whole batch; `now` says which step and which seed.
    pub fn feed(&self, program: &Program, whole: Whole, part: Range<usize>, now: &Now) {
        let n = whole.labels.len();
        let draw = |sample: usize| match &self.draws {
            Some(draws) => draws.draw(now.seed, now.iteration, sample as u32, self.size),
            None => Draw::identity(self.size),
        };
        self.own.feed(program, &part.clone().map(draw).collect::<Vec<_>>());
        let mixings: Vec<Mixing> = part.clone().map(|sample| self.mixing(sample, now)).collect();
        let away = self.draws.as_ref().map_or(0, |_| Augmentation::partner(now.seed, now.iteration, n));
        let partners: Vec<usize> = part.clone().map(|sample| (sample + away) % n).collect();
        if let Some(partner) = &self.partner {
            let width = whole.bytes.len() / n;
            let image = |&i: &usize| &whole.bytes[i * width..(i + 1) * width];
            program.feed(partner.image, &partners.iter().flat_map(image).copied().collect::<Vec<u8>>());
            partner.rows.feed(program, &partners.iter().map(|&i| draw(i)).collect::<Vec<_>>());
            let rules: Vec<f32> = mixings.iter().flat_map(|mixing| mixing.rule).collect();
            program.feed(partner.rule, bytemuck::cast_slice(&rules));
        }
        let Some(labels) = self.labels else { return };
        match self.soft {
            None => program.feed(labels, bytemuck::cast_slice(&whole.labels[part])),
            Some(classes) => {
                let targets = targets(whole.labels, part, &partners, &mixings, classes);
                program.feed(labels, bytemuck::cast_slice(&targets));
            }
        }
    }

    /// Feeds the numbers of single images, whose draws somebody else decides; nothing is mixed.
    pub fn feed_draws(&self, program: &Program, draws: &[Draw]) {
        self.own.feed(program, draws);
    }

    /// (h, w) of the images.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    fn mixing(&self, sample: usize, now: &Now) -> Mixing {
        match (&self.draws, &self.partner) {
            (Some(draws), Some(_)) => draws.mixing(now.seed, now.iteration, sample as u32, self.size),
            _ => Mixing::NONE,
        }
    }
}

/// (samples, classes): each image's share to its own label, the rest to its partner's.
fn targets(
    labels: &[u32],
    part: Range<usize>,
    partners: &[usize],
    mixings: &[Mixing],
    classes: usize,
) -> Vec<f32> {
    let mut targets = vec![0.0; partners.len() * classes];
    let pairs = part.zip(partners).zip(mixings);
    for (row, ((own, &partner), mixing)) in targets.chunks_exact_mut(classes).zip(pairs) {
        row[labels[own] as usize] += mixing.share;
        row[labels[partner] as usize] += 1.0 - mixing.share;
    }
    targets
}

/// `n` images of (h, w, 3) bytes as training would see them in step `iteration`, rounded to bytes: for people to look at.
///
/// # Errors
/// A range that makes no sense, or the device.
pub fn preview(
    store: &mut Store,
    pixels: &[u8],
    [h, w]: [usize; 2],
    augmentation: &Augmentation,
    (seed, iteration): (u32, u32),
) -> Result<Vec<u8>> {
    augmentation.check()?;
    let n = pixels.len() / (h * w * 3);
    let mut graph = Graph::default();
    let image = graph.input(IMAGE, Shape::new(&[1, h, w, 3]), Dtype::U8);
    let y = push(&mut graph, image, augmentation)?;
    let output = Role::Activation(y);
    let settings = Settings { batch: n, outputs: vec![output], ..Settings::default() };
    let plan = Plan::new(&graph, store.device().caps(), settings)?;
    let mut program = Program::new(&graph, plan, store)?;
    program.feed(image, pixels);
    let now = Now { seed, iteration, ..Now::default() };
    let whole = Whole { bytes: pixels, labels: &vec![0; n] };
    Feeder::new(&graph, Some(augmentation.clone())).feed(&program, whole, 0..n, &now);
    program.run(n, &now, 0)?;
    let values = program.read(output, pixels.len() as u64)?;
    Ok(values.iter().map(|v| v.round().clamp(0.0, 255.0) as u8).collect())
}
