//! Pooling over windows of images: hand-written kernels, each with its companion for the gradient.

mod avg_pool2d;
mod avg_pool2d_backward;
mod max_pool2d;
mod max_pool2d_backward;
mod pixels;
mod plain;
mod windows;

#[cfg(test)]
mod tests;

pub use avg_pool2d::AvgPool2d;
pub use avg_pool2d_backward::AvgPool2dBackward;
pub use max_pool2d::MaxPool2d;
pub use max_pool2d_backward::MaxPool2dBackward;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<MaxPool2d>(),
        OpDef::of::<MaxPool2dBackward>(),
        OpDef::of::<AvgPool2d>(),
        OpDef::of::<AvgPool2dBackward>(),
    ]
}
