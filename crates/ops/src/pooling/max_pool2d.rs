//! Maxima over windows.

use super::MaxPool2dBackward;
use super::pixels::{self, Pixels};
use super::windows::{Planes, Windows, planes, taps, with_planes};
use crate::parallel;
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[n, c, p, q] = max_{(i, j) ∈ W} x[n, c, i, j]` over the window W at (p, q), and where it was found.
    ///
    /// Shapes: x `[N, C, H, W]` or `[C, H, W]`; both results the same with
    /// `H' = ⌊(H + 2·padding − kernel_size) / stride⌋ + 1`. The second is i32, `i · W + j` within the plane. The first
    /// maximum in row-major order wins, NaN wins over numbers; padding never does.
    ///
    /// Gradient: `max_pool2d_backward` puts g where the maximum was found. Work: a kernel, parallel over planes, that
    /// leaves out the indices where nobody wants them.
    pub struct MaxPool2d {
        /// Window (height, width).
        kernel_size: [usize; 2],
        /// Step between windows; 0 for the window's size.
        stride: [usize; 2] = [0, 0],
        /// Padding around each plane, at most half the window.
        padding: [usize; 2] = [0, 0],
    }
}

impl MaxPool2d {
    pub(super) fn windows(&self, input: [usize; 2]) -> Result<Windows> {
        Windows::new(input, self.kernel_size, self.stride, self.padding)
    }
}

/// Whether `next` takes the place of `best`: it is larger, or the first NaN.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord, clippy::eq_op)]
pub(super) fn beats<T: PartialOrd>(next: T, best: T) -> bool {
    // Both comparisons are made always, so that loops over this stay free of branches.
    !(next <= best) & (best == best)
}

/// Float types of the kernel.
pub(super) trait Maximum: Element {
    const LOWEST: Self;
}
impl Maximum for f32 {
    const LOWEST: f32 = f32::NEG_INFINITY;
}
impl Maximum for f64 {
    const LOWEST: f64 = f64::NEG_INFINITY;
}

/// Window by window.
fn pool<T: Maximum>(plane: &[T], windows: &Windows, out: &mut [T], found: &mut [i32]) {
    let ([_, width], [_, columns]) = (windows.output, windows.input);
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        let rows = windows.range(0, p);
        for (q, out) in out.iter_mut().enumerate() {
            let cols = windows.range(1, q);
            let (mut best, mut at) = (T::LOWEST, rows.start * columns + cols.start);
            for row in rows.clone() {
                let taps = &windows.rows(plane, row, 1)[cols.clone()];
                for (&next, index) in taps.iter().zip(row * columns + cols.start..) {
                    (best, at) = if beats(next, best) { (next, index) } else { (best, at) };
                }
            }
            *out = best;
            if let Some(found) = found.get_mut(p * width + q) {
                *found = at as i32;
            }
        }
    }
}

/// Row by row of the result, tap by tap in row-major order: the same maxima.
fn pool_wide<T: Maximum>(plane: &[T], windows: &Windows, out: &mut [T], found: &mut [i32]) {
    let ([_, width], [_, columns]) = (windows.output, windows.input);
    let (mut buffer, mut unwanted) = (Vec::new(), Vec::new());
    if found.is_empty() {
        unwanted.resize(width, 0);
    }
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        let found = found.get_mut(p * width..(p + 1) * width).unwrap_or(&mut unwanted);
        let rows = windows.range(0, p);
        out.fill(T::LOWEST);
        // Where nothing is larger than the lowest value, the first tap in the plane is the maximum.
        for (q, found) in found.iter_mut().enumerate() {
            *found = (rows.start * columns + windows.range(1, q).start) as i32;
        }
        for (row, tap) in rows.flat_map(|row| (0..windows.size[1]).map(move |tap| (row, tap))) {
            let range = windows.with_tap(tap);
            if range.is_empty() {
                continue;
            }
            let start = windows.column(range.start, tap);
            let taps = taps(windows.rows(plane, row, 1), start, windows.stride[1], range.len(), &mut buffer);
            let (first, step) = ((row * columns + start) as i32, windows.stride[1] as i32);
            let results = out[range.clone()].iter_mut().zip(&mut found[range]);
            for (((best, at), &next), i) in results.zip(taps).zip(0..) {
                (*best, *at) = if beats(next, *best) { (next, first + i * step) } else { (*best, *at) };
            }
        }
    }
}

/// Windows of two by two that touch without overlap: the same maxima.
fn pool_twos<T: Element>(plane: &[T], windows: &Windows, out: &mut [T], found: &mut [i32]) {
    let ([_, width], [_, columns]) = (windows.output, windows.input);
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        let (top, bottom) = windows.rows(plane, 2 * p, 2).split_at(columns);
        let windows = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
        let best = |([a, b], [c, d]): (&[T; 2], &[T; 2])| {
            let pick = |best: (T, i32), next: (T, i32)| if beats(next.0, best.0) { next } else { best };
            let columns = columns as i32;
            pick(pick((*a, 0), (*b, 1)), pick((*c, columns), (*d, columns + 1)))
        };
        match found.get_mut(p * width..(p + 1) * width) {
            Some(found) => {
                let start = (2 * p * columns) as i32;
                for (((out, found), window), q) in out.iter_mut().zip(found).zip(windows).zip(0..) {
                    let (value, offset) = best(window);
                    *out = value;
                    *found = start + 2 * q + offset;
                }
            }
            None => out.iter_mut().zip(windows).for_each(|(out, window)| *out = best(window).0),
        }
    }
}

