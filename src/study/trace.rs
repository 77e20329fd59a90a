//! One training step taken apart: every layer's result on the way forward, and every gradient on the way back.
//!
//! ```
//! use frostline::{error::Result, graph::Store, nn::Network, train::samples::Minibatch};
//! use frostline::study::trace::{first_nan, trace};
//! fn stand(network: &Network, store: &mut Store, batch: &Minibatch) -> Result<()> {
//!     let stops = trace(network, store, batch, 0, u64::MAX)?;
//!     stops.iter().for_each(|stop| println!("{} of {}: rms {}", stop.way, stop.name, stop.stats.rms));
//!     if let Some(stop) = first_nan(&stops) {
//!         stop.image().save("nan.png").expect("a place to write");
//!     }
//!     Ok(())
//! }
//! ```

use std::fmt;

use image::RgbImage;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::graph::role::Role;
use crate::graph::{Plan, Program, Settings, Store, Sweep};
use crate::nn::Network;
use crate::nn::network::Ends;
use crate::ops::Now;
use crate::shape::Shape;
use crate::study::show::shades::Map;
use crate::train::samples::Minibatch;

/// Which way a tensor travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A layer's result.
    Forward,
    /// The gradient of a layer's result. Behind a ReLU it is read after the mask: zero where the ReLU was closed.
    Backward,
    /// The gradient of a parameter.
    Parameter,
}

/// A tensor at which one can stand.
#[derive(Clone, Debug, Serialize)]
pub struct Stop {
    /// The layer, or the parameter, as in `block1_conv1/kernel`.
    pub name: String,
    pub way: Way,
    /// With the batch.
    pub shape: String,
    pub stats: Stats,
    #[serde(skip)]
    pub dims: Vec<usize>,
    #[serde(skip)]
    pub values: Vec<f32>,
}

/// Bins of [`Stats::histogram`].
pub const BINS: usize = 24;

/// What a tensor holds. Means and extremes are those of its finite elements.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    pub elements: usize,
    pub min: f32,
    pub mean: f64,
    pub max: f32,
    /// Root of the mean square.
    pub rms: f64,
    pub zeros: usize,
    pub nan: usize,
    pub infinite: usize,
    /// Finite elements in bins of equal width from `min` to `max`.
    pub histogram: [u64; BINS],
}

impl Stats {
    /// ```
    /// use frostline::study::trace::Stats;
    /// let stats = Stats::of(&[0.0, 3.0, -1.0, f32::NAN]);
    /// assert_eq!((stats.min, stats.max, stats.zeros, stats.nan), (-1.0, 3.0, 1, 1));
    /// ```
    pub fn of(values: &[f32]) -> Stats {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let count = finite().count().max(1) as f64;
        let (min, max) = finite().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let (min, max) = if min > max { (0.0, 0.0) } else { (min, max) };
        let mut histogram = [0; BINS];
        let width = (f64::from(max) - f64::from(min)).max(f64::MIN_POSITIVE);
        for value in finite() {
            let place = (f64::from(value) - f64::from(min)) / width * BINS as f64;
            histogram[(place as usize).min(BINS - 1)] += 1;
        }
        Stats {
            elements: values.len(),
            min,
            max,
            mean: finite().map(f64::from).sum::<f64>() / count,
            rms: (finite().map(|v| f64::from(v).powi(2)).sum::<f64>() / count).sqrt(),
            zeros: values.iter().filter(|v| **v == 0.0).count(),
            nan: values.iter().filter(|v| v.is_nan()).count(),
            infinite: values.iter().filter(|v| v.is_infinite()).count(),
            histogram,
        }
    }
}

/// Runs one training step's forward and backward pass over a batch, without the update, and gives every stop in the
/// order in which it is made. `memory` bounds the plan's bytes: everything that is looked at stays alive.
///
/// # Errors
/// The batch does not fit; or the device.
pub fn trace(
    network: &Network,
    store: &mut Store,
    batch: &Minibatch,
    seed: u32,
    memory: u64,
) -> Result<Vec<Stop>> {
    let (graph, n) = (&network.graph, batch.len());
    let ends = Ends::of(graph).expect("a network has a loss");
    let stops = stops(network);
    let outputs = stops.iter().map(|stop| stop.2).collect();
    let settings = Settings { batch: n, training: true, outputs, ..Settings::default() };
    let plan = Plan::new(graph, store.device().caps(), settings)?;
    let needed = plan.memory().total();
    if needed > memory {
        let (what, limit_name) = (format!("every tensor of {n} samples"), "the memory budget (--memory)");
        let cure = "use a smaller --batch or --input".to_owned();
        return Err(Error::TooLarge { what, needed, limit_name, limit: memory, cure });
    }
    let mut program = Program::new(graph, plan, store)?;
    let image = graph.find(crate::nn::network::IMAGE).expect("a network sees images");
    program.feed(image, batch.bytes());
    program.feed(ends.labels, bytemuck::cast_slice(&batch.labels));
    program.feed(ends.weights, bytemuck::cast_slice(&vec![1f32; n]));
    program.run(n, &Now { seed, loss_scale: 1.0 / n as f32, ..Now::default() }, 0)?;
    let read = |(name, way, role, shape): (String, Way, Role, Shape)| {
        let shape = if way == Way::Parameter { shape } else { shape.with_batch(n) };
        let values = program.read(role, shape.numel())?;
        let (stats, dims) = (Stats::of(&values), shape.dims().to_vec());
        Ok(Stop { name, way, shape: shape.to_string(), stats, dims, values })
    };
    stops.into_iter().map(read).collect()
}

