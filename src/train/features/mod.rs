//! The frozen prefix, run once per image: its results are the samples of everything above.

pub mod cache;
pub mod file;
pub mod transfer;

use std::fmt::Write;

use rayon::prelude::*;

use crate::data::augmentation::Augmentation;
use crate::data::draw::Draw;
use crate::error::{Error, Result, unknown};
use crate::graph::fit::fit_beside;
use crate::graph::role::Role;
use crate::graph::{Graph, Param, Program, Settings, Store, ValueId};
use crate::ops::Now;
use crate::train::augment::Feeder;
use crate::train::digest::{Digest, digest};
use crate::train::features::cache::Shelf;
use crate::train::interrupt;
use crate::train::samples::{FeatureSamples, Samples};

/// Runs a prefix graph, whose last value is the result.
pub struct Extractor {
    program: Program,
    input: ValueId,
    /// Rows of numbers for augmenting ops below the cut.
    feeder: Feeder,
    output: Role,
    /// Shape of one sample's features.
    pub shape: Vec<usize>,
    /// Values per sample.
    pub width: usize,
    batch: usize,
}

/// What to plan for a prefix that is run for its value `name`.
///
/// # Errors
/// No value of this name.
pub fn settings(prefix: &Graph, name: &str, batch: usize) -> Result<Settings> {
    let known: Vec<&str> = prefix.values.iter().map(|value| value.name.as_str()).collect();
    let value = prefix.find(name).ok_or_else(|| unknown("layer", name, &known))?;
    let outputs = vec![Role::Activation(prefix.root(value, false))];
    Ok(Settings { batch, outputs, ..Settings::default() })
}

impl Extractor {
    /// Binds `prefix` for batches of at most `batch`, reading out the value `name`.
    ///
    /// # Errors
    /// No value of this name, or not even one sample fits.
    pub fn new(
        prefix: &Graph,
        name: &str,
        store: &mut Store,
        batch: usize,
        memory: u64,
    ) -> Result<Extractor> {
        let settings = settings(prefix, name, batch)?;
        let (value, output) = (prefix.find(name).expect("it has settings"), settings.outputs[0]);
        let input = prefix.inputs().next();
        let input = input.ok_or_else(|| Error::Usage("this graph has no input".into()))?;
        let plan = fit_beside(prefix, store, settings, memory)?;
        let batch = plan.settings.batch;
        let shape = prefix.values[value.0].shape.dims()[1..].to_vec();
        let width = shape.iter().product();
        let (program, feeder) = (Program::new(prefix, plan, store)?, Feeder::new(prefix, None));
        Ok(Extractor { program, input, feeder, output, shape, width, batch })
    }

    /// (n, width) for `n` samples given as bytes of the prefix's input.
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, bytes: &[u8], n: usize) -> Result<Vec<f32>> {
        self.run_drawn(bytes, &vec![Draw::identity(self.feeder.size()); n])
    }

    /// As [`Extractor::run`], for one sample for each of `draws`, augmented by it.
    fn run_drawn(&mut self, bytes: &[u8], draws: &[Draw]) -> Result<Vec<f32>> {
        let n = draws.len();
        let per_sample = bytes.len() / n.max(1);
        let mut out = Vec::with_capacity(n * self.width);
        for first in (0..n).step_by(self.batch) {
            let count = self.batch.min(n - first);
            self.program.feed(self.input, &bytes[first * per_sample..(first + count) * per_sample]);
            self.feeder.feed_draws(&self.program, &draws[first..first + count]);
            self.program.run(count, &Now::default(), 0)?;
            out.extend(self.program.read(self.output, (count * self.width) as u64)?);
        }
        Ok(out)
    }

    /// A hash of everything that decides a bit of the features: program, adapter, layers, kernels (and with them the
    /// rungs and the precision) and weights.
    ///
    /// # Errors
    /// The device is lost.
    pub fn identity(&self, store: &Store) -> Result<Digest> {
        let (graph, plan) = (self.program.graph(), self.program.plan());
        let mut text = format!("{} {}\n", env!("CARGO_PKG_VERSION"), store.device().info());
        for node in &graph.nodes {
            let _ = writeln!(text, "{:?} of {:?}", node.op, graph.x_shapes(node, 1));
        }
        for planned in plan.prologue.iter().chain(&plan.body) {
            text.push_str(&planned.step.kernel.wgsl(0, false));
        }
        let weight = |param: &Param| Ok(digest([bytemuck::cast_slice(&store.read(&param.name)?)]));
        let weights = graph.params.iter().map(weight).collect::<Result<Vec<Digest>>>()?;
        Ok(digest([text.as_bytes(), weights.as_flattened()]))
    }

    /// The features of all readable samples, in order. `progress` sees the number of samples done.
    ///
    /// # Errors
    /// No sample is readable, or the device is lost, or somebody pressed Ctrl-C.
    pub fn collect(
        &mut self,
        samples: &dyn Samples,
        batch: usize,
        progress: impl FnMut(usize),
    ) -> Result<FeatureSamples> {
        Ok(self.collect_by(samples, batch, &By::default(), progress)?.0)
    }

    /// As [`Extractor::collect`], with what lies on the shelf already read from there, and what does not kept there.
    /// Both are the same bits. Gives also how many samples were found.
    ///
    /// # Errors
    /// As [`Extractor::collect`].
    pub fn collect_by(
        &mut self,
        samples: &dyn Samples,
        batch: usize,
        by: &By,
        mut progress: impl FnMut(usize),
    ) -> Result<(FeatureSamples, usize)> {
        let width = self.width;
        let mut values = vec![0f32; samples.len() * width];
        let prints = by.look_up(samples, &mut values, width);
        let mut ready: Vec<bool> = prints.iter().map(|print| matches!(print, Found::Here)).collect();
        let missing: Vec<u32> = (0u32..).zip(&ready).filter(|(_, ready)| !**ready).map(|(i, _)| i).collect();
        let found = prints.len() - missing.len();
        let mut done = found;
        progress(done);
        for minibatch in samples.batches(missing)? {
            let minibatch = minibatch?;
            let draw = |&index: &u32| by.draw(&prints[index as usize], index, self.feeder.size());
            let draws: Vec<Draw> = minibatch.indices.iter().map(draw).collect();
            let features = self.run_drawn(minibatch.bytes(), &draws)?;
            for (&index, row) in minibatch.indices.iter().zip(features.chunks_exact(width)) {
                let index = index as usize;
                values[index * width..(index + 1) * width].copy_from_slice(row);
                ready[index] = true;
                by.keep(&prints[index], row);
            }
            done += minibatch.len();
            progress(done);
            if interrupt::asked() {
                return Err(Error::Interrupted("stopped before the first epoch; nothing was saved".into()));
            }
        }
        Ok((only_ready(samples, values, width, &ready, batch), found))
    }
}

