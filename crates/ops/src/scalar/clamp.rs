//! Values between bounds.

use super::op::named;
use super::record;
use fovea_core::attributes::Given;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Op, OutTypes, TensorType, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Result, attributes};
use smallvec::smallvec;

attributes! {
    /// See [`Op::DOC`].
    pub struct Clamp {
        /// Which bounds are given.
        given: Given,
    }
}

const MIN: usize = 1;
const MAX: usize = 2;

impl Op for Clamp {
    const NAME: &'static str = "clamp";
    const DOC: &'static str = "Limited to [min, max], of which either may be left out: `minimum(maximum(x, min), \
        max)`. Bounds are data and broadcast. The gradient passes at the bounds and between them, else to the bound.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("x", ""),
        InputSchema::optional("min", "Lower bound."),
        InputSchema::optional("max", "Upper bound; it wins where the lower one is larger."),
    ];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let mut ty = inputs[0];
        for (input, op) in [(MIN, "clamp_min"), (MAX, "clamp_max")] {
            if let Some(bound) = self.given.position(input) {
                ty = named(op).infer(&[ty, inputs[bound]])?[0];
            }
        }
        if self.given == Given::first(1) {
            return Err(Error::argument("clamp needs a bound").at("min").expected("min, max or both"));
        }
        Ok(smallvec![ty])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("clamp is recorded as its decomposition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let mut y = inputs[0];
        if let Some(min) = self.given.position(MIN) {
            y = record::clamp_min(cx, y, inputs[min])?;
        }
        if let Some(max) = self.given.position(MAX) {
            y = record::clamp_max(cx, y, inputs[max])?;
        }
        Ok(Some(vec![y]))
    }

    fn samples() -> Vec<Sample<Clamp>> {
        let (both, only_min, only_max) =
            (Clamp { given: Given(0b111) }, Clamp { given: Given(0b011) }, Clamp { given: Given(0b101) });
        let x = |shape: &[usize]| SampleInput::float(shape).within(-2.0, 2.0);
        let low = |shape: &[usize]| SampleInput::float(shape).within(-1.5, -0.5);
        let high = |shape: &[usize]| SampleInput::float(shape).within(0.5, 1.5);
        let integers = |low: i64, high: i64| SampleInput::of(DType::I32, [9], Domain::Integers(low, high));
        vec![
            Sample::new("numbers", both.clone(), vec![x(&[3, 4]), low(&[]), high(&[])]),
            Sample::new("min", only_min.clone(), vec![x(&[5, 7]), low(&[])]),
            Sample::new("max", only_max, vec![x(&[5, 7]), high(&[])]),
            Sample::new("ragged", both.clone(), vec![x(&[17, 13]), low(&[17, 13]), high(&[17, 13])]),
            Sample::new("broadcast", both.clone(), vec![x(&[5, 1]), low(&[1, 4]), high(&[4])]),
            Sample::new("zero-sized", both.clone(), vec![x(&[0, 3]), low(&[3]), high(&[])]),
            Sample::new("reversed", both.clone(), vec![x(&[4, 6]).reversed(), low(&[4, 6]).reversed(), high(&[])]),
            Sample::new("strided", only_min, vec![x(&[3, 8]).strided(), low(&[3, 8]).strided()]),
            Sample::new(
                "at the bounds",
                both.clone(),
                vec![x(&[6]).values(&[-1.0, 1.0, 0.0]), low(&[]).values(&[-1.0]), high(&[]).values(&[1.0])],
            )
            .without_gradient(),
            Sample::new("i32", both.clone(), vec![integers(-9, 9), integers(-4, 0), integers(0, 4)]),
            Sample::new("i32 and float", both, vec![integers(-9, 9), low(&[9]), high(&[9])]),
        ]
    }
}
