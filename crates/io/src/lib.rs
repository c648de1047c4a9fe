//! File formats. Every decoder checks sizes before it allocates and refuses what doesn't add up.
//!
//! What a decoder allocates is bounded by the size of the file: compressed content may expand to
//! [`archive::EXPANSION`] times the file and [`archive::ALLOWANCE`] bytes, an image to its limit of pixels.

pub mod archive;
pub mod array;
pub mod file;
pub mod idx;
pub mod image;
pub mod npy;
pub mod npz;
pub mod pth;
pub mod safetensors;
