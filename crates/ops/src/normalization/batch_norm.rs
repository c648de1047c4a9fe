//! Batch normalisation.

use super::standardize::{AFFINE, Standardize};
use super::statistics::{Axes, check_float, count, moments, reciprocal_deviation};
use crate::movement::Reshape;
use fovea_core::attributes::Float;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// Ioffe and Szegedy, "Batch Normalization", ICML 2015, https://arxiv.org/abs/1502.03167:
    /// `y = (x − mean) / √(variance + eps) · weight + bias` for each channel.
    ///
    /// Shapes: x `[N, C, …]`; weight, bias, running_mean and running_var `[C]`, or a number for all channels (1 and 0
    /// stand for a weight and bias that were left out in front of others). Results: y, and mean and biased variance
    /// `[C]` of the batch in training, the running ones otherwise. The caller moves the running statistics on.
    ///
    /// Gradient: through the statistics in training, past them otherwise. Work: a composition; mean, variance and y
    /// take a pass each, the gradient two.
    pub struct BatchNorm {
        /// Whether the batch's own statistics are used.
        training: bool = false,
        /// Added to the variance.
        eps: Float = Float(1e-5),
    }
}

const CHANNELS: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

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
        for (ty, name) in inputs[1..].iter().zip(CHANNELS) {
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
        if !self.training && inputs.len() < 5 {
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
        let weight = match inputs.get(1) {
            Some(&weight) => beside(cx, weight, x)?,
            None => cx.scalar(1.0, dtype),
        };
        let bias = match inputs.get(2) {
            Some(&bias) => beside(cx, bias, x)?,
            None => cx.scalar(0.0, dtype),
        };
        if self.training {
            let [mean, variance] = moments(cx, x, &axes)?;
            let r = reciprocal_deviation(cx, variance, self.eps.0)?;
            let y = cx.apply(Standardize { axes }, &[x, mean, r, weight, bias])?;
            let mean = cx.apply(Reshape::to(channels), &[mean])?;
            let variance = cx.apply(Reshape::to(channels), &[variance])?;
            return Ok(Some(vec![y, mean, variance]));
        }
        let (mean, variance) = (beside(cx, inputs[3], x)?, beside(cx, inputs[4], x)?);
        let r = reciprocal_deviation(cx, variance, self.eps.0)?;
        let y = cx.apply_dyn(AFFINE.of(dtype), &[x, mean, r, weight, bias])?;
        Ok(Some(vec![y, inputs[3], inputs[4]]))
    }

    fn samples() -> Vec<Sample<BatchNorm>> {
        let of = |name, training: bool, x: SampleInput, affine: bool| {
            let channels = x.shape[1];
            let vector = || SampleInput::float([channels]);
            let mut inputs = vec![x];
            if affine || !training {
                inputs.extend([vector().within(0.5, 1.5), vector()]);
            }
            if !training {
                inputs.extend([vector(), vector().within(0.5, 2.0)]);
            }
            Sample::new(name, BatchNorm { training, eps: Float(1e-5) }, inputs)
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut large = of("large eps", true, x(&[3, 4, 5]), true);
        large.op.eps = Float(0.1);
        // A mean far from zero beside a small deviation loses digits in any formula: 4 / 2^-23 of them in f32.
        let far = of("mean far from zero", true, x(&[8, 3, 4]).within(3.0, 4.0), true).tolerance(1e-4);
        vec![
            of("training", true, x(&[4, 3, 5, 6]), true),
            of("training, ragged", true, x(&[3, 7, 11, 13]), true),
            of("training without weight", true, x(&[4, 3, 5]), false),
            of("training of vectors", true, x(&[16, 5]), true),
            of("running statistics", false, x(&[4, 3, 5, 6]), true),
            of("running statistics of one image", false, x(&[1, 3, 4, 4]), true),
            of("zero-sized", false, x(&[0, 3, 4, 4]), true),
            of("reversed", true, x(&[4, 3, 5, 6]).reversed(), true),
            of("strided", true, x(&[4, 3, 5, 6]).strided(), true),
            large,
            far,
        ]
    }
}
