//! Dimensions in reverse order.

use super::dims::dimensions;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Layout, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Flip {
        /// The dimensions to reverse.
        dims: Vec<i64>,
    }
}

impl Op for Flip {
    const NAME: &'static str = "flip";
    const DOC: &'static str = "The elements in reverse order along `dims`. A view.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        dimensions(&self.dims, inputs[0].shape.rank(), "dims")?;
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        let mut layout = *input;
        for d in dimensions(&self.dims, input.shape.rank(), "dims").ok()? {
            let size = input.shape[d];
            layout = layout.slice(d, size.saturating_sub(1), -1, size);
        }
        Some(layout)
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let grad = cx.apply(self.clone(), &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Flip>> {
        let over = |dims: &[i64]| Flip { dims: dims.to_vec() };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", over(&[0]), vec![x(&[4, 6])]),
            Sample::new("both", over(&[0, -1]), vec![x(&[3, 5])]),
            Sample::new("ragged", over(&[1]), vec![x(&[17, 13])]),
            Sample::new("zero-sized", over(&[0, 1]), vec![x(&[0, 3])]),
            Sample::new("reversed", over(&[2, 0]), vec![x(&[2, 3, 4]).reversed()]),
            Sample::new("strided", over(&[-1]), vec![x(&[3, 8]).strided()]),
            Sample::new("none", over(&[]), vec![x(&[2, 2])]),
        ]
    }
}
