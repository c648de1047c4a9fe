//! Elements at places along one dimension.

use super::ScatterAdd;
use super::places::{check_index_type, for_each_dtype, offsets, places};
use crate::movement::dims::dimension;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[…, i, …] = x[…, index[…, i, …], …]` along `dim`.
    ///
    /// Shapes: index has x's rank and is no larger than x along other dimensions; the result has index's shape.
    ///
    /// Gradient: `scatter_add` of g into zeros. Work: a kernel, parallel over the result. An index outside the
    /// dimension is an ArgumentError that names it.
    pub struct Gather {
        /// The dimension along which index points; negative ones count from the end.
        dim: i64,
    }
}

/// Checks index against the shape of what it points into; returns the dimension.
pub(super) fn check_index(dim: i64, x: &TensorType, index: &TensorType) -> Result<usize> {
    check_index_type(index, "index")?;
    let dim = dimension(dim, x.shape.rank(), "dim")?;
    let fits =
        x.shape.rank() == index.shape.rank() && (0..x.shape.rank()).all(|d| d == dim || index.shape[d] <= x.shape[d]);
    if fits {
        return Ok(dim);
    }
    Err(Error::shape(format!(
        "index of shape {} does not fit x of shape {}: it needs the same rank and, except along dimension {dim}, sizes no \
         larger",
        index.shape, x.shape
    ))
    .at("index")
    .expected(format!("rank {} within {}", x.shape.rank(), x.shape))
    .received(index.shape.to_string()))
}

fn run<T: Element>(args: &mut CpuArgs<'_>, dim: usize) -> Result<()> {
    let (x, index) = (&args.inputs[0], &args.inputs[1]);
    let (layout, shape) = (x.layout, index.layout.shape);
    let rank = shape.rank();
    let places = places(index, "index", layout.shape[dim])?;
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let values = x.elements::<T>();
    let outer = offsets(&shape[..dim], &layout.strides[..dim]);
    let inner = offsets(&shape[dim + 1..], &layout.strides[dim + 1..rank]);
    let step = layout.strides[dim];
    parallel::each(args.threads, out.elements::<T>(), inner.len(), inner.len(), |i, out| {
        let start = layout.offset as isize + outer[i / shape[dim]];
        let places = &places[i * inner.len()..];
        for ((out, &place), within) in out.iter_mut().zip(places).zip(&inner) {
            *out = values[(start + place as isize * step + within) as usize];
        }
    });
    Ok(())
}

impl Op for Gather {
    const NAME: &'static str = "gather";
    const DOC: &'static str = "Elements at places along a dimension: `out[…, i, …] = x[…, index[…, i, …], …]`.\n\n\
        index has x's rank, and the result index's shape. Throws an ArgumentError that names an index out of range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "What is read."),
        InputSchema::required("index", "Places along `dim`, i32 or i64."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_index(self.dim, &inputs[0], &inputs[1])?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: inputs[1].shape }])
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
            let grad = cx.apply(ScatterAdd { dim: self.dim }, &[zeros, index, g])?;
            cx.set(0, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
        for_each_dtype!(args.inputs[0].dtype, run(args, dim))
    }

    fn samples() -> Vec<Sample<Gather>> {
        let of = |name, dim: i64, x: SampleInput, index: &[usize]| {
            let rank = x.shape.rank() as i64;
            let size = x.shape[(if dim < 0 { dim + rank } else { dim }) as usize] as i64;
            let index = SampleInput::of(DType::I64, Shape::new(index), Domain::Integers(0, size));
            Sample::new(name, Gather { dim }, vec![x, index])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut narrow = of("i32 indices", 1, x(&[3, 6]), &[3, 4]);
        narrow.inputs[1].dtype = Some(DType::I32);
        let mut views = of("index is a view", 1, x(&[3, 6, 2]), &[3, 4, 2]);
        views.inputs[1] = views.inputs[1].clone().reversed();
        vec![
            of("last dimension", 1, x(&[4, 7]), &[4, 3]),
            of("first dimension", 0, x(&[5, 3]), &[8, 3]),
            of("middle, ragged", 1, x(&[3, 11, 13]), &[3, 17, 13]),
            of("negative dim, smaller index", -1, x(&[4, 5, 6]), &[2, 3, 4]),
            of("one dimension", 0, x(&[9]), &[20]),
            of("zero-sized", 0, x(&[3, 4]), &[0, 4]),
            of("reversed", 1, x(&[4, 5, 6]).reversed(), &[4, 3, 6]),
            of("strided", 0, x(&[4, 6]).strided(), &[3, 6]),
            narrow,
            views,
        ]
    }
}
