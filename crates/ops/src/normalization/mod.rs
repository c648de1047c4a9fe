//! Normalisation: softmax and its logarithm, batch and layer normalisation.
//!
//! The ops here are compositions. Their last step is an elementwise op that takes the statistics as inputs and gives
//! the whole gradient towards x, the part through the statistics included: that saves the passes which
//! differentiating each statistic by itself would cost. The rules are recorded in terms of the statistics' own nodes,
//! which depend on x as usual, so that second order is right as well.

mod batch_norm;
mod layer_norm;
mod log_softmax;
mod softmax;
mod standardize;
mod statistics;

#[cfg(test)]
mod tests;

pub use batch_norm::BatchNorm;
pub use layer_norm::LayerNorm;
pub use log_softmax::LogSoftmax;
pub(crate) use log_softmax::log_softmax;
pub use softmax::Softmax;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![OpDef::of::<Softmax>(), OpDef::of::<LogSoftmax>(), OpDef::of::<BatchNorm>(), OpDef::of::<LayerNorm>()]
}
