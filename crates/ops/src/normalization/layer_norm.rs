//! Layer normalisation.

use super::standardize::Standardize;
use super::statistics::{Axes, check_float, moments, reciprocal_deviation};
use fovea_core::attributes::{Float, Given};
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, OutTypes, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Op, Result, Shape, TensorType, attributes};
use smallvec::smallvec;

attributes! {
    /// Ba, Kiros and Hinton, "Layer Normalization", 2016, https://arxiv.org/abs/1607.06450:
    /// `y = (x − mean) / √(variance + eps) · weight + bias`, with mean and biased variance over the last dimensions.
    ///
    /// Shapes: x `[…, *normalized_shape]`; weight and bias `normalized_shape`; result x's.
    ///
    /// Gradient: through the statistics. Work: a composition; mean, variance and y take a pass each, the gradient two.
    pub struct LayerNorm {
        /// The last dimensions of x, over which statistics are taken.
        normalized_shape: Vec<usize>,
        /// Added to the variance.
        eps: Float = Float(1e-5),
        /// Which inputs are given.
        given: Given,
    }
}

const WEIGHT: usize = 1;
const BIAS: usize = 2;

impl LayerNorm {
    fn check(&self, inputs: &[TensorType]) -> Result<Axes> {
        let x = &inputs[0];
        check_float("layer_norm", x, "x")?;
        let leading = x.shape.rank().checked_sub(self.normalized_shape.len());
        let leading = match leading {
            Some(leading) if !self.normalized_shape.is_empty() && x.shape[leading..] == *self.normalized_shape => {
                leading
            }
            _ => {
                let given = &self.normalized_shape;
                return Err(Error::shape(format!("x must end in normalized_shape {given:?}, got shape {}", x.shape))
                    .at("normalized_shape")
                    .expected(format!("the last dimensions of {}", x.shape))
                    .received(format!("{given:?}")));
            }
        };
        for (input, name) in [(WEIGHT, "weight"), (BIAS, "bias")] {
            let Some(ty) = self.given.position(input).map(|at| &inputs[at]) else { continue };
            if ty.shape.rank() != 0 && *ty.shape != *self.normalized_shape {
                return Err(Error::shape(format!(
                    "{name} must have normalized_shape {:?}, got shape {}",
                    self.normalized_shape, ty.shape
                ))
                .at(name)
                .expected(format!("{:?}", self.normalized_shape))
                .received(ty.shape.to_string()));
            }
            if ty.dtype != x.dtype {
                return Err(Error::dtype(format!("{name} is {} but x is {}; cast one", ty.dtype, x.dtype))
                    .at(name)
                    .expected(x.dtype.name())
                    .received(ty.dtype.name()));
            }
        }
        Ok((leading..x.shape.rank()).collect())
    }
}

impl Op for LayerNorm {
    const NAME: &'static str = "layer_norm";
    const DOC: &'static str = "Layer normalisation: `y = (x − mean) / √(variance + eps) · weight + bias` with the \
        statistics of the last dimensions. Ba, Kiros and Hinton, 2016, https://arxiv.org/abs/1607.06450.\n\n\
        x is `[…, *normalizedShape]`, weight and bias `normalizedShape`. Throws a ShapeError where x ends otherwise.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", "Activations."),
        InputSchema::optional("weight", "Scale of `normalizedShape`; 1 where left out."),
        InputSchema::optional("bias", "Shift of `normalizedShape`; 0 where left out."),
    ];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        self.check(inputs)?;
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("layer_norm is recorded as its composition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let types: Vec<TensorType> = inputs.iter().map(|&v| cx.ty(v)).collect();
        let axes = self.check(&types)?;
        let (x, dtype) = (inputs[0], types[0].dtype);
        let (one, zero) = (cx.scalar(1.0, dtype), cx.scalar(0.0, dtype));
        let [mean, variance] = moments(cx, x, &axes)?;
        let r = reciprocal_deviation(cx, variance, self.eps.0)?;
        let weight = self.given.position(WEIGHT).map_or(one, |at| inputs[at]);
        let bias = self.given.position(BIAS).map_or(zero, |at| inputs[at]);
        let one_weight = self.given == Given::first(1);
        Ok(Some(vec![cx.apply(Standardize { axes, one_weight }, &[x, mean, r, weight, bias])?]))
    }

    fn samples() -> Vec<Sample<LayerNorm>> {
        let of = |name, x: SampleInput, trailing: usize, given: Given| {
            let normalized_shape = x.shape[x.shape.rank() - trailing..].to_vec();
            let own = || SampleInput::float(Shape::new(&normalized_shape));
            let all = [x, own().within(0.5, 1.5), own()];
            let inputs = all.into_iter().enumerate().filter(|(i, _)| given.has(*i)).map(|(_, input)| input).collect();
            Sample::new(name, LayerNorm { normalized_shape, eps: Float(1e-5), given }, inputs)
        };
        let all = Given::first(3);
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            of("tokens", x(&[2, 5, 8]), 1, all),
            of("ragged", x(&[3, 7, 37]), 1, all),
            of("two dimensions", x(&[4, 5, 6]), 2, all),
            of("without bias", x(&[4, 9]), 1, Given::first(2)),
            of("without weight", x(&[4, 9]), 1, Given::first(1)),
            of("bias alone", x(&[4, 9]), 1, Given(0b101)),
            of("everything", x(&[4, 9]), 2, all),
            of("zero-sized", x(&[0, 6]), 1, all),
            of("reversed", x(&[4, 5, 6]).reversed(), 1, all),
            of("strided", x(&[4, 5, 6]).strided(), 1, all),
        ]
    }
}
