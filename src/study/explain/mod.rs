//! The plan for people: one row per layer with what it computes, what it skips and why, and totals beside the same
//! model with nothing frozen.

pub mod edges;
pub mod listing;
mod text;

use serde::Serialize;

use self::edges::Edge;
pub use self::text::thousands;
use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::fit::fit;
use crate::graph::plan::{Memory, Plan};
use crate::graph::{Graph, Settings, Sweep, Why};
use crate::nn::network::Ends;
use crate::nn::{Architecture, Freeze, Network};
use crate::ops::Precision;
use crate::optim::RuleRef;
use crate::shape::Shape;

/// A training setting: what is explained.
#[derive(Clone, Debug)]
pub struct Setting {
    pub architecture: Architecture,
    pub freeze: Freeze,
    /// Samples of one step.
    pub batch: usize,
    pub rule: RuleRef,
    /// Bytes that the plan may take.
    pub memory: u64,
    pub precision: Precision,
}

/// One layer of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub layer: String,
    pub op: &'static str,
    /// Part of the base, not of the head.
    pub base: bool,
    /// Output shape with the batch.
    pub output: String,
    pub parameters: u64,
    pub trainable: bool,
    /// The layer whose kernels do this one's work as well.
    pub inside: Option<String>,
    /// Floating-point operations of one step.
    pub forward_flops: u64,
    pub backward_flops: u64,
    pub d_w: Why,
    pub d_x: Why,
    /// Bytes that the forward pass leaves for the backward pass.
    pub kept_bytes: u64,
    /// Each gradient that the layer could have.
    pub edges: Vec<Edge>,
}

/// Sums over a model.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    pub parameters: u64,
    pub frozen: u64,
    pub trainable: u64,
    pub forward_flops: u64,
    pub backward_flops: u64,
    pub kept_bytes: u64,
    pub memory: Memory,
}

/// What a step computes and skips. Displayed, it is the table of `frostline plan`.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub batch: usize,
    /// Samples per pass; smaller than `batch` where limits ask for micro-batches.
    pub micro_batch: usize,
    /// The freezing choice in words.
    pub frozen: String,
    pub rows: Vec<Row>,
    pub totals: Totals,
    /// The same model with every layer trainable.
    pub nothing_frozen: Totals,
    /// Floating-point operations of the base's layers, forward and backward, two for each multiply-add.
    pub base_flops: u64,
    pub base_flops_nothing_frozen: u64,
}

impl Explanation {
    /// Explains a setting beside the same one with nothing frozen, for the limits that WebGPU guarantees. No device.
    ///
    /// ```
    /// use frostline::nn::{Freeze, Head, Preprocessing, vgg};
    /// use frostline::ops::Precision;
    /// use frostline::study::explain::{Explanation, Setting};
    /// let head = Head { hidden: vec![1024, 1024], classes: 16, ..Head::default() };
    /// let setting = Setting {
    ///     architecture: vgg::with_head("vgg19", 256, Preprocessing::Caffe, &head)?,
    ///     freeze: Freeze::Index(5),
    ///     batch: 16,
    ///     rule: std::sync::Arc::new(frostline::optim::Sgd::default()),
    ///     memory: u64::MAX,
    ///     precision: Precision::F32,
    /// };
    /// let explanation = Explanation::of(&setting)?;
    /// assert_eq!(format!("{:.1}", 100.0 * explanation.base_saved()), "12.8");
    /// # Ok::<(), frostline::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// A freezing choice that names no layer, or a size that no adapter holds.
    pub fn of(setting: &Setting) -> Result<Explanation> {
        let Setting { architecture, batch, .. } = setting;
        let batch = (*batch).max(1);
        let planned = |freeze: &Freeze| -> Result<(Graph, Plan)> {
            let graph = Network::new(architecture.clone(), freeze, 0.0)?.graph;
            let ends = Ends::of(&graph).expect("a network has a loss");
            let outputs = vec![ends.losses, ends.probabilities];
            let rule = Some(setting.rule.clone());
            let precision = setting.precision;
            let settings =
                Settings { batch, training: true, rule, outputs, precision, ..Settings::default() };
            let caps = Caps { f16: true, ..Caps::default() };
            let plan = match fit(&graph, &caps, settings.clone(), setting.memory) {
                // What is only compared with need not run, where a layer that would train wants the whole batch.
                Err(Error::Shape { .. }) if *freeze != setting.freeze => {
                    let caps = Caps { max_binding: u64::MAX, max_buffer: u64::MAX, ..caps };
                    Plan::new(&graph, &caps, settings)?
                }
                fitted => fitted?,
            };
            Ok((graph, plan))
        };
        let ((graph, plan), (full_graph, full)) = (planned(&setting.freeze)?, planned(&Freeze::None)?);
        let rows = rows(&graph, &plan, batch, architecture);
        let full_rows = self::rows(&full_graph, &full, batch, architecture);
        Ok(Explanation {
            batch,
            micro_batch: plan.settings.batch,
            frozen: setting.freeze.to_string(),
            totals: totals(&plan, &rows),
            nothing_frozen: totals(&full, &full_rows),
            base_flops: base_flops(&rows),
            base_flops_nothing_frozen: base_flops(&full_rows),
            rows,
        })
    }

