//! Matrix products and convolutions: ops whose work is a contraction, closed under differentiation.

mod contract;
mod conv2d;
mod conv2d_weight_gradient;
mod conv_transpose2d;
mod geometry;
mod matmul;

#[cfg(test)]
mod tests;

pub use contract::{Contract, Labels};
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use conv2d_weight_gradient::Conv2dWeightGradient;
pub use matmul::Matmul;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<Matmul>(),
        OpDef::of::<Conv2d>(),
        OpDef::of::<ConvTranspose2d>(),
        OpDef::of::<Conv2dWeightGradient>(),
    ]
}
