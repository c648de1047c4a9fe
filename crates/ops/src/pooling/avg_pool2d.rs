//! Averages over windows.

use super::AvgPool2dBackward;
use super::pixels::{self, Pixels};
use super::windows::{Planes, Windows, planes, taps, with_planes};
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Op, Result, TensorType, attributes};
use smallvec::smallvec;
use std::ops::{Add, Div};

attributes! {
    /// `out[n, c, p, q] = 1/|W| · Σ_{(i, j) ∈ W} x[n, c, i, j]` over the window W at (p, q).
    ///
    /// Shapes: x `[N, C, H, W]` or `[C, H, W]`, result the same with `H' = ⌊(H + 2·padding − kernel_size) / stride⌋ + 1`.
    ///
    /// Gradient: `avg_pool2d_backward`, linear, so that its gradient is this op again. Work: a kernel, parallel over
    /// planes; a window is summed in row-major order.
    pub struct AvgPool2d {
        /// Window (height, width).
        kernel_size: [usize; 2],
        /// Step between windows; 0 for the window's size.
        stride: [usize; 2] = [0, 0],
        /// Zeros around each plane, at most half the window.
        padding: [usize; 2] = [0, 0],
        /// Whether padding counts to |W|.
        count_include_pad: bool = true,
    }
}

impl AvgPool2d {
    pub(super) fn windows(&self, input: [usize; 2]) -> Result<Windows> {
        Windows::new(input, self.kernel_size, self.stride, self.padding)
    }
}

/// Float types of the kernels.
pub(super) trait Average: Element + Add<Output = Self> + Div<Output = Self> {
    fn count(n: usize) -> Self;
}
impl Average for f32 {
    fn count(n: usize) -> f32 {
        n as f32
    }
}
impl Average for f64 {
    fn count(n: usize) -> f64 {
        n as f64
    }
}

/// |W| of window (p, q).
pub(super) fn divisor(windows: &Windows, include_pad: bool, p: usize, q: usize) -> usize {
    if include_pad { windows.size[0] * windows.size[1] } else { windows.range(0, p).len() * windows.range(1, q).len() }
}

/// Window by window.
fn pool<T: Average>(plane: &[T], windows: &Windows, include_pad: bool, out: &mut [T]) {
    let [_, width] = windows.output;
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        for (q, out) in out.iter_mut().enumerate() {
            let mut sum = T::default();
            for row in windows.range(0, p) {
                let taps = &windows.rows(plane, row, 1)[windows.range(1, q)];
                sum = taps.iter().fold(sum, |sum, &next| sum + next);
            }
            *out = sum / T::count(divisor(windows, include_pad, p, q));
        }
    }
}

/// Row by row of the result, tap by tap in row-major order: the same sums.
fn pool_wide<T: Average>(plane: &[T], windows: &Windows, include_pad: bool, out: &mut [T]) {
    let [_, width] = windows.output;
    let mut buffer = Vec::new();
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        out.fill(T::default());
        for (row, tap) in windows.range(0, p).flat_map(|row| (0..windows.size[1]).map(move |tap| (row, tap))) {
            let range = windows.with_tap(tap);
            if range.is_empty() {
                continue;
            }
            let start = windows.column(range.start, tap);
            let taps = taps(windows.rows(plane, row, 1), start, windows.stride[1], range.len(), &mut buffer);
            out[range].iter_mut().zip(taps).for_each(|(sum, &next)| *sum = *sum + next);
        }
        for (q, out) in out.iter_mut().enumerate() {
            *out = *out / T::count(divisor(windows, include_pad, p, q));
        }
    }
}

/// Windows of two by two that touch without overlap: the same sums.
fn pool_twos<T: Average>(plane: &[T], windows: &Windows, out: &mut [T]) {
    let ([_, width], [_, columns]) = (windows.output, windows.input);
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        let (top, bottom) = windows.rows(plane, 2 * p, 2).split_at(columns);
        let windows = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
        for (out, ([a, b], [c, d])) in out.iter_mut().zip(windows) {
            *out = (T::default() + *a + *b + *c + *d) / T::count(4);
        }
    }
}

fn run<T: Average>(args: &mut CpuArgs<'_>, windows: &Windows, include_pad: bool) {
    let Some(out) = &mut args.outputs[0] else { return };
    if let Some(x) = Pixels::of(&args.inputs[0]).filter(|_| out.layout.is_channels_last()) {
        return pixels::averages::<T>(x, windows, include_pad, out.elements(), args.threads);
    }
    let planes = Planes::<T>::of(&args.inputs[0]);
    let work = windows.outputs() * windows.size[0] * windows.size[1];
    parallel::each(args.threads, out.elements::<T>(), windows.outputs(), work, |i, out| {
        let mut buffer = Vec::new();
        let plane = planes.get(i, &mut buffer);
        if windows.are_twos() {
            pool_twos(plane, windows, out);
        } else if windows.are_wide() {
            pool_wide(plane, windows, include_pad, out);
        } else {
            pool(plane, windows, include_pad, out);
        }
    });
}

impl Op for AvgPool2d {
    const NAME: &'static str = "avg_pool2d";
    const DOC: &'static str = "Average over windows: `out[n, c, p, q] = 1/|W| · Σ_{(i, j) ∈ W} x[n, c, i, j]`.\n\n\
        x is `[N, C, H, W]` or `[C, H, W]`. Throws a ShapeError where the window is larger than the padded plane.";
    const CHANNELS_LAST: bool = true;
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "Images, `[N, C, H, W]` or `[C, H, W]`.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let windows = self.windows(planes(&inputs[0], "x")?)?;
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: with_planes(inputs[0].shape, windows.output) }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let AvgPool2d { kernel_size, stride, padding, count_include_pad } = *self;
        let input_size = planes(&cx.input_type(0), "x")?;
        let op = AvgPool2dBackward { input_size, kernel_size, stride, padding, count_include_pad };
        let grad = cx.apply(op, &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let shape = args.inputs[0].layout.shape;
        let windows = self.windows([shape[shape.rank() - 2], shape[shape.rank() - 1]])?;
        match args.inputs[0].dtype {
            DType::F64 => run::<f64>(args, &windows, self.count_include_pad),
            _ => run::<f32>(args, &windows, self.count_include_pad),
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<AvgPool2d>> {
        let two = AvgPool2d { kernel_size: [2, 2], stride: [0, 0], padding: [0, 0], count_include_pad: true };
        let three = AvgPool2d { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1], count_include_pad: true };
        let of = |name, op: &AvgPool2d, x: SampleInput| Sample::new(name, op.clone(), vec![x]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("plain", &two, x(&[2, 3, 6, 8])),
            of("ragged", &two, x(&[3, 5, 11, 13])),
            of("overlapping and padded", &three, x(&[2, 3, 7, 9])),
            of("padding not counted", &AvgPool2d { count_include_pad: false, ..three.clone() }, x(&[2, 3, 6, 7])),
            of("uneven", &AvgPool2d { kernel_size: [3, 2], stride: [1, 3], ..two.clone() }, x(&[1, 2, 5, 9])),
            of("no batch", &two, x(&[3, 4, 5])),
            of("whole plane", &AvgPool2d { kernel_size: [4, 5], ..two.clone() }, x(&[2, 3, 4, 5])),
            of("zero-sized", &two, x(&[0, 3, 4, 4])),
            of("reversed", &three, x(&[2, 3, 6, 7]).reversed()),
            of("strided", &two, x(&[2, 3, 6, 7]).strided()),
        ]
    }
}
