//! Running extremes.

use super::{back_to_places, with_places};
use crate::indexing::{for_each_dtype, offsets};
use crate::movement::dims::dimension;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Op, Result, TensorType, attributes};

attributes! {
    /// `out[…, i, …] = max_{j ≤ i} x[…, j, …]` along `dim`, and where it stood; see [`run`] for the rest.
    pub struct Cummax {
        /// The dimension to walk along; negative ones count from the end.
        dim: i64 = -1,
    }
}

attributes! {
    /// `out[…, i, …] = min_{j ≤ i} x[…, j, …]` along `dim`, and where it stood; see [`run`] for the rest.
    pub struct Cummin {
        /// The dimension to walk along; negative ones count from the end.
        dim: i64 = -1,
    }
}

/// The running extreme: an element takes over where it isn't `behind` the one that stands, so that the last of equals
/// is named, and NaN stays once it has come.
///
/// Shapes: any; both results have x's, the second is i32.
///
/// Gradient: g added where the extremes stood, `scatter_add`. Work: a kernel, parallel over the dimensions before
/// `dim`, in order along it.
#[allow(clippy::eq_op)]
fn run<T: Element>(args: &mut CpuArgs<'_>, dim: usize, behind: impl Fn(T, T) -> bool + Sync) {
    let x = &args.inputs[0];
    let (shape, strides) = (x.layout.shape, x.layout.strides);
    let outer = offsets(&shape[..dim], &strides[..dim]);
    let inner = offsets(&shape[dim + 1..], &strides[dim + 1..shape.rank()]);
    let (values, length, step) = (x.elements::<T>(), shape[dim], strides[dim]);
    let [extremes, places] = args.outputs else { return };
    let extremes = extremes.as_mut().map_or(&mut [] as &mut [T], |o| o.elements());
    let places = places.as_mut().map_or(&mut [] as &mut [i32], |o| o.elements());
    let part = length * inner.len();
    parallel::each_pair(args.threads, (extremes, part), (places, part), part, |i, extremes, places| {
        let start = x.layout.offset as isize + outer[i];
        let mut standing: Vec<(T, i32)> = inner.iter().map(|o| (values[(start + o) as usize], 0)).collect();
        for row in 0..length {
            let start = start + row as isize * step;
            for ((value, place), within) in standing.iter_mut().zip(&inner) {
                let next = values[(start + within) as usize];
                let stays = next == next && (*value != *value || behind(next, *value));
                (*value, *place) = if stays { (*value, *place) } else { (next, row as i32) };
            }
            let at = row * inner.len();
            extremes.iter_mut().skip(at).zip(&standing).for_each(|(out, (value, _))| *out = *value);
            places.iter_mut().skip(at).zip(&standing).for_each(|(out, (_, place))| *out = *place);
        }
    });
}

fn largest<T: Element>(args: &mut CpuArgs<'_>, dim: usize) {
    run(args, dim, |next: T, standing| next < standing);
}

fn smallest<T: Element>(args: &mut CpuArgs<'_>, dim: usize) {
    run(args, dim, |next: T, standing| next > standing);
}

macro_rules! running {
    ($op:ident, $name:literal, $word:literal, $kernel:ident) => {
        impl Op for $op {
            const NAME: &'static str = $name;
            const DOC: &'static str = concat!(
                $word,
                " element up to each along a dimension, with its place (i32) as second result.\n\nOf equal elements the \
                 last is named; NaN stays once it has come."
            );
            const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];

            fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
                with_places::<Self>(inputs[0], self.dim)
            }

            fn work(&self, _: &[TensorType]) -> Work {
                Work::Kernel
            }

            fn saved(&self) -> Saved {
                Saved { inputs: 0, outputs: 0b10 }
            }

            fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
                back_to_places(cx, self.dim)
            }

            fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
                let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
                for_each_dtype!(args.inputs[0].dtype, $kernel(args, dim));
                Ok(())
            }

            fn samples() -> Vec<Sample<$op>> {
                let of = |name, dim: i64, x: SampleInput| Sample::new(name, $op { dim }, vec![x]);
                let x = |shape: &[usize]| SampleInput::float(shape);
                let special = [0.0, 2.0, -0.0, 2.0, f64::NEG_INFINITY, f64::INFINITY, -1.0, f64::NAN, 3.0];
                vec![
                    of("last dimension", -1, x(&[4, 7])),
                    of("first dimension", 0, x(&[5, 3])),
                    of("middle, ragged", 1, x(&[3, 17, 13])),
                    of("long", 0, x(&[1003])),
                    of("zero-sized", 1, x(&[3, 0])),
                    of("nothing behind it", 0, x(&[3, 0])),
                    of("reversed", 1, x(&[4, 5, 6]).reversed()),
                    of("strided", 0, x(&[4, 6]).strided()),
                    of("ties, NaN and infinities", 0, x(&[9]).values(&special)).without_gradient(),
                    of("i32", 1, SampleInput::of(DType::I32, [3, 6], Domain::Integers(-3, 3))),
                    of("i64", 0, SampleInput::of(DType::I64, [7], Domain::Integers(-3, 3))),
                    of("u8", 0, SampleInput::of(DType::U8, [6], Domain::Integers(0, 255))),
                    of("bool", 0, SampleInput::of(DType::Bool, [9], Domain::Bools)),
                ]
            }
        }
    };
}

running!(Cummax, "cummax", "Largest", largest);
running!(Cummin, "cummin", "Smallest", smallest);
