//! Ops that read and add at places that other tensors name. Places are checked on the CPU.

mod embedding;
mod embedding_backward;
mod gather;
mod index_add;
mod index_select;
mod places;
mod scatter;
mod scatter_add;
mod slices;

#[cfg(test)]
mod tests;

pub use embedding::Embedding;
pub use embedding_backward::EmbeddingBackward;
pub use gather::Gather;
pub use index_add::IndexAdd;
pub use index_select::IndexSelect;
pub(crate) use places::{check_index_type, checked_index, for_each_dtype, offsets};
pub use scatter::Scatter;
pub use scatter_add::ScatterAdd;

use fovea_core::op::OpDef;

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<Gather>(),
        OpDef::of::<Scatter>(),
        OpDef::of::<ScatterAdd>(),
        OpDef::of::<IndexSelect>(),
        OpDef::of::<IndexAdd>(),
        OpDef::of::<Embedding>(),
        OpDef::of::<EmbeddingBackward>(),
    ]
}
