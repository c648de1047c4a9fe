//! Random integers.

use super::{KEY, check_key, check_number};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::{Prim, build};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;
use std::sync::Arc;

attributes! {
    /// `out[i] = low + ⌊u · (high − low)⌋` with u uniform: evenly in `low..high`.
    ///
    /// Shapes: `shape`. A draw has 24 bits, which bounds `high − low` by 2²⁴; up to there no product rounds to
    /// `high − low` itself. Gradient: none. Work: elementwise, from key, position and the bounds, which are data.
    pub struct Randint {
        /// The result's shape.
        shape: Vec<usize>,
        /// i32, i64 or u8.
        dtype: DType = DType::I32,
    }
}

impl Op for Randint {
    const NAME: &'static str = "randint";
    const DOC: &'static str =
        "Integers drawn evenly from `low..high` (at most 2²⁴ of them): `low + ⌊u · (high − low)⌋`.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("low", "The smallest integer."),
        InputSchema::required("high", "One more than the largest."),
        KEY,
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_number(&inputs[0], "low")?;
        check_number(&inputs[1], "high")?;
        check_key(&inputs[2])?;
        if !matches!(self.dtype, DType::I32 | DType::I64 | DType::U8) {
            return Err(Error::dtype(format!("randint draws i32, i64 or u8, not {}", self.dtype))
                .at("dtype")
                .expected("i32, i64 or u8")
                .received(self.dtype.name()));
        }
        Ok(smallvec![TensorType { dtype: self.dtype, shape: Shape::checked(&self.shape)? }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        let program = build(&[inputs[0].dtype, inputs[1].dtype, DType::I64], |x| {
            let (low, high) = (x[0].cast(DType::I64), x[1].cast(DType::I64));
            let range = (high - &low).cast(DType::F32);
            let draw = x[2].positional(Prim::Uniform, DType::F32);
            vec![(low + (draw * range).unary(Prim::Floor).cast(DType::I64)).cast(self.dtype)]
        });
        Work::Elementwise(Arc::new(program))
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn samples() -> Vec<Sample<Randint>> {
        let of = |name, shape: &[usize], low: f64, high: f64, dtype| {
            let number = |v: f64| SampleInput::of(DType::I64, [], Domain::List(vec![v]));
            let op = Randint { shape: shape.to_vec(), dtype };
            Sample::new(name, op, vec![number(low), number(high), super::key_sample()]).without_gradient()
        };
        vec![
            of("plain", &[4, 6], 0.0, 10.0, DType::I32),
            of("ragged", &[3, 7, 37], -5.0, 5.0, DType::I64),
            of("bytes", &[50], 0.0, 256.0, DType::U8),
            of("one value", &[9], 3.0, 4.0, DType::I32),
            of("wide", &[20_003], -8_000_000.0, 8_000_000.0, DType::I32),
            of("zero-sized", &[0, 3], 0.0, 10.0, DType::I32),
        ]
    }
}
