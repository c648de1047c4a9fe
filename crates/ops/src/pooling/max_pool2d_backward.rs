//! The gradient of maxima over windows.

use super::pixels::{self, Pixels};
use super::windows::{Planes, planes, with_planes};
use crate::indexing::ScatterAdd;
use crate::movement::Reshape;
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use fovea_cpu::multiversion;
use smallvec::smallvec;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicI64, Ordering};

attributes! {
    /// `out[n, c, i · W + j] = Σ g[n, c, p, q]` over the windows whose maximum was found at (i, j): the companion of
    /// `max_pool2d`.
    ///
    /// Shapes: g and indices `[N, C, H', W']` or `[C, H', W']`, result the same with the planes of `input_size`.
    ///
    /// Gradient: towards g through the decomposition, a `scatter_add` over flat planes. Work: a kernel, parallel over
    /// planes; windows add in row-major order. An index outside the plane is an ArgumentError.
    pub struct MaxPool2dBackward {
        /// Height and width of the pooled planes.
        input_size: [usize; 2],
    }
}

/// `shape` with its last two dimensions as one.
fn flat(shape: Shape) -> Shape {
    let (leading, plane) = shape.split_at(shape.rank() - 2);
    leading.iter().copied().chain([plane.iter().product()]).collect()
}

/// What is added up.
trait Summed: Element + AddAssign {}
impl<T: Element + AddAssign> Summed for T {}

/// Puts the values of windows of two by two that touch without overlap where their maxima were found; false where one
/// was found outside its window. Rows of `columns` elements, of which the windows cover an even number.
#[inline(always)]
fn put_twos<T: Summed>(g: &[T], found: &[i32], out: &mut [T], width: usize, columns: usize) -> bool {
    let mut outside = false;
    let covered = g.len() / width.max(1) * 2 * columns;
    out[covered..].fill(T::default());
    let rows = g.chunks_exact(width).zip(found.chunks_exact(width)).zip(out[..covered].chunks_exact_mut(2 * columns));
    for (p, ((g, found), out)) in rows.enumerate() {
        let (top, bottom) = out.split_at_mut(columns);
        let (below, start) = (columns as i32, (2 * p * columns) as i32);
        top[2 * width..].fill(T::default());
        bottom[2 * width..].fill(T::default());
        let windows = top.as_chunks_mut::<2>().0.iter_mut().zip(bottom.as_chunks_mut::<2>().0);
        for (((g, &found), (top, bottom)), q) in g.iter().zip(found).zip(windows).zip(0..) {
            let offset = found.wrapping_sub(start + 2 * q);
            let at = |place: i32| {
                let mut value = T::default();
                value += if offset == place { *g } else { T::default() };
                value
            };
            *top = [at(0), at(1)];
            *bottom = [at(below), at(below + 1)];
            outside |= !((offset == 0) | (offset == 1) | (offset == below) | (offset == below + 1));
        }
    }
    !outside
}
multiversion!(fn put_back_twos<T: Summed>(g: &[T], found: &[i32], out: &mut [T], width: usize, columns: usize) -> bool = put_twos);