/// By which means features are collected.
#[derive(Clone, Copy, Default)]
pub struct By<'b> {
    /// Where they stay.
    pub shelf: Option<&'b Shelf>,
    /// Of which variant of each image they are, where not of the image itself.
    pub variant: Option<Variant<'b>>,
}

/// One of several fixed augmentations of an image. It draws by the image's content, not by its place in a folder.
#[derive(Clone, Copy)]
pub struct Variant<'b> {
    pub augmentation: &'b Augmentation,
    pub seed: u32,
    pub number: u32,
}

/// What a shelf knows of a sample.
enum Found {
    Here,
    /// Not there; the image has this print.
    Not(Option<Digest>),
}

impl By<'_> {
    /// Fills the rows of `values` that lie on the shelf, on all cores.
    fn look_up(&self, samples: &dyn Samples, values: &mut [f32], width: usize) -> Vec<Found> {
        if self.shelf.is_none() && self.variant.is_none() {
            return (0..samples.len()).map(|_| Found::Not(None)).collect();
        }
        let row = |(index, row): (usize, &mut [f32])| match (samples.fingerprint(index as u32), self.shelf) {
            (Some(print), Some(shelf)) if shelf.get(&self.entry(&print), row) => Found::Here,
            (print, _) => Found::Not(print),
        };
        values.par_chunks_exact_mut(width).enumerate().map(row).collect()
    }

    /// Under what an image's features stand on the shelf.
    fn entry(&self, print: &Digest) -> Digest {
        let Some(variant) = &self.variant else { return *print };
        let settings = serde_json::to_vec(variant.augmentation).expect("plain data serialises");
        let counters = [variant.seed, variant.number];
        digest([print.as_slice(), &settings, bytemuck::cast_slice(&counters)])
    }

    fn draw(&self, found: &Found, index: u32, size: [usize; 2]) -> Draw {
        let Some(variant) = &self.variant else { return Draw::identity(size) };
        let sample = match found {
            Found::Not(Some([a, b, c, d, ..])) => u32::from_le_bytes([*a, *b, *c, *d]),
            _ => index,
        };
        variant.augmentation.draw(variant.seed, variant.number, sample, size)
    }

    fn keep(&self, found: &Found, row: &[f32]) {
        if let (Some(shelf), Found::Not(Some(print))) = (self.shelf, found) {
            shelf.put(&self.entry(print), row);
        }
    }
}

/// Drops the rows of samples that could not be read.
fn only_ready(
    samples: &dyn Samples,
    mut values: Vec<f32>,
    width: usize,
    ready: &[bool],
    batch: usize,
) -> FeatureSamples {
    let indices: Vec<u32> = (0u32..).zip(ready).filter(|(_, ready)| **ready).map(|(i, _)| i).collect();
    for (to, &index) in indices.iter().enumerate().filter(|(to, index)| *to != **index as usize) {
        values.copy_within(index as usize * width..(index as usize + 1) * width, to * width);
    }
    values.truncate(indices.len() * width);
    let labels = indices.iter().map(|&index| samples.class(index)).collect();
    FeatureSamples { values, width, labels, indices, batch }
}
