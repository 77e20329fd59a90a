//! A graph run by the ops' plain-loop references, in f64: the specification of a whole training step.

use std::collections::HashMap;

use crate::graph::builder::{Graph, NodeId, ParamId, ValueId};
use crate::graph::draft::layer_key;
use crate::graph::grad::Sweep;
use crate::ops::{Array, Given, Now};
use crate::optim::{self, Rule};
use crate::shape::Shape;

/// Parameters and optimizer state of a graph, in f64.
pub struct Interpreter<'a> {
    graph: &'a Graph,
    pub params: Vec<Array>,
    states: Vec<Vec<Array>>,
}

/// The results of a forward and backward pass.
pub struct Pass {
    pub values: HashMap<ValueId, Array>,
    /// Gradients of the parameters that train.
    pub d_params: HashMap<ParamId, Array>,
    /// What the layers made of parameters that no gradient moves.
    pub moved: HashMap<ParamId, Array>,
}

impl<'a> Interpreter<'a> {
    /// Starts from `params`, in the order of the graph's parameters.
    pub fn new(graph: &'a Graph, params: Vec<Array>, rule: &dyn Rule) -> Interpreter<'a> {
        let zeros = |p: &Array| vec![Array::zeros(p.shape); optim::states(rule)];
        let states = params.iter().map(zeros).collect();
        Interpreter { graph, params, states }
    }

    /// Forward, then backward along the edges that the gradient sweep found to be needed.
    ///
    /// # Panics
    /// An input of the graph is missing.
    pub fn pass(&self, inputs: &HashMap<ValueId, Array>, now: &Now) -> Pass {
        let (mut values, mut moved) = (inputs.clone(), HashMap::new());
        for node in &self.graph.nodes {
            let (x, params) = self.operands(node, &values);
            let layer = layer_key(&node.name);
            let given = Given { x: &x, params: &params, now, trains: self.graph.trains(node), layer };
            values.insert(node.y, node.op.reference(given));
            if given.trains {
                let places = node.op.reference_moved(given).into_iter();
                moved.extend(places.map(|(i, value)| (node.params[i], value)));
            }
        }
        let d_params = self.backward(&values, now);
        Pass { values, d_params, moved }
    }

    /// Gradients of the parameters that train, from the values of a forward pass.
    pub fn backward(&self, values: &HashMap<ValueId, Array>, now: &Now) -> HashMap<ParamId, Array> {
        let sweep = Sweep::of(self.graph);
        let mut d_values: HashMap<ValueId, Array> = HashMap::new();
        let mut d_params = HashMap::new();
        for (i, node) in self.graph.nodes.iter().enumerate().rev() {
            let wants = &sweep.nodes[NodeId(i).0].wants;
            if !wants.any() {
                continue;
            }
            let (x, params) = self.operands(node, values);
            let y = &values[&node.y];
            // A loss reads no incoming gradient; what nobody has written yet is zero.
            let d_y = d_values.remove(&node.y).unwrap_or_else(|| Array::zeros(y.shape));
            let trains = self.graph.trains(node);
            let given = Given { x: &x, params: &params, now, trains, layer: layer_key(&node.name) };
            let gradients = node.op.reference_backward(given, y, &d_y);
            for ((x, d_x), _) in node.x.iter().zip(gradients.d_x).zip(&wants.d_x).filter(|(_, w)| **w) {
                add(&mut d_values, *x, d_x.expect("a wanted gradient exists"));
            }
            let wanted = node.params.iter().zip(gradients.d_params).zip(&wants.d_params).filter(|(_, w)| **w);
            d_params.extend(wanted.map(|((param, d), _)| (*param, d)));
        }
        d_params
    }

    /// One optimizer step with the gradients of a pass, and what the pass itself has moved.
    pub fn update(&mut self, pass: &Pass, rule: &dyn Rule, now: &Now) {
        for (param, value) in &pass.moved {
            self.params[param.0] = value.clone();
        }
        let all = self.params.iter_mut().zip(&mut self.states).enumerate();
        let mut trained: Vec<_> = all
            .filter_map(|(i, (w, states))| {
                Some((w, pass.d_params.get(&ParamId(i))?.clone(), &mut states[..]))
            })
            .collect();
        optim::reference(rule, &mut trained, now);
    }

    fn operands(
        &self,
        node: &crate::graph::Node,
        values: &HashMap<ValueId, Array>,
    ) -> (Vec<Array>, Vec<Array>) {
        let x = node.x.iter().map(|x| values[x].clone()).collect();
        (x, node.params.iter().map(|p| self.params[p.0].clone()).collect())
    }
}

fn add(gradients: &mut HashMap<ValueId, Array>, value: ValueId, d: Array) {
    match gradients.get_mut(&value) {
        Some(sum) => sum.data.iter_mut().zip(&d.data).for_each(|(sum, d)| *sum += d),
        None => {
            gradients.insert(value, d);
        }
    }
}

/// f32 values as an array of the references.
pub fn array(shape: Shape, values: &[f32]) -> Array {
    Array::new(shape, values.iter().map(|&v| f64::from(v)).collect())
}
