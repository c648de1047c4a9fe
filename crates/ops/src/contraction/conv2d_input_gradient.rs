//! A convolution's gradient towards its input.

use super::geometry::{Geometry, Steps, four, same_dtype};
use super::{Conv2d, Conv2dWeightGradient};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[n, c, p, q] = Σ_{k, i, j} g[n, k, (p + m − i·d) / s, (q + m − j·d) / s] · weight[k, c, i, j]`, over the taps
    /// that `s` divides: what `conv2d` is transposed by its weight. Also the transposed convolution.
    ///
    /// Shapes: g `[N, K, H', W']`, weight `[K, C/groups, h, w]`, result `[N, C, H, W]` with (H, W) the input's size.
    ///
    /// Gradient: `conv2d` towards g, `conv2d_weight_gradient` towards weight. Work: one contraction; what the stride
    /// skips costs nothing.
    pub struct Conv2dInputGradient {
        /// Height and width of the convolution's input.
        input_size: [usize; 2],
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

impl Conv2dInputGradient {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        let g = four(&inputs[0], "g", "[N, K, H', W']")?;
        let weight = four(&inputs[1], "weight", "[K, C/groups, h, w]")?;
        same_dtype(&inputs[0], &inputs[1], ["g", "weight"])?;
        let Conv2dInputGradient { input_size, stride, padding, dilation, groups } = *self;
        Steps { stride, padding, dilation, groups }.towards_input(g, weight, input_size)
    }
}

impl Op for Conv2dInputGradient {
    const NAME: &'static str = "conv2d_input_gradient";
    const DOC: &'static str = "Gradient of `conv2d` towards its input: \
        `out[n, c, p, q] = Σ_{k, i, j} g[n, k, (p + m − i·d)/s, (q + m − j·d)/s] · weight[k, c, i, j]`.\n\n\
        g is `[N, K, H', W']`, weight `[K, C/groups, h, w]`, the result `[N, C, H, W]`.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("g", "Gradient of the result, `[N, K, H', W']`."),
        InputSchema::required("weight", "Filters, `[K, C/groups, h, w]`."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.geometry(inputs)?.input_shape() }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        // `infer` has accepted these inputs.
        self.geometry(inputs).map_or(Work::Kernel, |geometry| Work::Contraction(geometry.towards_input()))
    }

    fn saved(&self) -> Saved {
        Saved::INPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(u) = cx.gradient(0) else { return Ok(()) };
        let Conv2dInputGradient { stride, padding, dilation, groups, .. } = *self;
        if cx.wants(0) {
            let weight = cx.input(1);
            let grad = cx.apply(Conv2d { stride, padding, dilation, groups }, &[u, weight])?;
            cx.set(0, grad);
        }
        if cx.wants(1) {
            let [_, _, height, width] = four(&cx.input_type(1), "weight", "[K, C/groups, h, w]")?;
            let g = cx.input(0);
            let op = Conv2dWeightGradient { kernel_size: [height, width], stride, padding, dilation, groups };
            let grad = cx.apply(op, &[u, g])?;
            cx.set(1, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Conv2dInputGradient>> {
        let plain =
            Conv2dInputGradient { input_size: [6, 6], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
        let of =
            |name, op: &Conv2dInputGradient, g: SampleInput, w: SampleInput| Sample::new(name, op.clone(), vec![g, w]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        let sized = |size: [usize; 2]| Conv2dInputGradient { input_size: size, ..plain.clone() };
        let same = Conv2dInputGradient { padding: [1, 1], ..sized([11, 13]) };
        let strided = Conv2dInputGradient { stride: [2, 2], padding: [1, 1], ..sized([9, 8]) };
        let uneven = Conv2dInputGradient { stride: [2, 1], padding: [0, 2], dilation: [1, 2], ..sized([7, 9]) };
        let past = Conv2dInputGradient { stride: [3, 3], ..sized([8, 8]) };
        let grouped = Conv2dInputGradient { groups: 2, padding: [1, 1], ..sized([5, 6]) };
        let skipping = Conv2dInputGradient { stride: [2, 2], dilation: [2, 2], ..sized([7, 8]) };
        vec![
            of("plain", &plain, x(&[2, 4, 4, 4]), x(&[4, 3, 3, 3])),
            of("ragged", &same, x(&[3, 7, 11, 13]), x(&[7, 5, 3, 3])),
            of("stride", &strided, x(&[2, 5, 5, 4]), x(&[5, 3, 3, 3])),
            of("uneven stride, padding and dilation", &uneven, x(&[2, 3, 3, 9]), x(&[3, 2, 2, 3])),
            of("stride past the kernel", &past, x(&[1, 2, 3, 3]), x(&[2, 2, 2, 2])),
            of("stride and dilation share a factor", &skipping, x(&[1, 2, 2, 2]), x(&[2, 3, 3, 3])),
            of("groups", &grouped, x(&[2, 6, 5, 6]), x(&[6, 2, 3, 3])),
            of("zero-sized", &plain, x(&[0, 4, 4, 4]), x(&[4, 3, 3, 3])),
            of("reversed", &plain, x(&[2, 4, 4, 4]).reversed(), x(&[4, 3, 3, 3]).reversed()),
            of("strided", &strided, x(&[2, 5, 5, 4]).strided(), x(&[5, 3, 3, 3]).strided()),
        ]
    }
}
