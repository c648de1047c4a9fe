//! Random draws (Philox 4×32-10). A draw is a function of its key and of each element's position, so that a value
//! computed again is the same (S4). Keys come as the input `key`.

mod bernoulli;
mod dropout;
mod normal;
mod randint;
mod uniform;

#[cfg(test)]
mod tests;

pub use bernoulli::Bernoulli;
pub use dropout::Dropout;
pub use normal::Normal;
pub use randint::Randint;
pub use uniform::Uniform;

use fovea_core::op::{InputSchema, OpDef};
use fovea_core::{DType, Error, Result, Shape, TensorType};

pub fn ops() -> Vec<OpDef> {
    vec![
        OpDef::of::<Uniform>(),
        OpDef::of::<Normal>(),
        OpDef::of::<Bernoulli>(),
        OpDef::of::<Randint>(),
        OpDef::of::<Dropout>(),
    ]
}

const KEY: InputSchema = InputSchema::required("key", "State of the random generator.");

/// A key is a number of its own kind.
fn check_key(key: &TensorType) -> Result<()> {
    if *key == TensorType::new(DType::I64, Shape::SCALAR) {
        return Ok(());
    }
    Err(Error::argument("key must be a random key").at("key").expected("a random key").received(key.shape.to_string()))
}

/// Draws are floats.
fn check_float(dtype: DType) -> Result<()> {
    if dtype.is_float() {
        return Ok(());
    }
    Err(Error::dtype(format!("draws are f32 or f64, not {dtype}"))
        .at("dtype")
        .expected("f32 or f64")
        .received(dtype.name()))
}

/// `ty`, named `name`, is a number or one element.
fn check_number(ty: &TensorType, name: &str) -> Result<()> {
    if ty.shape.rank() == 0 {
        return Ok(());
    }
    Err(Error::shape(format!("{name} must be a number, got a tensor of shape {}", ty.shape))
        .at(name)
        .expected("a number")
        .received(ty.shape.to_string()))
}

/// Stands for a key in samples: an i64 scalar that tests replace by a key.
fn key_sample() -> fovea_core::sample::SampleInput {
    fovea_core::sample::SampleInput::of(DType::I64, [], fovea_core::sample::Domain::List(vec![1.0]))
}
