//! A convolution's gradient towards its weight.

use super::geometry::{Geometry, Steps, four, same_dtype};
use super::{Conv2d, ConvTranspose2d};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[k, c, i, j] = Σ_{n, p, q} x[n, c, p·s + i·d − m, q·s + j·d − m] · g[n, k, p, q]`.
    ///
    /// Shapes: x `[N, C, H, W]`, g `[N, K, H', W']`, result `[K, C/groups, h, w]` with (h, w) the kernel's size.
    ///
    /// Gradient: `conv_transpose2d` towards x, `conv2d` towards g. Work: one contraction.
    pub struct Conv2dWeightGradient {
        /// Height and width of the kernel.
        kernel_size: [usize; 2],
        /// Step between windows (height, width).
        stride: [usize; 2] = [1, 1],
        /// Zeros around the input (height, width).
        padding: [usize; 2] = [0, 0],
        /// Step between a window's taps (height, width).
        dilation: [usize; 2] = [1, 1],
        /// Parts into which the channels are divided, each convolved by itself.
        groups: usize = 1,
    }
}

impl Conv2dWeightGradient {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        let x = four(&inputs[0], "x", "[N, C, H, W]")?;
        let g = four(&inputs[1], "g", "[N, K, H', W']")?;
        same_dtype(&inputs[0], &inputs[1], ["x", "g"])?;
        let Conv2dWeightGradient { kernel_size, stride, padding, dilation, groups } = *self;
        Steps { stride, padding, dilation, groups }.towards_weight(x, g, kernel_size)
    }
}

impl Op for Conv2dWeightGradient {
    const NAME: &'static str = "conv2d_weight_gradient";
    const DOC: &'static str = "Gradient of `conv2d` towards its weight: \
        `out[k, c, i, j] = Σ_{n, p, q} x[n, c, p·s + i·d − m, q·s + j·d − m] · g[n, k, p, q]`.\n\n\
        x is `[N, C, H, W]`, g `[N, K, H', W']`, the result `[K, C/groups, h, w]`.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "Images, `[N, C, H, W]`."),
        InputSchema::required("g", "Gradient of the result, `[N, K, H', W']`."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.geometry(inputs)?.weight_shape() }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        // `infer` has accepted these inputs.
        self.geometry(inputs).map_or(Work::Kernel, |geometry| Work::Contraction(geometry.towards_weight()))
    }

    fn saved(&self) -> Saved {
        Saved::INPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(u) = cx.gradient(0) else { return Ok(()) };
        let Conv2dWeightGradient { stride, padding, dilation, groups, .. } = *self;
        if cx.wants(0) {
            let [_, _, height, width] = four(&cx.input_type(0), "x", "[N, C, H, W]")?;
            let g = cx.input(1);
            let op = ConvTranspose2d { output_size: [height, width], stride, padding, dilation, groups };
            let grad = cx.apply(op, &[g, u])?;
            cx.set(0, grad);
        }
        if cx.wants(1) {
            let x = cx.input(0);
            let grad = cx.apply(Conv2d { stride, padding, dilation, groups }, &[x, u])?;
            cx.set(1, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Conv2dWeightGradient>> {
        let plain =
            Conv2dWeightGradient { kernel_size: [3, 3], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
        let of =
            |name, op: &Conv2dWeightGradient, a: SampleInput, b: SampleInput| Sample::new(name, op.clone(), vec![a, b]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        let same = Conv2dWeightGradient { padding: [1, 1], ..plain.clone() };
        let strided = Conv2dWeightGradient { stride: [2, 2], ..same.clone() };
        let uneven = Conv2dWeightGradient {
            kernel_size: [2, 3],
            stride: [2, 1],
            padding: [0, 2],
            dilation: [1, 2],
            ..plain.clone()
        };
        let grouped = Conv2dWeightGradient { groups: 2, ..same.clone() };
        let depthwise = Conv2dWeightGradient { groups: 3, ..strided.clone() };
        vec![
            of("plain", &plain, x(&[2, 3, 6, 6]), x(&[2, 4, 4, 4])),
            of("ragged", &same, x(&[3, 5, 11, 13]), x(&[3, 7, 11, 13])),
            of("stride", &strided, x(&[2, 3, 9, 8]), x(&[2, 5, 5, 4])),
            of("uneven stride, padding and dilation", &uneven, x(&[2, 2, 7, 9]), x(&[2, 3, 3, 9])),
            of("groups", &grouped, x(&[2, 4, 5, 6]), x(&[2, 6, 5, 6])),
            of("depthwise", &depthwise, x(&[2, 3, 7, 7]), x(&[2, 6, 4, 4])),
            of("zero-sized", &same, x(&[0, 3, 6, 6]), x(&[0, 4, 6, 6])),
            of("reversed", &same, x(&[2, 3, 6, 5]).reversed(), x(&[2, 4, 6, 5]).reversed()),
            of("strided", &strided, x(&[2, 3, 6, 5]).strided(), x(&[2, 4, 3, 3]).strided()),
        ]
    }
}
