//! A run followed step by step, each from its own weights: what f64 makes of the same step.
//!
//! Two runs part when a unit before a ReLU, or two rivals under a max-pool, lie nearer to each other than rounding: then
//! f32 and f64 take different branches, and from there on their weights are not comparable. Each single step still is.

use std::collections::HashMap;

use frostline::graph::interpreter::{Interpreter, array};
use frostline::graph::store::state_name;
use frostline::graph::{Graph, ParamId, Store, ValueId};
use frostline::nn::architecture::Layer;
use frostline::nn::network::{Ends, IMAGE};
use frostline::nn::{Architecture, LayerKind};
use frostline::ops::conv2d::Padding;
use frostline::ops::{Array, Given, Now};
use frostline::optim::{self, Rule};
use frostline::shape::Shape;

use super::{Model, distance};

/// Weights and optimizer state between two steps.
pub struct Snapshot {
    params: Vec<Array>,
    states: Vec<Vec<Array>>,
}

impl Snapshot {
    pub fn of(graph: &Graph, store: &Store, rule: &dyn Rule) -> Snapshot {
        let read = |name: &str, shape| array(shape, &store.read(name).unwrap());
        let params = graph.params.iter().map(|param| read(&param.name, param.spec.shape)).collect();
        let of = |param: &frostline::graph::Param| match param.trainable {
            true => {
                let states = 0..optim::states(rule);
                states.map(|i| read(&state_name(&param.name, i), param.spec.shape)).collect()
            }
            false => Vec::new(),
        };
        Snapshot { params, states: graph.params.iter().map(of).collect() }
    }
}

/// One step of the device.
pub struct Step {
    pub loss: f64,
    /// Of the parameters that train.
    pub gradients: HashMap<ParamId, Vec<f64>>,
    pub now: Now,
}

/// How far a step is from f64.
pub struct Found {
    /// Of the loss, relative.
    pub loss: f64,
    /// The furthest gradient, as a share of what is allowed.
    pub gradient: f64,
    /// The furthest weight or state.
    pub update: f64,
    /// The units that had to be on the other side to come there.
    pub flips: Vec<String>,
}

/// The graph, with what is fed to it.
pub struct Beside<'a> {
    pub graph: &'a Graph,
    pub architecture: &'a Architecture,
    pub inputs: HashMap<ValueId, Array>,
    pub n: usize,
}

impl Beside<'_> {
    pub fn new<'a>(graph: &'a Graph, model: &'a Model, weights: &[f64]) -> Beside<'a> {
        let ends = Ends::of(graph).unwrap();
        let n = model.samples();
        let column = |data: Vec<f64>| Array::new(Shape::new(&[n]), data);
        let image = &model.inputs["x_uint8"];
        let inputs = HashMap::from([
            (graph.find(IMAGE).unwrap(), Array::new(Shape::new(&image.shape), image.data.clone())),
            (ends.labels, column(model.inputs["y"].data.clone())),
            (ends.weights, column(weights.to_vec())),
        ]);
        Beside { graph, architecture: &model.architecture, inputs, n }
    }

    /// `near` is the share of a layer's scale within which rounding decides; `far` the gradients' tolerance.
    pub fn compare(
        &self,
        step: &Step,
        (before, after): (&Snapshot, &Snapshot),
        rule: &dyn Rule,
        (near, far): (f64, f64),
    ) -> Found {
        let interpreter = Interpreter::new(self.graph, before.params.clone(), rule);
        let pass = interpreter.pass(&self.inputs, &step.now);
        let ends = Ends::of(self.graph).unwrap();
        let losses = &pass.values[&self.graph.nodes[ends.loss.0].y].data;
        let loss = losses.iter().sum::<f64>() / self.n as f64;
        let off = |d: &HashMap<ParamId, Array>| {
            step.gradients.iter().map(|(p, d_w)| distance(d_w, &d[p].data)).fold(0.0, f64::max) / far
        };
        let (mut gradient, mut values, mut flips) = (off(&pass.d_params), pass.values, Vec::new());
        if gradient > 1.0 {
            for edge in self.edges(&before.params, &values, &step.now, near) {
                let mut other = values.clone();
                edge.flip(&mut other);
                let found = off(&interpreter.backward(&other, &step.now));
                if found < gradient {
                    (gradient, values) = (found, other);
                    flips.push(edge.what);
                }
                if gradient <= 1.0 {
                    break;
                }
            }
        }
        let loss = (step.loss - loss).abs() / loss;
        Found { loss, gradient, update: update(step, before, after, rule), flips }
    }

    /// Where rounding decides, the nearest first.
    fn edges(&self, params: &[Array], values: &HashMap<ValueId, Array>, now: &Now, near: f64) -> Vec<Edge> {
        let mut edges = Vec::new();
        for layer in &self.architecture.layers {
            let node = self.graph.nodes.iter().find(|node| node.name == layer.name).unwrap();
            let x = &values[&node.x[0]];
            if let LayerKind::MaxPool2d { window, stride, padding: Padding::Valid } = layer.kind {
                edges.extend(rivals(layer, node.x[0], x, (window, stride), near));
            }
            let Some(linear) = without_relu(layer) else { continue };
            let params: Vec<Array> = node.params.iter().map(|p| params[p.0].clone()).collect();
            let given = Given { x: std::slice::from_ref(x), params: &params, now, layer: 0, trains: true };
            let z = linear.op().reference(given).data;
            let scale = scale(&z);
            let close = z.iter().enumerate().filter(|(_, z)| z.abs() < near * scale);
            edges.extend(close.map(|(at, z)| Edge {
                value: node.y,
                at,
                to: if *z > 0.0 { 0.0 } else { f64::MIN_POSITIVE },
                share: z.abs() / scale,
                what: format!("{} unit {at}: {:.1e} of the layer's scale", layer.name, z / scale),
            }));
        }
        edges.sort_by(|a, b| a.share.total_cmp(&b.share));
        edges
    }
}

