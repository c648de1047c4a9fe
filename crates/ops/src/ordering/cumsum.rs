//! Running sums.

use crate::indexing::offsets;
use crate::movement::Flip;
use crate::movement::dims::dimension;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[…, i, …] = Σ_{j ≤ i} x[…, j, …]` along `dim`.
    ///
    /// Shapes: any; the result has x's.
    ///
    /// Gradient: the running sum from the end. Work: a kernel, parallel over the dimensions before `dim`, in order along
    /// it. f32 is added in f64 and rounded for each element, so that long sums keep their digits.
    pub struct Cumsum {
        /// The dimension to walk along; negative ones count from the end.
        dim: i64 = -1,
    }
}

/// Elements that are added: in what, and what comes out.
trait Summand: Element {
    type Sum: Copy + Default + Send + std::ops::Add<Output = Self::Sum>;
    type Out: Element;
    fn widen(self) -> Self::Sum;
    fn rounded(sum: Self::Sum) -> Self::Out;
}
macro_rules! summands {
    ($($t:ty: $sum:ty => $out:ty),* $(,)?) => {$(
        impl Summand for $t {
            type Sum = $sum;
            type Out = $out;
            #[inline(always)]
            fn widen(self) -> $sum {
                self as $sum
            }
            #[inline(always)]
            fn rounded(sum: $sum) -> $out {
                sum as $out
            }
        }
    )*};
}
summands! { f32: f64 => f32, f64: f64 => f64 }

macro_rules! wrapping {
    ($($t:ty),*) => {$(
        impl Summand for $t {
            type Sum = std::num::Wrapping<i64>;
            type Out = i64;
            #[inline(always)]
            fn widen(self) -> std::num::Wrapping<i64> {
                std::num::Wrapping(self as i64)
            }
            #[inline(always)]
            fn rounded(sum: std::num::Wrapping<i64>) -> i64 {
                sum.0
            }
        }
    )*};
}
wrapping!(i32, i64, u8);

fn run<T: Summand>(args: &mut CpuArgs<'_>, dim: usize) {
    let x = &args.inputs[0];
    let (shape, strides) = (x.layout.shape, x.layout.strides);
    let outer = offsets(&shape[..dim], &strides[..dim]);
    let inner = offsets(&shape[dim + 1..], &strides[dim + 1..shape.rank()]);
    let (values, length, step) = (x.elements::<T>(), shape[dim], strides[dim]);
    let Some(out) = &mut args.outputs[0] else { return };
    let part = length * inner.len();
    parallel::each(args.threads, out.elements::<T::Out>(), part, part, |i, out| {
        let mut sums = vec![T::Sum::default(); inner.len()];
        for (row, out) in out.chunks_exact_mut(inner.len()).enumerate() {
            let start = x.layout.offset as isize + outer[i] + row as isize * step;
            for ((out, sum), within) in out.iter_mut().zip(&mut sums).zip(&inner) {
                *sum = *sum + values[(start + within) as usize].widen();
                *out = T::rounded(*sum);
            }
        }
    });
}

impl Op for Cumsum {
    const NAME: &'static str = "cumsum";
    const DOC: &'static str = "Running sum along a dimension: `out[…, i, …] = Σ_{j ≤ i} x[…, j, …]`; integers and bool \
        give i64.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let TensorType { dtype, shape } = inputs[0];
        dimension(self.dim, shape.rank(), "dim")?;
        Ok(smallvec![TensorType { dtype: if dtype.is_float() { dtype } else { DType::I64 }, shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        if cx.wants(0) {
            let turned = Flip { dims: vec![self.dim] };
            let g = cx.apply(turned.clone(), &[g])?;
            let sums = cx.apply(self.clone(), &[g])?;
            let grad = cx.apply(turned, &[sums])?;
            cx.set(0, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
        match args.inputs[0].dtype {
            DType::F32 => run::<f32>(args, dim),
            DType::F64 => run::<f64>(args, dim),
            DType::I32 => run::<i32>(args, dim),
            DType::I64 => run::<i64>(args, dim),
            DType::U8 | DType::Bool => run::<u8>(args, dim),
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Cumsum>> {
        let of = |name, dim: i64, x: SampleInput| Sample::new(name, Cumsum { dim }, vec![x]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("last dimension", -1, x(&[4, 7])),
            of("first dimension", 0, x(&[5, 3])),
            of("middle, ragged", 1, x(&[3, 17, 13])),
            of("long", 0, x(&[1003])),
            of("zero-sized", 1, x(&[3, 0])),
            of("nothing behind it", 0, x(&[3, 0])),
            of("reversed", 1, x(&[4, 5, 6]).reversed()),
            of("strided", 0, x(&[4, 6]).strided()),
            of("i32", 1, SampleInput::of(DType::I32, [3, 6], Domain::Integers(-9, 9))),
            of("i64", 0, SampleInput::of(DType::I64, [6], Domain::Integers(-9, 9))),
            of("u8", 0, SampleInput::of(DType::U8, [6], Domain::Integers(0, 255))),
            of("bool", 0, SampleInput::of(DType::Bool, [9], Domain::Bools)),
        ]
    }
}
