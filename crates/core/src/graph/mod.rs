//! The lazy graph: nodes, variables, recording, gradients and the evaluation of what is pending.
//!
//! A [`Graph`] belongs to one thread. It plans on that thread and hands [`Job`]s to whoever runs them; the values of a
//! job are there as soon as it is handed over, as cells that the job fills.

mod accumulate;
mod backward;
mod build;
mod cell;
mod evaluate;
mod job;
mod key;
mod lifetime;
mod node;
pub mod primitives;
mod reach;
mod rule;
mod stages;
mod variable;

pub use backward::{Progress, Request};
pub use build::Build;
pub use cell::{Cell, Value};
pub use job::Job;
pub use node::{Graph, Val};
pub use rule::Backward;
pub use variable::VariableId;

/// Values of at most this many elements, made outside modules, are materialised (S6).
pub const SMALL: usize = 1024;

/// Pending bytes at which the graph asks to be flushed (S5).
pub const PENDING_LIMIT: u64 = 4 << 30;
