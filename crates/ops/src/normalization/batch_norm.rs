//! Batch normalisation.

use super::standardize::{AFFINE, Standardize};
use super::statistics::{Axes, check_float, count, moments, reciprocal_deviation};
use crate::movement::{Expand, Reshape};
use fovea_core::attributes::{Float, Given};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// Ioffe and Szegedy, "Batch Normalization", ICML 2015, https://arxiv.org/abs/1502.03167:
    /// `y = (x − mean) / √(variance + eps) · weight + bias` for each channel.
    ///
    /// Shapes: x `[N, C, …]`; weight, bias, running_mean and running_var `[C]` or a number for all channels. Results: y,
    /// and mean and biased variance `[C]` of the batch in training, the running ones otherwise. The caller moves the
    /// running statistics on.
    ///
    /// Gradient: through the statistics in training, past them otherwise. Work: a composition; mean, variance and y
    /// take a pass each, the gradient two.
    pub struct BatchNorm {
        /// Whether the batch's own statistics are used.
        training: bool = false,
        /// Added to the variance.
        eps: Float = Float(1e-5),
        /// Which inputs are given.
        given: Given,
    }
}

const WEIGHT: usize = 1;
const BIAS: usize = 2;
const RUNNING_MEAN: usize = 3;
const RUNNING_VAR: usize = 4;
/// What has one number for each channel, by input.
const CHANNELS: [(usize, &str); 4] =
    [(WEIGHT, "weight"), (BIAS, "bias"), (RUNNING_MEAN, "running_mean"), (RUNNING_VAR, "running_var")];

impl BatchNorm {
    fn check(&self, inputs: &[TensorType]) -> Result<Axes> {
        let x = &inputs[0];
        check_float("batch_norm", x, "x")?;
        if x.shape.rank() < 2 {
            return Err(Error::shape(format!("x must be [N, C, …], got shape {}", x.shape))
                .at("x")
                .expected("two dimensions or more")
                .received(x.shape.to_string()));
        }
        let channels = Shape::from([x.shape[1]]);
        for (input, name) in CHANNELS {
            let Some(ty) = self.given.position(input).map(|at| &inputs[at]) else { continue };
            if ty.shape.rank() != 0 && ty.shape != channels {
                return Err(Error::shape(format!("{name} must have shape {channels}, x's channels, got {}", ty.shape))
                    .at(name)
                    .expected(channels.to_string())
                    .received(ty.shape.to_string()));
            }
            if ty.dtype != x.dtype && ty.shape.rank() != 0 {
                return Err(Error::dtype(format!("{name} is {} but x is {}; cast one", ty.dtype, x.dtype))
                    .at(name)
                    .expected(x.dtype.name())
                    .received(ty.dtype.name()));
            }
        }
        let axes: Axes = (0..x.shape.rank()).filter(|&a| a != 1).collect();
        let running = self.given.has(RUNNING_MEAN) && self.given.has(RUNNING_VAR);
        if !self.training && !running {
            return Err(Error::argument("batch_norm needs running_mean and running_var outside training")
                .at("running_mean")
                .expected("running statistics, or training: true")
                .received("none"));
        }
        if self.training && count(x.shape, &axes) < 2 {
            return Err(Error::shape(format!(
                "batch_norm needs more than one value for each channel in training, got x of shape {}",
                x.shape
            ))
            .at("x")
            .expected("a larger batch, or training: false")
            .received(x.shape.to_string()));
        }
        Ok(axes)
    }
}

/// A `[C]` value, or a number, as it broadcasts against x: `[C, 1, …]`.
fn beside(cx: &mut Build<'_>, val: Val, x: Val) -> Result<Val> {
    let (rank, dtype) = (cx.shape(x).rank(), cx.dtype(x));
    let val = if cx.dtype(val) == dtype { val } else { cx.apply(crate::scalar::Cast { dtype }, &[val])? };
    let shape = cx.shape(val);
    if shape.rank() == 0 || rank == 2 {
        return Ok(val);
    }
    let shape: Shape = shape.iter().copied().chain((2..rank).map(|_| 1)).collect();
    cx.apply(Reshape::to(shape), &[val])
}

/// What broadcasts against x as `[C]`.
fn channel_list(cx: &mut Build<'_>, val: Val, channels: Shape) -> Result<Val> {
    let shape = cx.shape(val);
    if shape.rank() == 0 { cx.apply(Expand::to(channels), &[val]) } else { cx.apply(Reshape::to(channels), &[val]) }
}

