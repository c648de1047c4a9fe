//! Dimensions of size 1 repeated.

use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::shape::MAX_RANK;
use fovea_core::{Error, Layout, Result, Shape, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Expand {
        /// The new shape; -1 keeps a dimension, further dimensions come in front.
        shape: Vec<i64>,
    }
}

impl Expand {
    pub fn to(shape: Shape) -> Expand {
        Expand { shape: shape.iter().map(|&d| d as i64).collect() }
    }

    fn resolve(&self, from: Shape) -> Result<Shape> {
        let fail = |why: String| {
            Error::shape(why)
                .at("shape")
                .expected(format!("a shape that {from} broadcasts to"))
                .received(format!("{:?}", self.shape))
        };
        if self.shape.len() > MAX_RANK {
            return Err(fail(format!("rank {} exceeds the largest rank {MAX_RANK}", self.shape.len())));
        }
        let Some(grown) = self.shape.len().checked_sub(from.rank()) else {
            return Err(fail(format!("shape {from} can't be expanded to fewer dimensions, {:?}", self.shape)));
        };
        let mut shape = Shape::SCALAR;
        for (i, &to) in self.shape.iter().enumerate() {
            let old = i.checked_sub(grown).map(|i| from[i]);
            shape.push(match (old, usize::try_from(to)) {
                (Some(old), _) if to == -1 => old,
                (Some(old), Ok(to)) if old == to || old == 1 => to,
                (None, Ok(to)) => to,
                _ => return Err(fail(format!("shape {from} can't be expanded to {:?}: dimension {i}", self.shape))),
            });
        }
        Shape::checked(&shape)
    }
}

impl Op for Expand {
    const NAME: &'static str = "expand";
    const DOC: &'static str = "Dimensions of size 1 repeated, as in broadcasting. A view. The gradient is summed over \
        what was repeated.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.resolve(inputs[0].shape)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        input.broadcast_to(self.resolve(input.shape).ok()?)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        cx.set_reduced(0, g)
    }

    fn samples() -> Vec<Sample<Expand>> {
        let to = |shape: &[i64]| Expand { shape: shape.to_vec() };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", to(&[4, 6]), vec![x(&[4, 1])]),
            Sample::new("new dimensions", to(&[3, 2, -1]), vec![x(&[5])]),
            Sample::new("kept", to(&[-1, 3, -1]), vec![x(&[2, 1, 4])]),
            Sample::new("ragged", to(&[17, 13]), vec![x(&[1, 13])]),
            Sample::new("zero-sized", to(&[0, 3]), vec![x(&[1, 3])]),
            Sample::new("reversed", to(&[2, 4, 5]), vec![x(&[4, 5]).reversed()]),
            Sample::new("strided", to(&[3, 4, 6]), vec![x(&[4, 6]).strided()]),
            Sample::new("scalar", to(&[2, 3]), vec![x(&[])]),
        ]
    }
}
