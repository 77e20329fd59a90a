//! Fusing: before a graph is lowered, an op takes its neighbour into its own kernels where it can.
//!
//! The tensor between the two is then never stored. That is only done where nothing else needs it: no other layer reads
//! it, and it is no output. The interpreter and everything that people see keep to the graph as it was built.

use crate::graph::builder::{Graph, NodeId, ValueId};
use crate::graph::role::Role;

/// A node whose work is done inside of its neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    pub node: NodeId,
    pub host: NodeId,
}

/// The graph that is lowered in place of `graph`, and which of its nodes went into others. All ids keep their meaning:
/// the host reads the earlier value and makes the later one, and the place of the other node stays, with nothing to read
/// and nobody to need it.
pub fn fuse(graph: &Graph, outputs: &[Role]) -> (Graph, Vec<Inside>) {
    let mut fused = graph.clone();
    let mut all = Vec::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let &[between] = &node.x[..] else { continue };
        let Some(first) = fused.values[between.0].node else { continue };
        let second = NodeId(i);
        if needed_elsewhere(graph, between, [first, second], outputs) {
            continue;
        }
        if let Some(op) = fused.nodes[first.0].op.with_next(&*node.op) {
            fused.nodes[first.0].op = op;
            fused.nodes[first.0].y = node.y;
            fused.values[node.y.0].node = Some(first);
            fused.nodes[i].x.clear();
            fused.nodes[i].y = between;
            fused.values[between.0].node = Some(second);
            all.push(Inside { node: second, host: first });
        } else if let Some(op) = node.op.with_previous(&*fused.nodes[first.0].op) {
            fused.nodes[i].op = op;
            fused.nodes[i].x = std::mem::take(&mut fused.nodes[first.0].x);
            all.push(Inside { node: first, host: second });
        }
    }
    (fused, all)
}

/// Whether anybody but the second of two neighbours needs the value between them, its gradient, or what the two keep.
fn needed_elsewhere(graph: &Graph, between: ValueId, two: [NodeId; 2], outputs: &[Role]) -> bool {
    let readers = graph.nodes.iter().filter(|node| node.x.contains(&between)).count();
    let of_the_two = [Role::Activation(between), Role::Aux(two[0]), Role::Aux(two[1])];
    readers > 1 || graph.wanted.contains(&between) || outputs.iter().any(|output| of_the_two.contains(output))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::Sweep;
    use crate::ops::conv2d::Conv2d;
    use crate::ops::{Dtype, MaxPool2d, Preprocess};
    use crate::shape::Shape;

    fn convolution_and_pool() -> (Graph, [ValueId; 3]) {
        let mut graph = Graph::default();
        let x = graph.input("x", Shape::new(&[1, 8, 8, 4]), Dtype::F32);
        let z = graph.push("conv", Arc::new(Conv2d::vgg(8)), &[x]).unwrap();
        let y = graph.push("pool", Arc::new(MaxPool2d::vgg()), &[z]).unwrap();
        (graph, [x, z, y])
    }

    #[test]
    fn a_pool_goes_into_the_convolution_before_it() {
        let (graph, [x, _, y]) = convolution_and_pool();
        let (fused, inside) = fuse(&graph, &[Role::Activation(y)]);
        assert_eq!(inside, [Inside { node: NodeId(1), host: NodeId(0) }]);
        assert_eq!((&fused.nodes[0].x[..], fused.nodes[0].y), (&[x][..], y));
        assert!(!Sweep::of(&fused).nodes[1].wants.any());
    }

    #[test]
    fn preprocessing_goes_into_the_convolution_behind_it_which_takes_the_pool_too() {
        let offset = [-103.939, -116.779, -123.68];
        let op = Preprocess { order: [2, 1, 0], scale: [1.0; 3], offset, pixels: Dtype::U8 };
        let mut graph = Graph::default();
        let image = graph.input("image", Shape::new(&[1, 8, 8, 3]), Dtype::U8);
        let x = graph.push("preprocess", Arc::new(op), &[image]).unwrap();
        let z = graph.push("conv", Arc::new(Conv2d::vgg(8)), &[x]).unwrap();
        let y = graph.push("pool", Arc::new(MaxPool2d::vgg()), &[z]).unwrap();
        let (fused, inside) = fuse(&graph, &[Role::Activation(y)]);
        let into = |node| Inside { node: NodeId(node), host: NodeId(1) };
        assert_eq!(inside, [into(0), into(2)]);
        assert_eq!((&fused.nodes[1].x[..], fused.nodes[1].y), (&[image][..], y));
        graph.want_gradient(x);
        assert_eq!(fuse(&graph, &[Role::Activation(y)]).1, [into(2)], "somebody wants its gradient");
    }

    #[test]
    fn what_is_read_elsewhere_stays() {
        let (mut graph, [_, z, y]) = convolution_and_pool();
        assert!(fuse(&graph, &[Role::Activation(y), Role::Activation(z)]).1.is_empty(), "z is an output");
        assert!(fuse(&graph, &[Role::Aux(NodeId(1))]).1.is_empty(), "somebody wants the positions");
        graph.push("other", Arc::new(Conv2d::vgg(4)), &[z]).unwrap();
        assert!(fuse(&graph, &[Role::Activation(y)]).1.is_empty(), "z has two readers");
    }
}
