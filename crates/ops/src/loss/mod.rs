//! Losses that are more than a line of other ops.

mod cross_entropy;
mod programs;
mod target;

#[cfg(test)]
mod tests;

pub use cross_entropy::CrossEntropy;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<CrossEntropy>()]
}
