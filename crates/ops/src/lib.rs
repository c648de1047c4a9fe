//! Every op of Fovea, one folder per family and one file per op, and the one list that names them all.

#[cfg(test)]
mod computing;
pub mod contraction;
pub mod creation;
pub mod indexing;
pub mod loss;
mod maps;
pub mod movement;
pub mod normalization;
pub mod ordering;
mod parallel;
pub mod pooling;
pub mod random;
#[cfg(test)]
mod recording;
pub mod reduction;
pub mod scalar;

use fovea_core::op::OpDef;

/// Every op, in the order of their numbers at the native boundary.
pub fn all() -> Vec<OpDef> {
    [
        scalar::ops(),
        movement::ops(),
        creation::ops(),
        reduction::ops(),
        contraction::ops(),
        pooling::ops(),
        normalization::ops(),
        loss::ops(),
        indexing::ops(),
        ordering::ops(),
        random::ops(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
