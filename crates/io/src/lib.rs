//! File formats. Every decoder checks sizes before it allocates and refuses what doesn't add up.

pub mod idx;
pub mod safetensors;
