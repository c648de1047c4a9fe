//! Sorting.

use super::{back_to_places, with_places};
use crate::indexing::{for_each_dtype, offsets};
use crate::movement::dims::dimension;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Op, Result, TensorType, attributes};
use std::cmp::Ordering;

attributes! {
    /// x in order along `dim`, and where each element stood.
    ///
    /// Shapes: any; both results have x's, the second is i32. Equal elements keep their order; NaN counts as larger than
    /// every number.
    ///
    /// Gradient: g back to where the elements stood, `scatter_add`. Work: a kernel, parallel over the dimensions
    /// before `dim`.
    pub struct Sort {
        /// The dimension to sort along; negative ones count from the end.
        dim: i64 = -1,
        /// Whether the largest comes first.
        descending: bool = false,
    }
}

/// The order of two elements, of which a NaN is the larger.
#[allow(clippy::eq_op)]
fn order<T: Element>(a: T, b: T) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| (a != a).cmp(&(b != b)))
}

fn run<T: Element>(args: &mut CpuArgs<'_>, dim: usize, descending: bool) {
    let x = &args.inputs[0];
    let (shape, strides) = (x.layout.shape, x.layout.strides);
    let outer = offsets(&shape[..dim], &strides[..dim]);
    let inner = offsets(&shape[dim + 1..], &strides[dim + 1..shape.rank()]);
    let (values, length, step) = (x.elements::<T>(), shape[dim], strides[dim]);
    let [sorted, places] = args.outputs else { return };
    let sorted = sorted.as_mut().map_or(&mut [] as &mut [T], |o| o.elements());
    let places = places.as_mut().map_or(&mut [] as &mut [i32], |o| o.elements());
    let part = length * inner.len();
    parallel::each_pair(args.threads, (sorted, part), (places, part), 8 * part, |i, sorted, places| {
        let mut line: Vec<(T, i32)> = Vec::with_capacity(length);
        for (column, within) in inner.iter().enumerate() {
            let start = x.layout.offset as isize + outer[i] + within;
            line.clear();
            line.extend((0..length).map(|k| (values[(start + k as isize * step) as usize], k as i32)));
            if descending {
                line.sort_by(|a, b| order(b.0, a.0));
            } else {
                line.sort_by(|a, b| order(a.0, b.0));
            }
            let sorted = sorted.iter_mut().skip(column).step_by(inner.len());
            sorted.zip(&line).for_each(|(out, (value, _))| *out = *value);
            let places = places.iter_mut().skip(column).step_by(inner.len());
            places.zip(&line).for_each(|(out, (_, place))| *out = *place);
        }
    });
}

impl Op for Sort {
    const NAME: &'static str = "sort";
    const DOC: &'static str = "The elements in order along a dimension, with the place (i32) of each as second result.\n\n\
        Equal elements keep their order; NaN counts as larger than every number.";
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
        for_each_dtype!(args.inputs[0].dtype, run(args, dim, self.descending));
        Ok(())
    }

    fn samples() -> Vec<Sample<Sort>> {
        let of =
            |name, dim: i64, descending: bool, x: SampleInput| Sample::new(name, Sort { dim, descending }, vec![x]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        let special = [2.0, f64::NAN, -1.0, f64::INFINITY, 0.0, -0.0, f64::NAN, f64::NEG_INFINITY, 2.0];
        vec![
            of("last dimension", -1, false, x(&[4, 7])),
            of("first dimension, descending", 0, true, x(&[5, 3])),
            of("middle, ragged", 1, false, x(&[3, 17, 13])),
            // Differences would change the places of neighbours.
            of("long", 0, true, x(&[1003])).without_gradient(),
            of("zero-sized", 1, false, x(&[3, 0])),
            of("reversed", 1, true, x(&[4, 5, 6]).reversed()),
            of("strided", 0, false, x(&[4, 6]).strided()),
            of("ties, NaN and infinities", 0, false, x(&[9]).values(&special)).without_gradient(),
            of("ties, descending", 0, true, x(&[9]).values(&special)).without_gradient(),
            of("i32", 1, false, SampleInput::of(DType::I32, [3, 6], Domain::Integers(-3, 3))),
            of("i64", 0, true, SampleInput::of(DType::I64, [7], Domain::Integers(-3, 3))),
            of("u8", 0, false, SampleInput::of(DType::U8, [6], Domain::Integers(0, 255))),
            of("bool", 0, true, SampleInput::of(DType::Bool, [9], Domain::Bools)),
        ]
    }
}
