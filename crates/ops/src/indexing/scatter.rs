//! Elements set at places along one dimension.

use super::Gather;
use super::places::for_each_dtype;
use super::scatter_add::{check, run};
use crate::movement::dims::dimension;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out = x`, then `out[…, index[…, i, …], …] = source[…, i, …]` along `dim`, in row-major order of index.
    ///
    /// Shapes: as for `scatter_add`.
    ///
    /// Gradient: g with zeros at the places towards x, `gather` of g towards source. Where index names a place twice
    /// the last value stands and all of them get its gradient, as in PyTorch. Work: as for `scatter_add`.
    pub struct Scatter {
        /// The dimension along which index points; negative ones count from the end.
        dim: i64,
    }
}

fn set<T: Element>(args: &mut CpuArgs<'_>, dim: usize) -> Result<()> {
    run(args, dim, |out: &mut T, v| *out = v)
}

impl Op for Scatter {
    const NAME: &'static str = "scatter";
    const DOC: &'static str = "x with `source[…, i, …]` in the place of the element at `[…, index[…, i, …], …]` along a \
        dimension.\n\nindex and source agree in shape and have x's rank. Where index names a place twice the last value \
        stands, and all of them get its gradient. Throws an ArgumentError that names an index out of range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "What is changed."),
        InputSchema::required("index", "Places along `dim`, i32 or i64."),
        InputSchema::required("source", "What is put there, of index's shape and x's dtype."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check(self.dim, inputs)?;
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b10)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let index = cx.input(1);
        if cx.wants(0) {
            let TensorType { dtype, shape } = cx.input_type(2);
            let zeros = cx.full(0.0, shape, dtype)?;
            let grad = cx.apply(self.clone(), &[g, index, zeros])?;
            cx.set(0, grad);
        }
        if cx.wants(2) {
            let grad = cx.apply(Gather { dim: self.dim }, &[g, index])?;
            cx.set(2, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
        for_each_dtype!(args.inputs[0].dtype, set(args, dim))
    }

    fn samples() -> Vec<Sample<Scatter>> {
        // Places along `dim` that differ: k · i modulo the size, with k and the size coprime.
        let of = |name, dim: usize, x: SampleInput, taken: &[usize]| {
            let (size, length) = (x.shape[dim], taken[dim]);
            let inner: usize = taken[dim + 1..].iter().product();
            let count: usize = taken.iter().product();
            let places: Vec<f64> = (0..count).map(|i| ((i / inner % length * 5 + 2) % size) as f64).collect();
            let index = SampleInput::of(DType::I64, taken, Domain::List(places));
            Sample::new(name, Scatter { dim: dim as i64 }, vec![x, index, SampleInput::float(taken)])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let integers = |shape: &[usize]| SampleInput::of(DType::I32, shape, Domain::Integers(-9, 9));
        let twice = Domain::List(vec![1.0, 3.0, 1.0, 0.0]);
        vec![
            of("last dimension", 1, x(&[4, 7]), &[4, 5]),
            of("first dimension", 0, x(&[6, 3]), &[4, 3]),
            of("middle, ragged", 1, x(&[3, 13, 11]), &[3, 9, 11]),
            of("smaller index", 2, x(&[4, 5, 6]), &[2, 3, 4]),
            of("reversed", 0, x(&[3, 4]).reversed(), &[2, 4]),
            of("zero-sized", 1, x(&[0, 4]), &[0, 3]),
            of("strided", 0, x(&[4, 6]).strided(), &[3, 6]),
            Sample::new(
                "the last of several stands",
                Scatter { dim: -1 },
                vec![x(&[4]), SampleInput::of(DType::I32, [4], twice), x(&[4])],
            )
            .without_gradient(),
            Sample::new(
                "i32",
                Scatter { dim: 0 },
                vec![integers(&[3]), SampleInput::of(DType::I32, [2], Domain::List(vec![2.0, 0.0])), integers(&[2])],
            ),
        ]
    }
}
