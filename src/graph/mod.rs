//! From layers to work: the graph, the gradient sweep, the cut, the plan and the program.
//!
//! ```
//! use std::sync::Arc;
//!
//! use frostline::gpu::Caps;
//! use frostline::graph::{Graph, Plan, Role, Settings, Sweep, text::text};
//! use frostline::ops::{Dtype, SoftmaxCrossEntropy, dense::Dense};
//! use frostline::{optim::Sgd, shape::Shape};
//!
//! let mut graph = Graph::default();
//! let x = graph.input("x", Shape::new(&[1, 12]), Dtype::F32); // a leading 1 stands for the batch
//! let hidden = graph.push("hidden", Arc::new(Dense::new(8, true)), &[x])?;
//! let logits = graph.push("logits", Arc::new(Dense::new(3, false)), &[hidden])?;
//! let labels = graph.input("labels", Shape::new(&[1]), Dtype::U32);
//! let weights = graph.input("weights", Shape::new(&[1]), Dtype::F32);
//! let loss = graph.push("loss", Arc::new(SoftmaxCrossEntropy::default()), &[logits, labels, weights])?;
//!
//! graph.set_trainable(|layer| layer == "logits");
//! let decisions = Sweep::of(&graph).nodes;
//! assert_eq!(decisions[1].d_w.to_string(), "trains");
//! assert_eq!(decisions[1].d_x[0].to_string(), "nothing below it trains");
//!
//! let rule = Some(Arc::new(Sgd::default()) as _);
//! let outputs = vec![Role::Activation(loss)];
//! let settings = Settings { batch: 4, training: true, rule, outputs, ..Settings::default() };
//! let plan = Plan::new(&graph, &Caps::default(), settings)?;
//! assert!(!text(&graph, &plan).contains("d hidden/kernel"));
//! println!("{} bytes, step by step:\n{}", plan.memory().total(), text(&graph, &plan));
//! # Ok::<(), frostline::error::Error>(())
//! ```

pub mod builder;
pub mod choices;
pub mod cut;
pub mod draft;
pub mod fit;
pub mod fuse;
pub mod grad;
pub mod interpreter;
pub mod names;
pub mod plan;
pub mod program;
pub mod role;
pub mod settings;
pub mod share;
pub mod slots;
pub mod store;
pub mod text;
pub mod watch;

pub use builder::{Graph, Node, NodeId, Param, ParamId, ValueId};
pub use choices::Choices;
pub use grad::{Sweep, Why};
pub use plan::Plan;
pub use program::Program;
pub use role::{Owner, Role};
pub use settings::Settings;
pub use store::Store;
