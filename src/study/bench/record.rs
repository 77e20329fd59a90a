//! One measurement, as a line of JSON and as a row of the table.

use serde::{Deserialize, Serialize};

use crate::ops::Precision;
use crate::study::roofline::Roofline;
use crate::study::timing::Times;

/// See the module's first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `conv2d/forward`, or `step/vgg19/forward` for a whole pass.
    pub name: String,
    /// Inputs, then the weight: `1x56x56x128 3x3x128x128`.
    pub shape: String,
    /// The rung; `default` or `tuned` for whole steps.
    pub variant: String,
    pub precision: String,
    pub median_ms: f64,
    pub min_ms: f64,
    pub max_ms: f64,
    pub runs: usize,
    /// Operations of the direct method in a second, whatever the rung really computes.
    pub gflops: f64,
    /// Bytes of the tensors read and written once, in a second; `None` for whole steps.
    pub gbytes: Option<f64>,
    /// Of the measured roofline, which is that of f32 whatever the precision: matrix units may pass it.
    pub percent_of_peak: f64,
    /// Distance from the f64 reference, on a small case of the same kernel.
    pub rel_error: Option<f64>,
    /// Processes that the machine ran, on average over the last minute; `None` where the system does not tell.
    pub load: Option<f64>,
}

/// What a measured thing is called and costs.
pub struct Work {
    pub name: String,
    pub shape: String,
    pub variant: String,
    pub precision: Precision,
    pub flops: u64,
    pub bytes: Option<u64>,
}

impl Work {
    /// `name shape variant`: what filters look at.
    pub fn label(&self) -> String {
        format!("{} {} {}", self.name, self.shape, self.variant)
    }
}

impl Record {
    pub fn new(work: &Work, times: &Times, roofline: &Roofline, rel_error: Option<f64>) -> Record {
        let (seconds, bytes) = (times.median(), work.bytes.unwrap_or(0));
        Record {
            name: work.name.clone(),
            shape: work.shape.clone(),
            variant: work.variant.clone(),
            precision: work.precision.name().to_owned(),
            median_ms: seconds * 1e3,
            min_ms: times.min() * 1e3,
            max_ms: times.max() * 1e3,
            runs: times.len(),
            gflops: work.flops as f64 / seconds * 1e-9,
            gbytes: work.bytes.map(|bytes| bytes as f64 / seconds * 1e-9),
            percent_of_peak: roofline.percent(work.flops, bytes, seconds),
            rel_error,
            load: load(),
        }
    }

    /// The two limits as lines of their own, so that a file of lines holds what its percents refer to.
    pub fn of_roofline(roofline: &Roofline) -> [Record; 2] {
        let record = |name: &str, gflops, gbytes| Record {
            name: format!("roofline/{name}"),
            shape: "-".to_owned(),
            variant: "peak".to_owned(),
            precision: "f32".to_owned(),
            median_ms: 0.0,
            min_ms: 0.0,
            max_ms: 0.0,
            runs: 0,
            gflops,
            gbytes: Some(gbytes),
            percent_of_peak: 100.0,
            rel_error: None,
            load: load(),
        };
        [record("multiply_add", roofline.gflops, 0.0), record("copy", 0.0, roofline.gbytes)]
    }

    /// What makes two records measurements of the same thing.
    pub fn key(&self) -> [&str; 4] {
        [&self.name, &self.shape, &self.variant, &self.precision]
    }
}

fn load() -> Option<f64> {
    sysinfo::System::load_average().ok().map(|average| average.one)
}