/// The rule's own step from the device's gradients.
fn update(step: &Step, before: &Snapshot, after: &Snapshot, rule: &dyn Rule) -> f64 {
    let (mut params, mut states) = (before.params.clone(), before.states.clone());
    let all = params.iter_mut().zip(&mut states).enumerate();
    let mut trained: Vec<_> = all
        .filter_map(|(i, (w, states))| {
            let d_w = step.gradients.get(&ParamId(i))?;
            let d_w = Array::new(w.shape, d_w.clone());
            Some((w, d_w, &mut states[..]))
        })
        .collect();
    optim::reference(rule, &mut trained, &step.now);
    let off = params.iter().zip(&after.params).map(|(w, found)| distance(&found.data, &w.data));
    let pairs = states.iter().flatten().zip(after.states.iter().flatten());
    off.chain(pairs.map(|(s, found)| distance(&found.data, &s.data))).fold(0.0, f64::max)
}

/// One unit that may be on either side.
struct Edge {
    value: ValueId,
    at: usize,
    to: f64,
    share: f64,
    what: String,
}

impl Edge {
    fn flip(&self, values: &mut HashMap<ValueId, Array>) {
        values.get_mut(&self.value).unwrap().data[self.at] = self.to;
    }
}

/// Windows of a max-pool whose two largest values are nearly one, but not the same.
fn rivals(
    layer: &Layer,
    value: ValueId,
    x: &Array,
    (window, stride): ([usize; 2], [usize; 2]),
    near: f64,
) -> Vec<Edge> {
    let &[n, h, w, c] = x.shape.dims() else { unreachable!("feature maps have four dims") };
    let scale = scale(&x.data);
    let outs = |size: usize, axis: usize| {
        (0..(size - window[axis]) / stride[axis] + 1).map(move |i| i * stride[axis])
    };
    let mut edges = Vec::new();
    for (i, top) in (0..n).flat_map(|i| outs(h, 0).map(move |top| (i, top))) {
        for (left, channel) in outs(w, 1).flat_map(|left| (0..c).map(move |channel| (left, channel))) {
            let taps = (0..window[0]).flat_map(|dy| (0..window[1]).map(move |dx| (dy, dx)));
            let mut all: Vec<usize> =
                taps.map(|(dy, dx)| ((i * h + top + dy) * w + left + dx) * c + channel).collect();
            all.sort_by(|a, b| x.data[*b].total_cmp(&x.data[*a]));
            let (first, second) = (x.data[all[0]], x.data[all[1]]);
            let gap = (first - second) / scale;
            if second > 0.0 && gap > 0.0 && gap < near {
                let what =
                    format!("{} under unit {}: {gap:.1e} of the layer's scale apart", layer.name, all[1]);
                edges.push(Edge { value, at: all[1], to: first * (1.0 + 1e-15), share: gap, what });
            }
        }
    }
    edges
}

/// The root of the mean square.
fn scale(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
}

/// The layer up to its ReLU; `None` for one that has none.
fn without_relu(layer: &Layer) -> Option<Layer> {
    let mut layer = layer.clone();
    let (LayerKind::Conv2d { relu, .. } | LayerKind::Dense { relu, .. }) = &mut layer.kind else {
        return None;
    };
    std::mem::take(relu).then_some(layer)
}