    /// Share of the backward operations that freezing saves, 0 to 1.
    pub fn backward_saved(&self) -> f64 {
        saved(self.totals.backward_flops, self.nothing_frozen.backward_flops)
    }

    /// Share of the planned memory that freezing saves, 0 to 1.
    pub fn memory_saved(&self) -> f64 {
        saved(self.totals.memory.total(), self.nothing_frozen.memory.total())
    }

    /// Share of the base's multiply-adds, forward and backward, that freezing saves, 0 to 1.
    pub fn base_saved(&self) -> f64 {
        saved(self.base_flops, self.base_flops_nothing_frozen)
    }

    /// Every gradient that some layer could have, from the first layer to the last.
    pub fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.rows.iter().flat_map(|row| &row.edges)
    }
}

fn base_flops(rows: &[Row]) -> u64 {
    rows.iter().filter(|row| row.base).map(|row| row.forward_flops + row.backward_flops).sum()
}

fn saved(now: u64, before: u64) -> f64 {
    1.0 - now as f64 / before.max(1) as f64
}

fn rows(graph: &Graph, plan: &Plan, batch: usize, architecture: &Architecture) -> Vec<Row> {
    let settings = Settings { batch, ..plan.settings.clone() };
    let sweep = Sweep::of(graph);
    let kept = plan.kept(graph);
    let in_base =
        |name: &str| architecture.layers[..architecture.base].iter().any(|layer| layer.name == name);
    let nodes = graph.nodes.iter().zip(&sweep.nodes).enumerate();
    let host = |i| {
        let inside = plan.inside.iter().find(|inside| inside.node.0 == i)?;
        Some(graph.nodes[inside.host.0].name.clone())
    };
    let row = |(i, (node, decision)): (usize, (&crate::graph::Node, &crate::graph::grad::NodeSweep))| {
        let shapes = graph.x_shapes(node, batch);
        let flops = 2 * node.op.macs(&shapes);
        let gradients = u64::from(decision.wants.d_x[0]) + u64::from(decision.d_w.is_computed());
        let numel = |p: &crate::graph::ParamId| graph.params[p.0].spec.shape.numel();
        Row {
            layer: node.name.clone(),
            op: node.op.kind(),
            base: in_base(&node.name),
            output: Shape::to_string(&graph.shape(node.y, batch)),
            parameters: node.params.iter().map(numel).sum(),
            trainable: graph.trains(node),
            inside: host(i),
            forward_flops: flops,
            backward_flops: flops * gradients,
            d_w: decision.d_w.clone(),
            d_x: decision.d_x[0].clone(),
            kept_bytes: kept.get(&i).copied().unwrap_or(0),
            edges: edges::of(graph, node, decision, &settings),
        }
    };
    nodes.map(row).collect()
}

fn totals(plan: &Plan, rows: &[Row]) -> Totals {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum::<u64>();
    let trainable = rows.iter().filter(|row| row.trainable).map(|row| row.parameters).sum();
    let parameters = sum(|row| row.parameters);
    Totals {
        parameters,
        trainable,
        frozen: parameters - trainable,
        forward_flops: sum(|row| row.forward_flops),
        backward_flops: sum(|row| row.backward_flops),
        kept_bytes: sum(|row| row.kept_bytes),
        memory: plan.memory(),
    }
}
