//! Ops that move elements without computing: views, pad, concat.

mod concat;
pub mod dims;
mod expand;
mod flip;
mod pad;
mod permute;
mod reshape;
mod slice;
#[cfg(test)]
mod tests;

pub use concat::Concat;
pub use expand::Expand;
pub use flip::Flip;
pub use pad::Pad;
pub use permute::Permute;
pub use reshape::Reshape;
pub use slice::Slice;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<Reshape>(),
        OpDef::of::<Permute>(),
        OpDef::of::<Expand>(),
        OpDef::of::<Slice>(),
        OpDef::of::<Flip>(),
        OpDef::of::<Pad>(),
        OpDef::of::<Concat>(),
    ]
}
