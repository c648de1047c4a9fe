//! Dimensions in another order.

use super::dims::dimensions;
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Sample, SampleInput};
use fovea_core::{Error, Layout, Result, attributes};
use smallvec::{SmallVec, smallvec};

attributes! {
    /// See [`Op::DOC`].
    pub struct Permute {
        /// Which dimension of the input comes where; each exactly once.
        dims: Vec<i64>,
    }
}

impl Permute {
    pub fn to(dims: &[usize]) -> Permute {
        Permute { dims: dims.iter().map(|&d| d as i64).collect() }
    }

    fn resolve(&self, rank: usize) -> Result<SmallVec<[usize; 4]>> {
        if self.dims.len() != rank {
            return Err(Error::argument(format!("dims must name all {rank} dimensions once, got {:?}", self.dims))
                .at("dims")
                .expected(format!("{rank} dimensions"))
                .received(format!("{:?}", self.dims)));
        }
        dimensions(&self.dims, rank, "dims")
    }
}

impl Op for Permute {
    const NAME: &'static str = "permute";
    const DOC: &'static str = "Dimensions in another order: dimension i of the result is dimension `dims[i]` of x. A \
        view.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let from = inputs[0].shape;
        let shape = self.resolve(from.rank())?.iter().map(|&d| from[d]).collect();
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }

    fn view(&self, input: &Layout) -> Option<Layout> {
        Some(input.permute(&self.resolve(input.shape.rank()).ok()?))
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let dims = self.resolve(self.dims.len())?;
        let mut inverse = vec![0; dims.len()];
        for (to, &from) in dims.iter().enumerate() {
            inverse[from] = to as i64;
        }
        let grad = cx.apply(Permute { dims: inverse }, &[g])?;
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Permute>> {
        let to = |dims: &[i64]| Permute { dims: dims.to_vec() };
        let x = |shape: &[usize]| SampleInput::float(shape);
        vec![
            Sample::new("plain", to(&[1, 0]), vec![x(&[4, 6])]),
            Sample::new("three", to(&[2, 0, 1]), vec![x(&[2, 3, 5])]),
            Sample::new("negative", to(&[0, -1, -2]), vec![x(&[3, 4, 5])]),
            Sample::new("ragged", to(&[1, 0]), vec![x(&[17, 13])]),
            Sample::new("zero-sized", to(&[1, 2, 0]), vec![x(&[3, 0, 2])]),
            Sample::new("reversed", to(&[1, 0, 2]), vec![x(&[4, 5, 3]).reversed()]),
            Sample::new("strided", to(&[2, 1, 0]), vec![x(&[2, 3, 6]).strided()]),
            Sample::new("scalar", to(&[]), vec![x(&[])]),
        ]
    }
}
