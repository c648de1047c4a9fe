//! Reductions over dimensions. Each public op is a composition over [`Reduce`], the one op that reduces.

mod any_all;
mod argmax_argmin;
mod max_min;
mod mean;
mod prod;
mod reduce;
mod samples;
mod sum;
#[cfg(test)]
mod tests;
mod variance;

pub use any_all::{All, Any};
pub use argmax_argmin::{ArgMax, ArgMin};
pub use max_min::{Max, Min};
pub use mean::Mean;
pub use prod::Prod;
pub use reduce::Reduce;
pub use sum::Sum;
pub use variance::Variance;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<Sum>(),
        OpDef::of::<Prod>(),
        OpDef::of::<Max>(),
        OpDef::of::<Min>(),
        OpDef::of::<Mean>(),
        OpDef::of::<Variance>(),
        OpDef::of::<ArgMax>(),
        OpDef::of::<ArgMin>(),
        OpDef::of::<Any>(),
        OpDef::of::<All>(),
    ]
}
