//! Slices added at places along one dimension.

use super::IndexSelect;
use super::index_select::check_index;
use super::places::{Accumulate, Slices, check_addable, places};
use super::slices::{self, Target};
use crate::movement::dims::dimension;
use fovea_core::device::CpuArgs;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out = x`, then `out[…, index[i], …] += source[…, i, …]` along `dim`, for i in order.
    ///
    /// Shapes: index `[n]`, source x's shape with n along `dim`; the result has x's shape.
    ///
    /// Gradient: g towards x, `index_select` of g towards source. Work: a kernel, parallel over rows of the result. An
    /// index outside the dimension is an ArgumentError that names it.
    pub struct IndexAdd {
        /// The dimension along which index points; negative ones count from the end.
        dim: i64,
    }
}

fn run<T: Accumulate>(args: &mut CpuArgs<'_>, dim: usize) -> Result<()> {
    let [x, index, source] = args.inputs else { return Err(Error::internal("index_add takes three inputs")) };
    let shape = x.layout.shape;
    let places = places(index, "index", shape[dim])?;
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let target =
        Target { outer: shape[..dim].iter().product(), rows: shape[dim], length: shape[dim + 1..].iter().product() };
    let (from, added) = (Slices::<T>::along(x, dim), Slices::<T>::along(source, dim));
    let start = |o: usize, r: usize, out: &mut [T]| from.get(o, r).zip(out, |to, v| *to = v);
    slices::add(args.threads, out.elements(), target, &places, start, |o, k| added.get(o, k));
    Ok(())
}

impl Op for IndexAdd {
    const NAME: &'static str = "index_add";
    const DOC: &'static str = "x with slices of source added at places along a dimension: \
        `out[…, index[i], …] += source[…, i, …]`, for i in order.\n\nThrows an ArgumentError that names an index out of \
        range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "What is added to."),
        InputSchema::required("index", "Places along `dim`, `[n]` of i32 or i64."),
        InputSchema::required("source", "What is added: x's shape with n along `dim`."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let [x, index, source] = inputs else { return Err(Error::internal("index_add takes three inputs")) };
        check_addable(x, "x")?;
        let dim = check_index(self.dim, x, index)?;
        let expected = x.shape.with(dim, index.shape[0]);
        if source.shape != expected || source.dtype != x.dtype {
            return Err(Error::shape(format!(
                "source must be {} {expected} (x with {} along dimension {dim}), got {} {}",
                x.dtype, index.shape[0], source.dtype, source.shape
            ))
            .at("source")
            .expected(format!("{} {expected}", x.dtype))
            .received(format!("{} {}", source.dtype, source.shape)));
        }
        Ok(smallvec![*x])
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
            cx.set(0, g);
        }
        if cx.wants(2) {
            let index = cx.input(1);
            let grad = cx.apply(IndexSelect { dim: self.dim }, &[g, index])?;
            cx.set(2, grad);
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
    }

    fn samples() -> Vec<Sample<IndexAdd>> {
        let of = |name, dim: usize, x: SampleInput, count: usize| {
            let index = SampleInput::of(DType::I64, [count], Domain::Integers(0, x.shape[dim] as i64));
            let source = SampleInput::float(x.shape.with(dim, count));
            Sample::new(name, IndexAdd { dim: dim as i64 }, vec![x, index, source])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut views = of("views", 1, x(&[3, 6, 2]).reversed(), 4);
        views.inputs[1] = views.inputs[1].clone().strided();
        views.inputs[2] = views.inputs[2].clone().strided();
        vec![
            of("rows", 0, x(&[5, 7]), 9),
            of("last dimension", 1, x(&[5, 7]), 12),
            of("middle, ragged", 1, x(&[3, 11, 13]), 17),
            of("many additions to one place", 0, x(&[2]), 50),
            of("nothing added", 0, x(&[3, 4]), 0),
            of("zero-sized", 1, x(&[0, 4]), 3),
            of("strided", 0, x(&[4, 6]).strided(), 3),
            views,
        ]
    }
}
