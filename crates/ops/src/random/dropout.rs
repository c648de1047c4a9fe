//! Dropout.

use super::{KEY, check_key, check_number};
use fovea_core::graph::Backward;
use fovea_core::graph::primitives::Map;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::scalar::{Expr, Prim, build};
use fovea_core::{DType, Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;
use std::sync::{Arc, OnceLock};

attributes! {
    /// `y = x / (1 − p)` where a uniform draw is p or more, else 0; 0 everywhere for p = 1. Srivastava et al.,
    /// "Dropout", JMLR 15, 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    ///
    /// Shapes: x any, p a number; result x's.
    ///
    /// Gradient: the same op with the same key on g, so the same elements; nothing is saved. Work: elementwise, from
    /// key, position and p, which is data.
    pub struct Dropout {}
}

const DTYPES: usize = DType::ALL.len();

/// (x, p, key). The factor is finite for p = 1, so that what is dropped is 0.
fn program(dtype: DType, p: DType) -> Arc<Map> {
    static MAPS: [OnceLock<Arc<Map>>; DTYPES * DTYPES] = [const { OnceLock::new() }; DTYPES * DTYPES];
    let make = || {
        Map::new(
            "dropout",
            build(&[dtype, p, DType::I64], |v| {
                let draw = v[2].positional(Prim::Uniform, DType::F32);
                let kept = draw.ge(&v[1].cast(DType::F32));
                let p = v[1].cast(dtype);
                let one = p.constant(1.0);
                let zero: Expr = p.constant(0.0);
                let factor = p.lt(&one).select(&(&one / (&one - &p)), &zero);
                vec![kept.select(&v[0], &zero) * factor]
            }),
        )
    };
    MAPS[dtype as usize * DTYPES + p as usize].get_or_init(make).clone()
}

impl Op for Dropout {
    const NAME: &'static str = "dropout";
    const DOC: &'static str = "Elements set to 0 with probability p, the others divided by 1 − p. Srivastava et al., JMLR \
        2014. The gradient drops the same elements.";
    const INPUTS: &'static [InputSchema] =
        &[InputSchema::required("x", "Activations."), InputSchema::required("p", "Probability of 0, a number."), KEY];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let x = &inputs[0];
        check_number(&inputs[1], "p")?;
        check_key(&inputs[2])?;
        if !x.dtype.is_float() {
            return Err(Error::dtype(format!("dropout takes f32 or f64, x is {}; cast it with to('f32')", x.dtype))
                .at("x")
                .expected("f32 or f64")
                .received(x.dtype.name()));
        }
        Ok(smallvec![*x])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Elementwise(program(inputs[0].dtype, inputs[1].dtype).program().clone())
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        if cx.wants(0) {
            let (p, key) = (cx.input(1), cx.input(2));
            let grad = cx.apply(Dropout {}, &[g, p, key])?;
            cx.set(0, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Dropout>> {
        let of = |name, x: SampleInput, p: f64| {
            let p = SampleInput::of(DType::F32, [], Domain::List(vec![p]));
            Sample::new(name, Dropout {}, vec![x, p, super::key_sample()])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("half", x(&[4, 6]), 0.5),
            of("ragged", x(&[3, 7, 37]), 0.2),
            of("nothing dropped", x(&[5, 9]), 0.0),
            of("everything dropped", x(&[5, 9]), 1.0),
            of("zero-sized", x(&[0, 3]), 0.5),
            of("reversed", x(&[4, 5, 6]).reversed(), 0.5),
            of("strided", x(&[4, 9]).strided(), 0.5),
        ]
    }
}
