//! From layers to work: the graph, the gradient sweep, the cut, the plan and the program.

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