/// Every stop: its name, its way, its role in the plan and its shape (of one sample where it is no parameter).
fn stops(network: &Network) -> Vec<(String, Way, Role, Shape)> {
    let (graph, sweep) = (&network.graph, Sweep::of(&network.graph));
    let made = |node: &&crate::graph::Node| !node.op.is_view(true);
    let forward = graph.nodes.iter().filter(made).map(|node| {
        (node.name.clone(), Way::Forward, Role::Activation(node.y), graph.values[node.y.0].shape)
    });
    let mut stops: Vec<_> = forward.collect();
    for (node, decision) in graph.nodes.iter().zip(&sweep.nodes).rev() {
        for (&param, _) in node.params.iter().zip(&decision.wants.d_params).filter(|(_, wanted)| **wanted) {
            let param_name = graph.params[param.0].name.clone();
            let shape = graph.params[param.0].spec.shape;
            stops.push((param_name, Way::Parameter, Role::ParamGradient(param), shape));
        }
        for (&x, _) in node.x.iter().zip(&decision.wants.d_x).filter(|(_, wanted)| **wanted) {
            let root = graph.root(x, true);
            let role = Role::Gradient(root);
            if !stops.iter().any(|stop| stop.2 == role) {
                let value = &graph.values[root.0];
                stops.push((value.name.clone(), Way::Backward, role, value.shape));
            }
        }
    }
    stops
}

/// The first stop that holds a NaN.
pub fn first_nan(stops: &[Stop]) -> Option<&Stop> {
    stops.iter().find(|stop| stop.stats.nan > 0)
}

impl Stop {
    /// The tensor as an image: of a map the first sample's channels side by side, of anything else its rows. Black is
    /// zero, positive values go to pale yellow, negative ones to pale blue; what is not a number is green. The largest
    /// few in a thousand are cut off, so that they leave light to the others.
    pub fn image(&self) -> RgbImage {
        let most = self.most();
        let share = |v: f32| v / most;
        let map = match self.dims[..] {
            [_, h, w, c] if self.way != Way::Parameter => {
                let across = (c as f64).sqrt().ceil() as usize;
                let mut map =
                    Map { h: c.div_ceil(across) * (h + 1), w: across * (w + 1), values: Vec::new() };
                map.values.resize(map.h * map.w, 0.0);
                for (i, v) in self.values[..h * w * c].iter().enumerate() {
                    let (y, x, k) = (i / (w * c), i / c % w, i % c);
                    map.values[(k / across * (h + 1) + y) * map.w + k % across * (w + 1) + x] = share(*v);
                }
                map
            }
            _ => {
                let across = (self.values.len() as f64).sqrt().ceil() as usize;
                let mut values: Vec<f32> = self.values.iter().map(|v| share(*v)).collect();
                values.resize(self.values.len().div_ceil(across) * across, 0.0);
                Map { h: values.len() / across, w: across, values }
            }
        };
        map.shaded()
    }

    /// The size that all but five in a thousand of the finite values that are not zero stay below.
    fn most(&self) -> f32 {
        let some = |v: &f32| (v.is_finite() && *v != 0.0).then_some(v.abs());
        let mut sizes: Vec<f32> = self.values.iter().filter_map(some).collect();
        let at = (sizes.len() * 995 / 1000).min(sizes.len().saturating_sub(1));
        if sizes.is_empty() { 1.0 } else { *sizes.select_nth_unstable_by(at, f32::total_cmp).1 }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Forward => "y",
            Way::Backward => "d_y",
            Way::Parameter => "d",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_leave_out_what_is_not_finite() {
        let stats = Stats::of(&[1.0, 3.0, f32::NAN, f32::INFINITY, 0.0]);
        assert_eq!((stats.nan, stats.infinite, stats.zeros), (1, 1, 1));
        assert!((stats.mean - 4.0 / 3.0).abs() < 1e-12 && (stats.rms - (10f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!((stats.histogram[0], stats.histogram[BINS - 1], stats.histogram[8]), (1, 1, 1));
    }

    #[test]
    fn a_tensor_of_nothing_but_nan_has_statistics() {
        let stats = Stats::of(&[f32::NAN; 3]);
        assert_eq!((stats.min, stats.max, stats.nan), (0.0, 0.0, 3));
    }
}
