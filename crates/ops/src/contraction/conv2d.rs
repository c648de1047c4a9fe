//! Two-dimensional convolution.

use super::geometry::{Geometry, Steps, four, same_dtype};
use super::{Conv2dWeightGradient, ConvTranspose2d};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Op, Result, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// `out[n, k, p, q] = Σ_{c, i, j} x[n, c, p·s + i·d − m, q·s + j·d − m] · weight[k, c, i, j]` with stride `s`,
    /// dilation `d` and padding `m` (zeros): the cross-correlation that deep learning calls convolution.
    ///
    /// Shapes: x `[N, C, H, W]`, weight `[K, C/groups, h, w]`, result `[N, K, H', W']` with
    /// `H' = ⌊(H + 2m − d·(h − 1) − 1) / s⌋ + 1`. A bias is an addition of its own, which fuses with what follows.
    ///
    /// Gradient: two more convolutions, `conv_transpose2d` and `conv2d_weight_gradient`. The three are the
    /// derivatives of one trilinear form, so second order needs nothing else. Work: one contraction whose access to x
    /// is the virtual column matrix; groups are its batch.
    pub struct Conv2d {
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

impl Conv2d {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        let x = four(&inputs[0], "x", "[N, C, H, W]")?;
        let weight = four(&inputs[1], "weight", "[K, C/groups, h, w]")?;
        same_dtype(&inputs[0], &inputs[1], ["x", "weight"])?;
        let Conv2d { stride, padding, dilation, groups } = *self;
        Steps { stride, padding, dilation, groups }.forward(x, weight)
    }
}

impl Op for Conv2d {
    const NAME: &'static str = "conv2d";
    const DOC: &'static str = "Convolution over height and width: \
        `out[n, k, p, q] = Σ_{c, i, j} x[n, c, p·s + i·d − m, q·s + j·d − m] · weight[k, c, i, j]`.\n\n\
        x is `[N, C, H, W]`, weight `[K, C/groups, h, w]`, the result `[N, K, H', W']`. Throws a ShapeError where \
        channels don't match or the kernel is larger than the padded input.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "Images, `[N, C, H, W]`."),
        InputSchema::required("weight", "Filters, `[K, C/groups, h, w]`."),
    ];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.geometry(inputs)?.output_shape() }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        // `infer` has accepted these inputs.
        self.geometry(inputs).map_or(Work::Kernel, |geometry| Work::Contraction(geometry.forward()))
    }

    fn saved(&self) -> Saved {
        Saved::INPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let Conv2d { stride, padding, dilation, groups } = *self;
        if cx.wants(0) {
            let [_, _, height, width] = four(&cx.input_type(0), "x", "[N, C, H, W]")?;
            let weight = cx.input(1);
            let op = ConvTranspose2d { output_size: [height, width], stride, padding, dilation, groups };
            let grad = cx.apply(op, &[g, weight])?;
            cx.set(0, grad);
        }
        if cx.wants(1) {
            let [_, _, height, width] = four(&cx.input_type(1), "weight", "[K, C/groups, h, w]")?;
            let x = cx.input(0);
            let op = Conv2dWeightGradient { kernel_size: [height, width], stride, padding, dilation, groups };
            let grad = cx.apply(op, &[x, g])?;
            cx.set(1, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Conv2d>> {
        let plain = Conv2d { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
        let of = |name, op: &Conv2d, x: SampleInput, w: SampleInput| Sample::new(name, op.clone(), vec![x, w]);
        let x = |shape: &[usize]| SampleInput::float(shape);
        let same = Conv2d { padding: [1, 1], ..plain.clone() };
        let strided = Conv2d { stride: [2, 2], padding: [1, 1], ..plain.clone() };
        let uneven = Conv2d { stride: [2, 1], padding: [0, 2], dilation: [1, 2], ..plain.clone() };
        let dilated = Conv2d { dilation: [2, 2], padding: [2, 2], ..plain.clone() };
        let grouped = Conv2d { groups: 2, ..same.clone() };
        let depthwise = Conv2d { groups: 3, ..strided.clone() };
        vec![
            of("plain", &plain, x(&[2, 3, 6, 6]), x(&[4, 3, 3, 3])),
            of("ragged", &same, x(&[3, 5, 11, 13]), x(&[7, 5, 3, 3])),
            of("stride", &strided, x(&[2, 3, 9, 8]), x(&[5, 3, 3, 3])),
            of("uneven stride, padding and dilation", &uneven, x(&[2, 2, 7, 9]), x(&[3, 2, 2, 3])),
            of("dilated", &dilated, x(&[1, 2, 8, 7]), x(&[3, 2, 3, 3])),
            of("groups", &grouped, x(&[2, 4, 5, 6]), x(&[6, 2, 3, 3])),
            of("depthwise", &depthwise, x(&[2, 3, 7, 7]), x(&[6, 1, 3, 3])),
            of("pointwise", &plain, x(&[2, 8, 4, 5]), x(&[3, 8, 1, 1])),
            of("kernel as large as the input", &plain, x(&[2, 3, 4, 5]), x(&[2, 3, 4, 5])),
            of(
                "stride past the kernel",
                &Conv2d { stride: [3, 3], ..plain.clone() },
                x(&[1, 2, 8, 8]),
                x(&[2, 2, 2, 2]),
            ),
            of("zero-sized", &same, x(&[0, 3, 6, 6]), x(&[4, 3, 3, 3])),
            of("reversed", &same, x(&[2, 3, 6, 5]).reversed(), x(&[4, 3, 3, 3]).reversed()),
            of("strided", &strided, x(&[2, 3, 6, 5]).strided(), x(&[4, 3, 3, 3]).strided()),
        ]
    }
}