fn run<T: Maximum>(args: &mut CpuArgs<'_>, windows: &Windows) {
    let input = args.inputs[0];
    let [values, found] = args.outputs else { return };
    if let Some(pixels) =
        Pixels::of(&input).filter(|_| values.iter().chain(&*found).all(|o| o.layout.is_channels_last()))
    {
        let values = values.as_mut().map_or(&mut [] as &mut [T], |o| o.elements());
        let found = found.as_mut().map_or(&mut [] as &mut [i32], |o| o.elements());
        return pixels::maxima(pixels, windows, values, found, args.threads);
    }
    let planes = Planes::<T>::of(&input);
    let each = windows.outputs();
    let found = found.as_mut().map_or(&mut [] as &mut [i32], |o| o.elements());
    let mut unwanted = Vec::new();
    let values = match values {
        Some(values) => values.elements::<T>(),
        None => {
            unwanted.resize(found.len(), T::default());
            &mut unwanted[..]
        }
    };
    let work = each * windows.size[0] * windows.size[1];
    parallel::each_pair(args.threads, (values, each), (found, each), work, |i, out, found| {
        let mut buffer = Vec::new();
        let plane = planes.get(i, &mut buffer);
        if windows.are_twos() {
            pool_twos(plane, windows, out, found);
        } else if windows.are_wide() {
            pool_wide(plane, windows, out, found);
        } else {
            pool(plane, windows, out, found);
        }
    });
}

impl Op for MaxPool2d {
    const NAME: &'static str = "max_pool2d";
    const DOC: &'static str = "Maximum over windows: `out[n, c, p, q] = max_{(i, j) ∈ W} x[n, c, i, j]`, with the place of \
        each maximum in its plane, `i · W + j`, as second result.\n\n\
        x is `[N, C, H, W]` or `[C, H, W]`. Throws a ShapeError where the window is larger than the padded plane.";
    const CHANNELS_LAST: bool = true;
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "Images, `[N, C, H, W]` or `[C, H, W]`.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let windows = self.windows(planes(&inputs[0], "x")?)?;
        if windows.inputs() > i32::MAX as usize {
            return Err(Error::shape("max_pool2d finds places in planes of at most 2^31 − 1 elements").at("x"));
        }
        let shape = with_planes(inputs[0].shape, windows.output);
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }, TensorType { dtype: DType::I32, shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn saved(&self) -> Saved {
        Saved { inputs: 0, outputs: 0b10 }
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let input_size = planes(&cx.input_type(0), "x")?;
        let found = cx.output(1);
        let grad = cx.apply(MaxPool2dBackward { input_size }, &[g, found])?;
        cx.set(0, grad);
        Ok(())
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let windows = self.windows(planes(&cx.ty(inputs[0]), "x")?)?;
        super::plain::max_pool2d(cx, inputs[0], &windows).map(Some)
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let shape = args.inputs[0].layout.shape;
        let windows = self.windows([shape[shape.rank() - 2], shape[shape.rank() - 1]])?;
        match args.inputs[0].dtype {
            DType::F64 => run::<f64>(args, &windows),
            _ => run::<f32>(args, &windows),
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<MaxPool2d>> {
        let two = MaxPool2d { kernel_size: [2, 2], stride: [0, 0], padding: [0, 0] };
        let three = MaxPool2d { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1] };
        let of = |name, op: &MaxPool2d, x: SampleInput| Sample::new(name, op.clone(), vec![x]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("plain", &two, x(&[2, 3, 6, 8])),
            of("ragged", &two, x(&[3, 5, 11, 13])),
            of("overlapping and padded", &three, x(&[2, 3, 7, 9])),
            of("uneven", &MaxPool2d { kernel_size: [3, 2], stride: [1, 3], padding: [1, 0] }, x(&[1, 2, 5, 9])),
            of("no batch", &two, x(&[3, 4, 5])),
            of("whole plane", &MaxPool2d { kernel_size: [4, 5], ..two.clone() }, x(&[2, 3, 4, 5])),
            of("all negative", &three, x(&[1, 2, 5, 5]).within(-2.0, -1.0)),
            of("zero-sized", &two, x(&[0, 3, 4, 4])),
            of("reversed", &three, x(&[2, 3, 6, 7]).reversed()),
            of("strided", &two, x(&[2, 3, 6, 7]).strided()),
            of("ties", &two, x(&[1, 2, 4, 4]).values(&[1.0, 1.0, 0.0])).without_gradient(),
        ]
    }
}
