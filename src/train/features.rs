//! The frozen prefix, run once per image: its results are the samples of everything above.

use crate::error::{Error, Result};
use crate::graph::draft::Role;
use crate::graph::fit::fit_beside;
use crate::graph::{Graph, Program, Settings, Store, ValueId};
use crate::ops::Now;
use crate::train::samples::{FeatureSamples, Samples};

/// Runs a prefix graph, whose last value is the result.
pub struct Extractor {
    program: Program,
    input: ValueId,
    output: Role,
    /// Values per sample.
    pub width: usize,
    batch: usize,
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
        let known: Vec<&str> = prefix.values.iter().map(|value| value.name.as_str()).collect();
        let value = prefix.find(name).ok_or_else(|| crate::error::unknown("layer", name, &known))?;
        let output = Role::Activation(prefix.root(value, false));
        let input = prefix.inputs().next();
        let input = input.ok_or_else(|| Error::Usage("this graph has no input".into()))?;
        let settings = Settings { batch, outputs: vec![output], ..Settings::default() };
        let plan = fit_beside(prefix, store, settings, memory)?;
        let batch = plan.settings.batch;
        let width = prefix.values[value.0].shape.numel() as usize;
        Ok(Extractor { program: Program::new(prefix, plan, store)?, input, output, width, batch })
    }

    /// (n, width) for `n` samples given as bytes of the prefix's input.
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, bytes: &[u8], n: usize) -> Result<Vec<f32>> {
        let per_sample = bytes.len() / n.max(1);
        let mut out = Vec::with_capacity(n * self.width);
        for first in (0..n).step_by(self.batch) {
            let count = self.batch.min(n - first);
            self.program.feed(self.input, &bytes[first * per_sample..(first + count) * per_sample]);
            self.program.run(count, &Now::default(), 0)?;
            out.extend(self.program.read(self.output, (count * self.width) as u64)?);
        }
        Ok(out)
    }

    /// The features of all readable samples, in order. `progress` sees the number of samples done.
    ///
    /// # Errors
    /// No sample is readable, or the device is lost, or somebody pressed Ctrl-C.
    pub fn collect(
        &mut self,
        samples: &dyn Samples,
        batch: usize,
        mut progress: impl FnMut(usize),
    ) -> Result<FeatureSamples> {
        let (mut values, mut labels, mut indices) = (Vec::new(), Vec::new(), Vec::new());
        values.reserve(samples.len() * self.width);
        for minibatch in samples.in_order()? {
            let minibatch = minibatch?;
            values.extend(self.run(minibatch.bytes(), minibatch.len())?);
            labels.extend(&minibatch.labels);
            indices.extend(&minibatch.indices);
            progress(labels.len());
            if crate::train::interrupt::asked() {
                return Err(Error::Interrupted("stopped before the first epoch; nothing was saved".into()));
            }
        }
        Ok(FeatureSamples { values, width: self.width, labels, indices, batch })
    }
}