impl Op for BatchNorm {
    const NAME: &'static str = "batch_norm";
    const DOC: &'static str = "Batch normalisation: `y = (x − mean) / √(variance + eps) · weight + bias` for each \
        channel; also mean and biased variance, `[C]`. Ioffe and Szegedy, ICML 2015, https://arxiv.org/abs/1502.03167.\n\n\
        x is `[N, C, …]`, everything else `[C]` or a number. With `training` the statistics are the batch's, otherwise \
        running_mean and running_var. Throws a ShapeError for a batch of one value for each channel in training.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "Activations, `[N, C, …]`."),
        InputSchema::optional("weight", "Scale, `[C]`; 1 where left out."),
        InputSchema::optional("bias", "Shift, `[C]`; 0 where left out."),
        InputSchema::optional("running_mean", "Mean used outside training, `[C]`."),
        InputSchema::optional("running_var", "Variance used outside training, `[C]`."),
    ];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        self.check(inputs)?;
        let statistic = TensorType::new(inputs[0].dtype, [inputs[0].shape[1]]);
        Ok(smallvec![inputs[0], statistic, statistic])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("batch_norm is recorded as its composition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let types: Vec<TensorType> = inputs.iter().map(|&v| cx.ty(v)).collect();
        let axes = self.check(&types)?;
        let x = inputs[0];
        let TensorType { dtype, shape } = types[0];
        let channels = Shape::from([shape[1]]);
        let channels_of = |cx: &mut Build<'_>, input: usize, default: f64| match self.given.position(input) {
            Some(at) => beside(cx, inputs[at], x),
            None => Ok(cx.scalar(default, dtype)),
        };
        let weight = channels_of(cx, WEIGHT, 1.0)?;
        let bias = channels_of(cx, BIAS, 0.0)?;
        if self.training {
            let [mean, variance] = moments(cx, x, &axes)?;
            let r = reciprocal_deviation(cx, variance, self.eps.0)?;
            let y = cx.apply(Standardize { axes, one_weight: true }, &[x, mean, r, weight, bias])?;
            return Ok(Some(vec![y, channel_list(cx, mean, channels)?, channel_list(cx, variance, channels)?]));
        }
        let (mean, variance) = (channels_of(cx, RUNNING_MEAN, 0.0)?, channels_of(cx, RUNNING_VAR, 1.0)?);
        let r = reciprocal_deviation(cx, variance, self.eps.0)?;
        let y = cx.apply_dyn(AFFINE.of(dtype), &[x, mean, r, weight, bias])?;
        Ok(Some(vec![y, channel_list(cx, mean, channels)?, channel_list(cx, variance, channels)?]))
    }

    fn samples() -> Vec<Sample<BatchNorm>> {
        const ALL: Given = Given(0b11111);
        let of = |name, training: bool, x: SampleInput, given: Given| {
            let channels = x.shape[1];
            let vector = || SampleInput::float([channels]);
            let positive = || vector().within(0.5, 2.0);
            let all = [x, positive(), vector(), vector(), positive()];
            let inputs = all.into_iter().enumerate().filter(|(i, _)| given.has(*i)).map(|(_, input)| input).collect();
            Sample::new(name, BatchNorm { training, eps: Float(1e-5), given }, inputs)
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let affine = Given::first(3);
        let mut large = of("large eps", true, x(&[3, 4, 5]), affine);
        large.op.eps = Float(0.1);
        // A mean far from zero beside a small deviation loses as many digits as their quotient has, in any formula.
        let far = of("mean far from zero", true, x(&[8, 3, 4]).within(3.0, 4.0), affine).tolerance(1e-4);
        vec![
            of("training", true, x(&[4, 3, 5, 6]), affine),
            of("training, ragged", true, x(&[3, 7, 11, 13]), affine),
            of("training without weight", true, x(&[4, 3, 5]), Given::first(1)),
            of("training of vectors", true, x(&[16, 5]), affine),
            of("running statistics", false, x(&[4, 3, 5, 6]), ALL),
            of("running statistics of one image", false, x(&[1, 3, 4, 4]), ALL),
            of("running statistics without weight", false, x(&[4, 3, 5]), Given(0b11001)),
            of("zero-sized", false, x(&[0, 3, 4, 4]), ALL),
            of("reversed", true, x(&[4, 3, 5, 6]).reversed(), affine),
            of("strided", true, x(&[4, 3, 5, 6]).strided(), affine),
            large,
            far,
        ]
    }
}
