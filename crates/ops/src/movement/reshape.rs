//! The same elements under another shape.

use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::shape::MAX_RANK;
use fovea_core::{Error, Layout, Result, Shape, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Reshape {
        /// The new shape; one dimension may be -1, which takes what the others leave.
        shape: Vec<i64>,
    }
}

impl Reshape {
    pub fn to(shape: Shape) -> Reshape {
        Reshape { shape: shape.iter().map(|&d| d as i64).collect() }
    }

    fn resolve(&self, from: Shape) -> Result<Shape> {
        let fail = |why: String| {
            Error::shape(why)
                .at("shape")
                .expected(format!("a shape of {} elements", from.size()))
                .received(format!("{:?}", self.shape))
        };
        if self.shape.len() > MAX_RANK {
            return Err(fail(format!("rank {} exceeds the largest rank {MAX_RANK}", self.shape.len())));
        }
        if let Some(d) = self.shape.iter().find(|d| **d < -1) {
            return Err(fail(format!("a dimension can't be {d}")));
        }
        let known = self.shape.iter().filter(|d| **d != -1).try_fold(1usize, |n, &d| n.checked_mul(d as usize));
        let known = known.ok_or_else(|| fail(format!("shape {:?} is too large", self.shape)))?;
        match self.shape.iter().filter(|d| **d == -1).count() {
            0 if known != from.size() => {
                Err(fail(format!("shape {from} has {} elements, shape {:?} has {known}", from.size(), self.shape)))
            }
            0 => Ok(self.shape.iter().map(|&d| d as usize).collect()),
            1 if known == 0 || !from.size().is_multiple_of(known) => Err(fail(format!(
                "-1 in shape {:?} can't stand for one size: shape {from} has {} elements",
                self.shape,
                from.size()
            ))),
            1 => Ok(self.shape.iter().map(|&d| if d == -1 { from.size() / known } else { d as usize }).collect()),
            _ => Err(fail(format!("only one dimension may be -1, got {:?}", self.shape))),
        }
    }
}

impl Op for Reshape {
    const NAME: &'static str = "reshape";
    const DOC: &'static str = "The same elements in row-major order under another shape of as many elements. A view \
        where the layout allows it.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: self.resolve(inputs[0].shape)? }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        input.reshape(self.resolve(input.shape).ok()?)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let shape = cx.input_type(0).shape;
        let grad = cx.apply(Reshape::to(shape), &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Reshape>> {
        let to = |shape: &[i64]| Reshape { shape: shape.to_vec() };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", to(&[6, 4]), vec![x(&[4, 6])]),
            Sample::new("inferred", to(&[2, -1, 3]), vec![x(&[4, 6])]),
            Sample::new("ragged", to(&[7, 13]), vec![x(&[13, 7])]),
            Sample::new("to a vector", to(&[-1]), vec![x(&[2, 3, 5])]),
            Sample::new("zero-sized", to(&[5, 0]), vec![x(&[0, 3])]),
            Sample::new("reversed", to(&[24]), vec![x(&[4, 6]).reversed()]),
            Sample::new("strided", to(&[3, 2, 4]), vec![x(&[6, 4]).strided()]),
            Sample::new("scalar", to(&[1, 1]), vec![x(&[])]),
        ]
    }
}