fn run<T: Summed>(args: &mut CpuArgs<'_>, [height, width]: [usize; 2]) -> Result<()> {
    let shape = args.inputs[0].layout.shape;
    let size = [shape[shape.rank() - 2], shape[shape.rank() - 1]];
    let windows = size[0] * size[1];
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    let outside = |index: i64| {
        Err(Error::argument(format!("index {index} lies outside a plane of {height}×{width}"))
            .at("indices")
            .expected(format!("0 to {}", (height * width).saturating_sub(1)))
            .received(index.to_string()))
    };
    if out.layout.is_channels_last()
        && let (Some(g), Some(found)) = (Pixels::of(&args.inputs[0]), Pixels::of(&args.inputs[1]))
    {
        let wrong = pixels::put_back::<T>(g, found, size, height * width, out.elements(), args.threads);
        return wrong.map_or(Ok(()), |index| outside(i64::from(index)));
    }
    let (g, found) = (Planes::<T>::of(&args.inputs[0]), Planes::<i32>::of(&args.inputs[1]));
    let wrong = AtomicI64::new(i64::MIN);
    let twos = [height, width].map(|d| d / 2) == size && windows > 0;
    parallel::each(args.threads, out.elements::<T>(), height * width, height * width + windows, |i, out| {
        let (mut values, mut places) = (Vec::new(), Vec::new());
        let (g, found) = (g.get(i, &mut values), found.get(i, &mut places));
        if twos && put_back_twos(g, found, out, size[1], width) {
            return;
        }
        out.fill(T::default());
        for (&g, &index) in g.iter().zip(found) {
            match usize::try_from(index).ok().and_then(|index| out.get_mut(index)) {
                Some(out) => *out += g,
                None => wrong.store(i64::from(index), Ordering::Relaxed),
            }
        }
    });
    match wrong.into_inner() {
        i64::MIN => Ok(()),
        index => outside(index),
    }
}

impl Op for MaxPool2dBackward {
    const NAME: &'static str = "max_pool2d_backward";
    const DOC: &'static str = "Gradient of `max_pool2d`: `out[n, c, i · W + j] = Σ g[n, c, p, q]` over the windows whose \
        maximum was found at (i, j).";
    const CHANNELS_LAST: bool = true;
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("g", "Gradient of the maxima."),
        InputSchema::required("indices", "Where each maximum was found, i32."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        planes(&inputs[0], "g")?;
        if inputs[1].dtype != DType::I32 || inputs[1].shape != inputs[0].shape {
            let (dtype, shape) = (inputs[1].dtype, inputs[1].shape);
            return Err(Error::shape(format!("indices must be i32 {} as g, got {dtype} {shape}", inputs[0].shape))
                .at("indices")
                .expected(format!("i32 {}", inputs[0].shape))
                .received(format!("{dtype} {shape}")));
        }
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: with_planes(inputs[0].shape, self.input_size) }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved::inputs(0b10)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        cx.through_decomposition()
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let shape = cx.shape(inputs[0]);
        let result = with_planes(shape, self.input_size);
        let g = cx.apply(Reshape::to(flat(shape)), &[inputs[0]])?;
        let indices = cx.apply(Reshape::to(flat(shape)), &[inputs[1]])?;
        let dtype = cx.dtype(g);
        let zeros = cx.full(0.0, flat(result), dtype)?;
        let sums = cx.apply(ScatterAdd { dim: -1 }, &[zeros, indices, g])?;
        Ok(Some(vec![cx.apply(Reshape::to(result), &[sums])?]))
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        match args.inputs[0].dtype {
            DType::F64 => run::<f64>(args, self.input_size),
            _ => run::<f32>(args, self.input_size),
        }
    }

    fn samples() -> Vec<Sample<MaxPool2dBackward>> {
        let of = |name, input_size: [usize; 2], shape: &[usize]| {
            let within = (input_size[0] * input_size[1]) as i64;
            let indices = SampleInput::of(DType::I32, shape, Domain::Integers(0, within));
            Sample::new(name, MaxPool2dBackward { input_size }, vec![SampleInput::float(shape), indices])
        };
        let mut reversed = of("reversed", [6, 7], &[2, 3, 3, 4]);
        reversed.inputs = reversed.inputs.into_iter().map(SampleInput::reversed).collect();
        let mut strided = of("strided", [6, 7], &[2, 3, 3, 3]);
        strided.inputs = strided.inputs.into_iter().map(SampleInput::strided).collect();
        vec![
            of("plain", [6, 8], &[2, 3, 3, 4]),
            of("ragged", [11, 13], &[3, 5, 5, 6]),
            of("shared maxima", [2, 2], &[2, 3, 4, 5]),
            of("no batch", [4, 5], &[3, 2, 2]),
            of("zero-sized", [4, 4], &[0, 3, 2, 2]),
            reversed,
            strided,
        ]
    }
}
