//! The gradient of averages over windows.

use super::AvgPool2d;
use super::avg_pool2d::{Average, divisor};
use super::pixels::{self, Pixels};
use super::windows::{Planes, Windows, planes, with_planes};
use crate::parallel;
use fovea_core::device::CpuArgs;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[n, c, i, j] = Σ g[n, c, p, q] / |W|` over the windows W at (p, q) that hold (i, j): the companion of
    /// `avg_pool2d`.
    ///
    /// Shapes: g `[N, C, H', W']` or `[C, H', W']`, result the same with the planes of `input_size`.
    ///
    /// Gradient: `avg_pool2d`. Work: a kernel, parallel over planes; windows add in row-major order.
    pub struct AvgPool2dBackward {
        /// Height and width of the pooled planes.
        input_size: [usize; 2],
        /// Window (height, width).
        kernel_size: [usize; 2],
        /// Step between windows; 0 for the window's size.
        stride: [usize; 2] = [0, 0],
        /// Zeros around each plane.
        padding: [usize; 2] = [0, 0],
        /// Whether padding counts to |W|.
        count_include_pad: bool = true,
    }
}

impl AvgPool2dBackward {
    fn windows(&self) -> Result<Windows> {
        Windows::new(self.input_size, self.kernel_size, self.stride, self.padding)
    }
}

/// Window by window in row-major order.
fn spread<T: Average>(g: &[T], windows: &Windows, include_pad: bool, out: &mut [T]) {
    out.fill(T::default());
    let ([_, columns], [_, width]) = (windows.input, windows.output);
    for (at, &g) in g.iter().enumerate() {
        let (p, q) = (at / width, at % width);
        let share = g / T::count(divisor(windows, include_pad, p, q));
        let cols = windows.range(1, q);
        for row in windows.range(0, p) {
            let out = &mut out[row * columns..(row + 1) * columns];
            out[cols.clone()].iter_mut().for_each(|out| *out = *out + share);
        }
    }
}

/// Windows of two by two that touch without overlap: the same values.
fn spread_twos<T: Average>(g: &[T], windows: &Windows, out: &mut [T]) {
    let ([_, columns], [_, width]) = (windows.input, windows.output);
    let (covered, rest) = out.split_at_mut(2 * windows.output[0] * columns);
    rest.fill(T::default());
    for (out, g) in covered.chunks_exact_mut(2 * columns).zip(g.chunks_exact(width)) {
        for out in out.chunks_exact_mut(columns) {
            let (covered, rest) = out.split_at_mut(2 * width);
            rest.fill(T::default());
            let share = |g: T| T::default() + g / T::count(4);
            covered.as_chunks_mut::<2>().0.iter_mut().zip(g).for_each(|(out, &g)| *out = [share(g); 2]);
        }
    }
}

fn run<T: Average>(args: &mut CpuArgs<'_>, windows: &Windows, include_pad: bool) {
    let Some(out) = &mut args.outputs[0] else { return };
    if let Some(g) = Pixels::of(&args.inputs[0]).filter(|_| out.layout.is_channels_last()) {
        return pixels::spread::<T>(g, windows, include_pad, out.elements(), args.threads);
    }
    let planes = Planes::<T>::of(&args.inputs[0]);
    let work = windows.inputs() + windows.outputs() * windows.size[0] * windows.size[1];
    parallel::each(args.threads, out.elements::<T>(), windows.inputs(), work, |i, out| {
        let mut buffer = Vec::new();
        let g = planes.get(i, &mut buffer);
        if windows.are_twos() {
            spread_twos(g, windows, out);
        } else {
            spread(g, windows, include_pad, out);
        }
    });
}

impl Op for AvgPool2dBackward {
    const NAME: &'static str = "avg_pool2d_backward";
    const DOC: &'static str = "Gradient of `avg_pool2d`: `out[n, c, i, j] = Σ g[n, c, p, q] / |W|` over the windows W at \
        (p, q) that hold (i, j).";
    const CHANNELS_LAST: bool = true;
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("g", "Gradient of the averages.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let windows = self.windows()?;
        let size = planes(&inputs[0], "g")?;
        if size != windows.output {
            return Err(Error::shape(format!(
                "g must have planes of {:?}, got shape {}",
                windows.output, inputs[0].shape
            ))
            .at("g")
            .expected(format!("{:?}", windows.output))
            .received(format!("{size:?}")));
        }
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: with_planes(inputs[0].shape, self.input_size) }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(u) = cx.gradient(0) else { return Ok(()) };
        let AvgPool2dBackward { kernel_size, stride, padding, count_include_pad, .. } = *self;
        let grad = cx.apply(AvgPool2d { kernel_size, stride, padding, count_include_pad }, &[u])?;
        cx.set(0, grad);
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        let windows = self.windows()?;
        match args.inputs[0].dtype {
            DType::F64 => run::<f64>(args, &windows, self.count_include_pad),
            _ => run::<f32>(args, &windows, self.count_include_pad),
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<AvgPool2dBackward>> {
        let two = AvgPool2dBackward {
            input_size: [6, 8],
            kernel_size: [2, 2],
            stride: [0, 0],
            padding: [0, 0],
            count_include_pad: true,
        };
        let three = AvgPool2dBackward {
            input_size: [7, 9],
            kernel_size: [3, 3],
            stride: [2, 2],
            padding: [1, 1],
            ..two.clone()
        };
        let of = |name, op: &AvgPool2dBackward, x: SampleInput| Sample::new(name, op.clone(), vec![x]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("plain", &two, x(&[2, 3, 3, 4])),
            of("ragged", &AvgPool2dBackward { input_size: [11, 13], ..two.clone() }, x(&[3, 5, 5, 6])),
            of("overlapping and padded", &three, x(&[2, 3, 4, 5])),
            of(
                "padding not counted",
                &AvgPool2dBackward { count_include_pad: false, ..three.clone() },
                x(&[2, 3, 4, 5]),
            ),
            of("no batch", &two, x(&[3, 3, 4])),
            of("zero-sized", &two, x(&[0, 3, 3, 4])),
            of("reversed", &three, x(&[2, 3, 4, 5]).reversed()),
            of("strided", &two, x(&[2, 3, 3, 4]).strided()),
        ]
    }
}
