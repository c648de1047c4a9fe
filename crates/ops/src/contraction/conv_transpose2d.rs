//! Transposed convolution: also a convolution's gradient towards its input.

use super::geometry::{Geometry, Steps, four, same_dtype};
use super::{Conv2d, Conv2dWeightGradient};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[n, c, p, q] = Σ_{k, i, j} x[n, k, (p + m − i·d) / s, (q + m − j·d) / s] · weight[k, c, i, j]`, over the taps
    /// that `s` divides: what `conv2d` of this weight is transposed, and so its gradient towards its input.
    ///
    /// Shapes: x `[N, K, H', W']`, weight `[K, C/groups, h, w]`, result `[N, C, H, W]` with (H, W) the output size: one
    /// of those that `conv2d` takes to (H', W').
    ///
    /// Gradient: `conv2d` towards x, `conv2d_weight_gradient` towards weight. Work: one contraction; what the stride
    /// skips costs nothing.
    pub struct ConvTranspose2d {
        /// Height and width of the result.
        output_size: [usize; 2],
        /// Step between windows in the result (height, width).
        stride: [usize; 2] = [1, 1],
        /// Rows and columns of the windows that are left out on each side (height, width).
        padding: [usize; 2] = [0, 0],
        /// Step between a window's taps (height, width).
        dilation: [usize; 2] = [1, 1],
        /// Parts into which the channels are divided, each convolved by itself.
        groups: usize = 1,
    }
}

impl ConvTranspose2d {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        let x = four(&inputs[0], "x", "[N, K, H', W']")?;
        let weight = four(&inputs[1], "weight", "[K, C/groups, h, w]")?;
        same_dtype(&inputs[0], &inputs[1], ["x", "weight"])?;
        let ConvTranspose2d { output_size, stride, padding, dilation, groups } = *self;
        Steps { stride, padding, dilation, groups }.towards_input(x, weight, output_size)
    }
}

impl Op for ConvTranspose2d {
    const NAME: &'static str = "conv_transpose2d";
    const DOC: &'static str = "Transposed convolution: \
        `out[n, c, p, q] = Σ_{k, i, j} x[n, k, (p + m − i·d)/s, (q + m − j·d)/s] · weight[k, c, i, j]` over the taps \
        that the stride `s` divides, with dilation `d` and padding `m`.\n\n\
        x is `[N, K, H', W']`, weight `[K, C/groups, h, w]`, the result `[N, C, H, W]` of the output size, one of those \
        that `conv2d` takes to `[H', W']`; else it throws a ShapeError.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "Images, `[N, K, H', W']`."),
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
        let ConvTranspose2d { stride, padding, dilation, groups, .. } = *self;
        if cx.wants(0) {
            let weight = cx.input(1);
            let grad = cx.apply(Conv2d { stride, padding, dilation, groups }, &[u, weight])?;
            cx.set(0, grad);
        }
        if cx.wants(1) {
            let [_, _, height, width] = four(&cx.input_type(1), "weight", "[K, C/groups, h, w]")?;
            let x = cx.input(0);
            let op = Conv2dWeightGradient { kernel_size: [height, width], stride, padding, dilation, groups };
            let grad = cx.apply(op, &[u, x])?;
            cx.set(1, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<ConvTranspose2d>> {
        let plain =
            ConvTranspose2d { output_size: [6, 6], stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
        let of = |name, op: &ConvTranspose2d, images: SampleInput, w: SampleInput| {
            Sample::new(name, op.clone(), vec![images, w])
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let sized = |size: [usize; 2]| ConvTranspose2d { output_size: size, ..plain.clone() };
        let same = ConvTranspose2d { padding: [1, 1], ..sized([11, 13]) };
        let strided = ConvTranspose2d { stride: [2, 2], padding: [1, 1], ..sized([9, 8]) };
        let uneven = ConvTranspose2d { stride: [2, 1], padding: [0, 2], dilation: [1, 2], ..sized([7, 9]) };
        let past = ConvTranspose2d { stride: [3, 3], ..sized([8, 8]) };
        let grouped = ConvTranspose2d { groups: 2, padding: [1, 1], ..sized([5, 6]) };
        let skipping = ConvTranspose2d { stride: [2, 2], dilation: [2, 2], ..sized([7, 8]) };
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
