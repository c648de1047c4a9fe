//! Slices at places along one dimension.

use super::IndexAdd;
use super::places::{Slices, check_index_type, for_each_dtype, places};
use super::slices;
use crate::movement::dims::dimension;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[…, i, …] = x[…, index[i], …]` along `dim`.
    ///
    /// Shapes: index `[n]`; the result is x's shape with n along `dim`.
    ///
    /// Gradient: `index_add` of g into zeros. Work: a kernel, parallel over slices. An index outside the dimension is
    /// an ArgumentError that names it.
    pub struct IndexSelect {
        /// The dimension along which index points; negative ones count from the end.
        dim: i64,
    }
}

/// Checks that index is one-dimensional; returns the dimension.
pub(super) fn check_index(dim: i64, x: &TensorType, index: &TensorType) -> Result<usize> {
    check_index_type(index, "index")?;
    if index.shape.rank() != 1 {
        return Err(Error::shape(format!("index must have one dimension, got shape {}", index.shape))
            .at("index")
            .expected("[n]")
            .received(index.shape.to_string()));
    }
    dimension(dim, x.shape.rank(), "dim")
}

fn run<T: Element>(args: &mut CpuArgs<'_>, dim: usize) -> Result<()> {
    let x = &args.inputs[0];
    let shape = x.layout.shape;
    let places = places(&args.inputs[1], "index", shape[dim])?;
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let from = Slices::<T>::along(x, dim);
    slices::select(args.threads, &from, &places, shape[dim + 1..].iter().product(), out.elements());
    Ok(())
}

impl Op for IndexSelect {
    const NAME: &'static str = "index_select";
    const DOC: &'static str = "Slices at places along a dimension: `out[…, i, …] = x[…, index[i], …]`.\n\n\
        Throws an ArgumentError that names an index out of range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "What is read."),
        InputSchema::required("index", "Places along `dim`, `[n]` of i32 or i64."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let dim = check_index(self.dim, &inputs[0], &inputs[1])?;
        let shape = Shape::checked(&inputs[0].shape.with(dim, inputs[1].shape[0]))?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b10)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        if cx.wants(0) {
            let TensorType { dtype, shape } = cx.input_type(0);
            let index = cx.input(1);
            let zeros = cx.full(0.0, shape, dtype)?;
            let grad = cx.apply(IndexAdd { dim: self.dim }, &[zeros, index, g])?;
            cx.set(0, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
        for_each_dtype!(args.inputs[0].dtype, run(args, dim))
    }

    fn samples() -> Vec<Sample<IndexSelect>> {
        let of = |name, dim: i64, x: SampleInput, count: usize| {
            let rank = x.shape.rank() as i64;
            let size = x.shape[(if dim < 0 { dim + rank } else { dim }) as usize] as i64;
            let index = SampleInput::of(DType::I64, [count], Domain::Integers(0, size));
            Sample::new(name, IndexSelect { dim }, vec![x, index])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut narrow = of("i32 indices, strided", 0, x(&[3, 6]), 4);
        narrow.inputs[1] = SampleInput::of(DType::I32, [4], Domain::Integers(0, 3)).strided();
        vec![
            of("rows", 0, x(&[5, 7]), 9),
            of("last dimension", -1, x(&[5, 7]), 3),
            of("middle, ragged", 1, x(&[3, 11, 13]), 17),
            of("one dimension", 0, x(&[9]), 20),
            of("nothing selected", 1, x(&[3, 4]), 0),
            of("zero-sized", 1, x(&[0, 4]), 3),
            of("reversed", 1, x(&[4, 5, 6]).reversed(), 3),
            of("strided", 0, x(&[4, 6]).strided(), 3),
            narrow,
        ]
    }
}
