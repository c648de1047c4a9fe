//! Values as another dtype.

use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::{Program, build};
use fovea_core::{DType, Result, attributes};
use smallvec::smallvec;
use std::sync::{Arc, OnceLock};

attributes! {
    /// See [`Op::DOC`].
    pub struct Cast {
        /// The result's dtype.
        dtype: DType,
    }
}

const DTYPES: usize = DType::ALL.len();

/// The program from one dtype to another.
fn program(from: DType, to: DType) -> Arc<Program> {
    static PROGRAMS: [OnceLock<Arc<Program>>; DTYPES * DTYPES] = [const { OnceLock::new() }; DTYPES * DTYPES];
    PROGRAMS[from as usize * DTYPES + to as usize]
        .get_or_init(|| Arc::new(build(&[from], |x| vec![x[0].cast(to)])))
        .clone()
}

impl Op for Cast {
    const NAME: &'static str = "cast";
    const DOC: &'static str = "The same values as another dtype. Float to integer truncates and saturates (NaN gives \
        0); to bool is `x != 0`. The gradient passes between floats.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: self.dtype, shape: inputs[0].shape }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(program(inputs[0].dtype, self.dtype))
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let from = cx.input_type(0).dtype;
        let Some(g) = cx.gradient(0).filter(|_| from.is_float() && self.dtype.is_float()) else { return Ok(()) };
        let grad = if from == self.dtype { g } else { cx.apply(Cast { dtype: from }, &[g])? };
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Cast>> {
        use DType::{Bool, F32, F64, I32, I64, U8};
        let to = |dtype: DType| Cast { dtype };
        let float = |shape: &[usize]| SampleInput::float(shape).within(-90.0, 90.0);
        vec![
            Sample::new("to f64", to(F64), vec![float(&[3, 4])]),
            Sample::new("to f64, ragged", to(F64), vec![float(&[17, 3])]),
            // Rounding to f32 has no slope that differences in f64 could see.
            Sample::new("to f32", to(F32), vec![float(&[4, 3])]).without_gradient(),
            Sample::new("to i32", to(I32), vec![float(&[5, 7])]),
            Sample::new("to i64, reversed", to(I64), vec![float(&[4, 6]).reversed()]),
            Sample::new("to f64, strided", to(F64), vec![float(&[3, 9]).strided()]),
            Sample::new("to u8", to(U8), vec![float(&[11]).within(0.0, 255.0)]),
            Sample::new("to bool", to(Bool), vec![float(&[8]).values(&[0.0, -0.0, 0.5, -3.0])]),
            Sample::new("zero-sized", to(F64), vec![float(&[0, 3])]),
            Sample::new("scalar", to(F64), vec![float(&[])]),
            Sample::new("from i32", to(F32), vec![SampleInput::of(I32, [4, 5], Domain::Integers(-9, 9))]),
            Sample::new("from i64", to(F64), vec![SampleInput::of(I64, [6], Domain::Integers(-99, 99))]),
            Sample::new("from u8", to(I32), vec![SampleInput::of(U8, [7], Domain::Integers(0, 255))]),
            Sample::new("from bool", to(F32), vec![SampleInput::of(Bool, [7], Domain::Bools)]),
        ]
    }
}
