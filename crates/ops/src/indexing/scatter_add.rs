//! Elements added at places along one dimension.

use super::Gather;
use super::gather::check_index;
use super::places::{Accumulate, check_addable, for_each_dtype, offsets, places};
use crate::movement::dims::dimension;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out = x`, then `out[…, index[…, i, …], …] += source[…, i, …]` along `dim`, in row-major order of index.
    ///
    /// Shapes: index and source agree, have x's rank and are no larger than x along other dimensions; the result has
    /// x's shape.
    ///
    /// Gradient: g towards x, `gather` of g towards source. Work: a kernel, parallel over the dimensions before `dim`,
    /// in order along it. An index outside the dimension is an ArgumentError that names it.
    pub struct ScatterAdd {
        /// The dimension along which index points; negative ones count from the end.
        dim: i64,
    }
}

/// Copies x and calls `put` with the element at each place and the source's element for it, in row-major order.
pub(super) fn run<T: Element>(args: &mut CpuArgs<'_>, dim: usize, put: impl Fn(&mut T, T) + Sync) -> Result<()> {
    let [x, index, source] = args.inputs else { return Err(Error::internal("scattering takes three inputs")) };
    let (shape, taken) = (x.layout.shape, index.layout.shape);
    let rank = shape.rank();
    let places = places(index, "index", shape[dim])?;
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let row_major = shape.strides();
    // A part is everything behind one index of the leading dimensions, where index has all of those.
    let parts = if taken[..dim] == shape[..dim] { dim } else { 0 };
    let each = |layout: &fovea_core::Layout| {
        let leading = offsets(&layout.shape[..parts], &layout.strides[..parts]);
        (leading, offsets(&layout.shape[parts..], &layout.strides[parts..rank]), layout.offset as isize)
    };
    let (from_leading, from, from_start) = each(&x.layout);
    let (source_leading, sources, source_start) = each(&source.layout);
    // Where each taken element of a part lies in it, were its place 0.
    let mut steps = row_major;
    steps[dim] = 0;
    let targets = offsets(&taken[parts..], &steps[parts..rank]);
    let (values, added) = (x.elements::<T>(), source.elements::<T>());
    let work = from.len() + targets.len();
    parallel::each(args.threads, out.elements::<T>(), from.len(), work, |i, out| {
        let start = from_start + from_leading[i];
        out.iter_mut().zip(&from).for_each(|(out, o)| *out = values[(start + o) as usize]);
        let Some(&start) = source_leading.get(i) else { return };
        let places = &places[i * targets.len()..];
        for ((&place, target), o) in places.iter().zip(&targets).zip(&sources) {
            let out = &mut out[place * row_major[dim] as usize + *target as usize];
            put(out, added[(source_start + start + o) as usize]);
        }
    });
    Ok(())
}

fn add<T: Accumulate>(args: &mut CpuArgs<'_>, dim: usize) -> Result<()> {
    run(args, dim, |out: &mut T, v| *out = out.plus(v))
}

/// Checks the three inputs of an op that scatters.
pub(super) fn check(dim: i64, inputs: &[TensorType]) -> Result<()> {
    let [x, index, source] = inputs else { return Err(Error::internal("scattering takes three inputs")) };
    check_index(dim, x, index)?;
    if source.shape == index.shape && source.dtype == x.dtype {
        return Ok(());
    }
    Err(Error::shape(format!(
        "source must be {} {} (x's dtype, index's shape), got {} {}",
        x.dtype, index.shape, source.dtype, source.shape
    ))
    .at("source")
    .expected(format!("{} {}", x.dtype, index.shape))
    .received(format!("{} {}", source.dtype, source.shape)))
}

impl Op for ScatterAdd {
    const NAME: &'static str = "scatter_add";
    const DOC: &'static str = "x with `source[…, i, …]` added at `[…, index[…, i, …], …]` along a dimension, in row-major \
        order.\n\nindex and source agree in shape and have x's rank. Throws an ArgumentError that names an index out of \
        range.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "What is added to."),
        InputSchema::required("index", "Places along `dim`, i32 or i64."),
        InputSchema::required("source", "What is added, of index's shape and x's dtype."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        check_addable(&inputs[0], "x")?;
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
        if cx.wants(0) {
            cx.set(0, g);
        }
        if cx.wants(2) {
            let index = cx.input(1);
            let grad = cx.apply(Gather { dim: self.dim }, &[g, index])?;
            cx.set(2, grad);
        }
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let dim = dimension(self.dim, args.inputs[0].layout.shape.rank(), "dim")?;
        for_each_dtype!(args.inputs[0].dtype, add(args, dim))
    }

    fn samples() -> Vec<Sample<ScatterAdd>> {
        let of = |name, dim: i64, x: SampleInput, taken: &[usize]| {
            let rank = x.shape.rank() as i64;
            let size = x.shape[(if dim < 0 { dim + rank } else { dim }) as usize] as i64;
            let index = SampleInput::of(DType::I64, Shape::new(taken), Domain::Integers(0, size));
            Sample::new(name, ScatterAdd { dim }, vec![x, index, SampleInput::float(taken)])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut views = of("views", 1, x(&[3, 6, 2]).reversed(), &[3, 4, 2]);
        views.inputs[1] = views.inputs[1].clone().reversed();
        views.inputs[2] = views.inputs[2].clone().strided();
        vec![
            of("last dimension", 1, x(&[4, 7]), &[4, 12]),
            of("first dimension", 0, x(&[5, 3]), &[8, 3]),
            of("middle, ragged", 1, x(&[3, 11, 13]), &[3, 17, 13]),
            of("negative dim, smaller index", -1, x(&[4, 5, 6]), &[2, 3, 4]),
            of("many additions to one place", 0, x(&[2]), &[50]),
            of("nothing added", 0, x(&[3, 4]), &[0, 4]),
            of("zero-sized", 1, x(&[0, 4]), &[0, 3]),
            of("strided", 0, x(&[4, 6]).strided(), &[3, 6]),
            views,
        ]
    }
}
