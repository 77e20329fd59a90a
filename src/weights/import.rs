//! Streaming a file into a model, one tensor at a time, and saying what was done.

use std::fmt;
use std::path::PathBuf;

use super::map::{self, By, Skipped, Wanted, dims};
use super::{Dtype, Format, Layout, Source};
use crate::error::{Error, Result};

/// What an import did, tensor by tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    pub path: PathBuf,
    pub format: Format,
    pub rows: Vec<Row>,
    /// Parameters that kept what they had: (name, reason).
    pub skipped: Vec<(String, String)>,
    /// Tensors of the file that went nowhere, by their names in it.
    pub unused: Vec<String>,
}

/// One imported tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name in the file.
    pub stored_as: String,
    /// The parameter that took it.
    pub parameter: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub layout: Layout,
    pub min: f32,
    pub mean: f64,
    pub max: f32,
    /// NaN and infinite values; more than none means a diverged or damaged model.
    pub not_finite: usize,
}

/// Reads each tensor that [`map::assign`] chooses and hands it to `take` under its index in `wanted`.
///
/// Heap: the one tensor in flight (and what `take` keeps).
///
/// # Errors
/// Those of [`map::assign`], of reading, and of `take`.
pub fn import(
    source: &mut dyn Source,
    wanted: &[Wanted],
    by: By,
    skip_mismatch: bool,
    mut take: impl FnMut(usize, Vec<f32>) -> Result<()>,
) -> Result<Report> {
    let mapping = map::assign(source, wanted, by, skip_mismatch)?;
    let mut rows = Vec::with_capacity(mapping.pairs.len());
    for pair in &mapping.pairs {
        let values = source.read(pair.entry)?;
        let entry = &source.entries()[pair.entry];
        let parameter = &wanted[pair.wanted];
        if values.len() != parameter.shape.iter().product::<usize>() {
            return Err(Error::weights(
                source.path(),
                format!("'{}' changed while it was read; load it again", entry.name),
            ));
        }
        rows.push(row(entry.stored_as.clone(), parameter, entry.dtype, pair.layout, &values));
        take(pair.wanted, values)?;
    }
    let name = |skipped: Skipped| (wanted[skipped.wanted].name.clone(), skipped.reason);
    Ok(Report {
        path: source.path().to_path_buf(),
        format: source.format(),
        rows,
        skipped: mapping.skipped.into_iter().map(name).collect(),
        unused: mapping.unused.iter().map(|&i| source.entries()[i].stored_as.clone()).collect(),
    })
}

fn row(stored_as: String, parameter: &Wanted, dtype: Dtype, layout: Layout, values: &[f32]) -> Row {
    let (mut min, mut max, mut sum, mut not_finite) = (f32::INFINITY, f32::NEG_INFINITY, 0.0f64, 0);
    for &value in values {
        if value.is_finite() {
            (min, max, sum) = (min.min(value), max.max(value), sum + f64::from(value));
        } else {
            not_finite += 1;
        }
    }
    let finite = values.len() - not_finite;
    if finite == 0 {
        (min, max) = (0.0, 0.0);
    }
    let mean = sum / finite.max(1) as f64;
    let (parameter, shape) = (parameter.name.clone(), parameter.shape.clone());
    Row { stored_as, parameter, shape, dtype, layout, min, mean, max, not_finite }
}

impl Report {
    /// Number of values imported.
    pub fn values(&self) -> usize {
        self.rows.iter().map(|row| row.shape.iter().product::<usize>()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let stored = width(&mut self.rows.iter().map(|r| r.stored_as.len())).max(4);
        let parameter = width(&mut self.rows.iter().map(|r| r.parameter.len())).max(9);
        let shape = width(&mut self.rows.iter().map(|r| dims(&r.shape).len())).max(5);
        writeln!(f, "{} ({})", self.path.display(), self.format)?;
        writeln!(
            f,
            "{:stored$}  {:parameter$}  {:shape$}  {:4}  {:>10}  {:>10}  {:>10}  layout",
            "file", "parameter", "shape", "type", "min", "mean", "max"
        )?;
        for row in &self.rows {
            write!(
                f,
                "{:stored$}  {:parameter$}  {:shape$}  {:4}",
                row.stored_as,
                row.parameter,
                dims(&row.shape),
                row.dtype
            )?;
            write!(f, "  {:>10.4}  {:>10.4}  {:>10.4}  {}", row.min, row.mean, row.max, row.layout)?;
            match row.not_finite {
                0 => writeln!(f)?,
                count => writeln!(f, "  ({count} values are NaN or infinite)")?,
            }
        }
        for (name, reason) in &self.skipped {
            writeln!(f, "kept {name}: {reason}")?;
        }
        if !self.unused.is_empty() {
            writeln!(f, "unused in the file: {}", self.unused.join(", "))?;
        }
        write!(f, "{} tensors, {} values", self.rows.len(), self.values())
    }
}
