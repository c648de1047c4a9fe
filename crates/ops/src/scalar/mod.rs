//! Scalar ops: a table with one line for each, `clamp` and `cast`.
//!
//! Kernels, WGSL, gradients, TypeScript functions, documentation and tests follow from a line of `table.rs`. Second
//! derivatives come from the symbolic derivative of the gradient's program.

mod activations;
mod cast;
mod clamp;
mod definition;
mod functions;
mod op;
mod programs;
mod samples;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use cast::Cast;
pub use clamp::Clamp;
pub use table::record;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    op::all().iter().map(op::ScalarOp::definition).chain([OpDef::of::<Clamp>(), OpDef::of::<Cast>()]).collect()
}
