//! Fovea's core: dtypes, shapes, the lazy graph, the op contract, autodiff, fusion and plans.
//!
//! It knows no op and no device by name and calls no operating system.

pub mod attributes;
pub mod contraction;
pub mod device;
pub mod dtype;
pub mod error;
pub mod graph;
pub mod op;
pub mod plan;
pub mod profile;
pub mod sample;
pub mod scalar;
pub mod shape;

pub use dtype::DType;
pub use error::{Error, ErrorKind, Result};
pub use op::{Op, TensorType};
pub use shape::{Layout, Shape};
