//! Views through which samples see values that lie otherwise in memory.

use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::{Error, Layout, Op, Result, attributes};

attributes! {
    /// The dimensions in another order.
    pub struct Permute {
        /// Source dimension of each dimension.
        axes: Vec<usize>,
    }
}

attributes! {
    /// Every second element along the last dimension.
    pub struct EverySecond {}
}

const INPUT: &[InputSchema] = &[InputSchema::required("x", "The value.")];

fn towards_leaf(cx: &Backward<'_>) -> Result<()> {
    if cx.wants(0) { Err(Error::internal("views of the test kit pass no gradients")) } else { Ok(()) }
}

impl Op for Permute {
    const NAME: &'static str = "test_permute";
    const DOC: &'static str = "The dimensions in another order.";
    const INPUTS: &'static [InputSchema] = INPUT;
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let shape = Layout::contiguous(inputs[0].shape).permute(&self.axes).shape;
        Ok([TensorType { shape, ..inputs[0] }].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }
    fn view(&self, input: &Layout) -> Option<Layout> {
        Some(input.permute(&self.axes))
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        towards_leaf(cx)
    }
    fn samples() -> Vec<Sample<Permute>> {
        Vec::new()
    }
}

impl Op for EverySecond {
    const NAME: &'static str = "test_every_second";
    const DOC: &'static str = "Every second element along the last dimension.";
    const INPUTS: &'static [InputSchema] = INPUT;
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let shape = self.view(&Layout::contiguous(inputs[0].shape)).map_or(inputs[0].shape, |l| l.shape);
        Ok([TensorType { shape, ..inputs[0] }].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }
    fn view(&self, input: &Layout) -> Option<Layout> {
        let last = input.shape.rank().checked_sub(1)?;
        Some(input.slice(last, 0, 2, input.shape[last].div_ceil(2)))
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        towards_leaf(cx)
    }
    fn samples() -> Vec<Sample<EverySecond>> {
        Vec::new()
    }
}
