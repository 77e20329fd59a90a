//! The averaged features of several layers from one pass.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::fit::fit;
use crate::graph::role::Role;
use crate::graph::{Program, Settings, Store, ValueId};
use crate::nn::Network;
use crate::ops::{GlobalAveragePool, Now};
use crate::study::probe::{PREPROCESSED, Start, body};
use crate::study::sweep::NOTHING;
use crate::train::samples::Samples;
use crate::train::{FeatureSamples, interrupt};

/// One layer's averaged features and their number.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    role: Role,
    width: usize,
}

/// The layers up to the last point, with a global average behind each.
pub struct Taps {
    program: Program,
    input: ValueId,
    points: Vec<Point>,
    batch: usize,
}

impl Taps {
    /// # Errors
    /// A point that is no layer, or not even one sample fits.
    pub fn new(
        network: &Network,
        store: &mut Store,
        points: &[String],
        batch: usize,
        memory: u64,
    ) -> Result<Taps> {
        let place =
            |point: &String| network.architecture.layers.iter().position(|layer| layer.name == *point);
        let last = points.iter().max_by_key(|point| place(point)).map_or(NOTHING, String::as_str);
        let value = |point: &str| if point == NOTHING { PREPROCESSED } else { point }.to_owned();
        let mut graph = body(network, &value(last), Start::Pixels)?;
        let input = graph.inputs().next().expect("a body has an input");
        let mut taps = Vec::new();
        for point in points {
            let x = graph.find(&value(point)).expect("it lies below the last one");
            let y = graph.push(&format!("mean of {point}"), Arc::new(GlobalAveragePool), &[x])?;
            let width = graph.values[y.0].shape.last();
            taps.push(Point { role: Role::Activation(y), width });
        }
        let outputs = taps.iter().map(|tap| tap.role).collect();
        let settings = Settings { batch, outputs, ..Settings::default() };
        let plan = fit(&graph, store.device().caps(), settings, memory)?;
        let batch = plan.settings.batch;
        Ok(Taps { program: Program::new(&graph, plan, store)?, input, points: taps, batch })
    }

    /// For each point (n, width) features of `n` samples, given as pixels (n, h, w, 3).
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, pixels: &[u8], n: usize) -> Result<Vec<Vec<f32>>> {
        let per_sample = pixels.len() / n.max(1);
        let mut all = vec![Vec::new(); self.points.len()];
        for first in (0..n).step_by(self.batch) {
            let count = self.batch.min(n - first);
            self.program.feed(self.input, &pixels[first * per_sample..(first + count) * per_sample]);
            self.program.run(count, &Now::default(), 0)?;
            for (values, point) in all.iter_mut().zip(&self.points) {
                values.extend(self.program.read(point.role, (count * point.width) as u64)?);
            }
        }
        Ok(all)
    }

    /// The features of all readable samples, for each point.
    ///
    /// # Errors
    /// No sample is readable, Ctrl-C, or the device.
    pub fn collect(&mut self, samples: &dyn Samples) -> Result<Vec<FeatureSamples>> {
        let empty = |point: &Point| FeatureSamples {
            values: Vec::new(),
            width: point.width,
            labels: Vec::new(),
            indices: Vec::new(),
            batch: self.batch,
        };
        let mut all: Vec<FeatureSamples> = self.points.iter().map(empty).collect();
        for minibatch in samples.in_order()? {
            let minibatch = minibatch?;
            for (of, values) in all.iter_mut().zip(self.run(minibatch.bytes(), minibatch.len())?) {
                of.values.extend(values);
                of.labels.extend(&minibatch.labels);
                of.indices.extend(&minibatch.indices);
            }
            if interrupt::asked() {
                return Err(Error::Interrupted("stopped while features were computed".into()));
            }
        }
        Ok(all)
    }
}
