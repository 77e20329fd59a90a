//! Every layer's results on a batch, forward only.
//!
//! ```
//! use frostline::{error::Result, graph::Store, nn::Network, study::layers::Layers};
//! /// `pixels` are those of two images, (2, h, w, 3).
//! fn means(network: &Network, store: &mut Store, pixels: &[u8]) -> Result<()> {
//!     for layer in Layers::new(network, store, 2)?.run(pixels, 2)? {
//!         let mean = layer.values.iter().sum::<f32>() / layer.values.len() as f32;
//!         println!("{} {:?}: {mean}", layer.name, layer.size);
//!     }
//!     Ok(())
//! }
//! ```

use crate::error::Result;
use crate::graph::role::Role;
use crate::graph::{Plan, Program, Settings, Store, ValueId};
use crate::nn::Network;
use crate::ops::Now;
use crate::study::probe::{Start, body};

/// A bound network whose layers' results all survive the pass.
pub struct Layers {
    program: Program,
    input: ValueId,
    batch: usize,
}

/// One layer's results.
#[derive(Clone, Debug)]
pub struct LayerValues {
    pub name: String,
    /// (h, w, channels); (1, 1, width) of a vector.
    pub size: [usize; 3],
    /// (n, h, w, channels) row-major.
    pub values: Vec<f32>,
}

impl Layers {
    /// Binds `network` from pixels to logits for `batch` samples, without dropout.
    ///
    /// # Errors
    /// The device does not hold all results of a batch; use a smaller one.
    pub fn new(network: &Network, store: &mut Store, batch: usize) -> Result<Layers> {
        let graph = body(network, network.logits(), Start::Pixels)?;
        let made = graph.nodes.iter().filter(|node| !node.op.is_view(false));
        let outputs = made.map(|node| Role::Activation(node.y)).collect();
        let settings = Settings { batch, outputs, ..Settings::default() };
        let plan = Plan::new(&graph, store.device().caps(), settings)?;
        let input = graph.inputs().next().expect("a body has an input");
        Ok(Layers { program: Program::new(&graph, plan, store)?, input, batch })
    }

    /// The results of `n` samples given as pixels (n, h, w, 3), layer by layer.
    ///
    /// # Panics
    /// `n` is more than the batch.
    ///
    /// # Errors
    /// The device is lost.
    pub fn run(&mut self, pixels: &[u8], n: usize) -> Result<Vec<LayerValues>> {
        assert!(n <= self.batch, "{n} samples in a batch of {}", self.batch);
        self.program.feed(self.input, pixels);
        self.program.run(n, &Now::default(), 0)?;
        let graph = self.program.graph();
        let made = graph.nodes.iter().filter(|node| !node.op.is_view(false));
        made.map(|node| {
            let shape = graph.values[node.y.0].shape;
            let size = match *shape.dims() {
                [_, h, w, c] => [h, w, c],
                _ => [1, 1, shape.numel() as usize],
            };
            let values = self.program.read(Role::Activation(node.y), n as u64 * shape.numel())?;
            Ok(LayerValues { name: node.name.clone(), size, values })
        })
        .collect()
    }
}
