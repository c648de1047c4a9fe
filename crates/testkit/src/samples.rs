//! Running an op's samples: values, gradients and second-order gradients, under every way of evaluating.

use crate::session::Session;
use fovea_core::device::Runtime;
use fovea_core::graph::Val;
use fovea_core::op::{OpDef, TensorType};
use fovea_core::plan::BandLimits;
use fovea_core::sample::{Arrangement, DynSample, SampleInput};
use fovea_core::{DType, Error, Result};
use std::sync::Arc;

/// The float types that every sample runs in.
pub const FLOATS: [DType; 2] = [DType::F32, DType::F64];

/// Number of the first cotangent among a sample's generated inputs.
pub const COTANGENT: usize = 100;

/// Number of the first cotangent of a gradient among a sample's generated inputs.
pub const SECOND_COTANGENT: usize = 200;

/// State of the random generator before a sample that draws.
pub const RANDOM: (u64, u64) = (0x5eed, 11);

/// Draws that a sample's key is good for.
const KEY_DRAWS: usize = 1 << 20;

/// A sample with what is needed to make its inputs.
pub struct Case {
    pub op: &'static str,
    pub index: usize,
    pub sample: DynSample,
    pub float: DType,
    /// The input that is a random key, which the sample's value only stands for.
    key: Option<usize>,
}

impl Case {
    /// Every sample of every op in every float type.
    pub fn all(ops: &[OpDef]) -> Vec<Case> {
        ops.iter().flat_map(Case::of).collect()
    }

    pub fn of(def: &OpDef) -> Vec<Case> {
        let key = def.inputs.iter().position(|i| i.name == "key");
        let cases = (def.samples)().into_iter().enumerate().flat_map(|(index, sample)| {
            // A sample without an input of the type under test is the same in each.
            let fixed = !sample.inputs.is_empty() && sample.inputs.iter().all(|i| i.dtype.is_some());
            let floats = if fixed { &FLOATS[..1] } else { &FLOATS[..] };
            let case = move |&float| Case { op: def.name, index, sample: sample.clone(), float, key };
            floats.iter().map(case)
        });
        cases.collect()
    }

    pub fn name(&self) -> String {
        format!("{} sample {} ({}), {}", self.op, self.index, self.sample.name, self.float)
    }

    pub fn input_type(&self, i: usize) -> TensorType {
        let input = &self.sample.inputs[i];
        TensorType { dtype: input.dtype.unwrap_or(self.float), shape: input.shape }
    }

    pub fn input(&self, i: usize) -> Vec<f64> {
        self.sample.inputs[i].generate(self.op, self.index, i)
    }

    /// Inputs as they are declared.
    pub fn inputs(&self) -> Vec<Vec<f64>> {
        (0..self.sample.inputs.len()).map(|i| self.input(i)).collect()
    }

    /// Numbers in −1..1 for a value of this type: a cotangent or a direction.
    pub fn numbers(&self, ty: TensorType, number: usize) -> Vec<f64> {
        SampleInput::float(ty.shape).generate(self.op, self.index, number)
    }

    /// Error allowed in a value of `dtype`, relative to the largest one.
    pub fn tolerance(&self, dtype: DType) -> f64 {
        let default = crate::values::default_tolerance(dtype);
        // A looser tolerance is meant for f32; f64 gets the same number of its own roundings.
        self.sample.tolerance.map_or(default, |t| if dtype == DType::F64 { t.min(default.max(t * 1e-5)) } else { t })
    }
}

/// How a sample is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    pub fusion: bool,
    pub reuse: bool,
    pub channels_last: bool,
    /// Inputs lie as the sample says, or row-major.
    pub arranged: bool,
    /// Outputs are read before the gradients are recorded.
    pub read_first: bool,
}

impl Mode {
    pub const PLAIN: Mode =
        Mode { fusion: false, reuse: false, channels_last: false, arranged: false, read_first: false };
    pub const FUSED: Mode = Mode { fusion: true, reuse: true, channels_last: true, ..Mode::PLAIN };
}

/// A value with its type.
pub type Typed = (TensorType, Vec<u8>);

/// What a sample computes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub values: Vec<Typed>,
    /// Gradients of Σ cotangent · output towards each input; `None` for integers and where nothing reaches one.
    pub gradients: Vec<Option<Typed>>,
    /// Gradients of Σ direction · gradient towards each input.
    pub second: Vec<Option<Typed>>,
}

/// A recorded sample, its values not yet computed.
pub struct Recorded {
    pub inputs: Vec<Val>,
    pub outputs: Vec<Val>,
    pub gradients: Vec<Option<Val>>,
    pub second: Vec<Option<Val>>,
}

/// Records a sample on `inputs` with as many derivatives as `order` says and there are.
pub fn record(s: &mut Session, case: &Case, values: &[Vec<f64>], mode: Mode, order: usize) -> Result<Recorded> {
    (s.fusion, s.reuse, s.channels_last) = (mode.fusion, mode.reuse, mode.channels_last);
    // However small they are: samples are.
    s.bands = BandLimits::NONE;
    s.random = RANDOM;
    let mut inputs = Vec::with_capacity(values.len());
    for (i, values) in values.iter().enumerate() {
        if case.key == Some(i) {
            inputs.push(s.random_key(KEY_DRAWS));
            continue;
        }
        let ty = case.input_type(i);
        let arrangement = if mode.arranged { case.sample.inputs[i].arrangement } else { Arrangement::Contiguous };
        inputs.push(s.arranged(ty, values, arrangement, order > 0 && ty.dtype.is_float())?);
    }
    let outputs = s.record_dyn(&case.sample.op, &inputs)?;
    let mut recorded = Recorded { inputs, outputs, gradients: Vec::new(), second: Vec::new() };
    if mode.read_first {
        s.run(&recorded.outputs)?;
    }
    if order > 0 && case.sample.differentiable {
        let roots: Vec<Option<Val>> = recorded.outputs.iter().copied().map(Some).collect();
        recorded.gradients = towards_inputs(s, case, &roots, &recorded.inputs, COTANGENT)?;
    }
    if order > 1 && recorded.gradients.iter().any(Option::is_some) {
        let roots: Vec<Option<Val>> = recorded.gradients.clone();
        recorded.second = towards_inputs(s, case, &roots, &recorded.inputs, SECOND_COTANGENT)?;
    }
    Ok(recorded)
}

/// Gradients of Σ numbers · root over the roots that have one, with numbers generated from `first` on.
fn towards_inputs(
    s: &mut Session,
    case: &Case,
    roots: &[Option<Val>],
    inputs: &[Val],
    first: usize,
) -> Result<Vec<Option<Val>>> {
    let mut live = Vec::new();
    let mut cotangents = Vec::new();
    for (i, root) in roots.iter().enumerate() {
        let Some(root) = *root else { continue };
        let ty = s.ty(root);
        if s.requires_grad(root) && ty.dtype.is_float() {
            live.push(root);
            let numbers = case.numbers(ty, first + i);
            cotangents.push(Some(s.leaf(ty.dtype, ty.shape, &numbers)?));
        }
    }
    if live.is_empty() {
        return Ok(vec![None; inputs.len()]);
    }
    s.grad(&live, &cotangents, inputs, true)
}

/// Runs a sample from its own values.
pub fn run(runtime: &Arc<dyn Runtime>, case: &Case, mode: Mode, order: usize) -> Result<Outcome> {
    let mut s = Session::new(runtime.clone());
    let recorded = record(&mut s, case, &case.inputs(), mode, order)?;
    let mut wanted = recorded.outputs.clone();
    wanted.extend(recorded.gradients.iter().chain(&recorded.second).flatten());
    s.run(&wanted)?;
    let typed = |v: &Val| -> Result<Typed> { Ok((s.ty(*v), s.bytes(*v)?)) };
    let optional = |list: &[Option<Val>]| -> Result<Vec<Option<Typed>>> {
        list.iter().map(|v| v.as_ref().map(typed).transpose()).collect()
    };
    Ok(Outcome {
        values: recorded.outputs.iter().map(typed).collect::<Result<_>>()?,
        gradients: optional(&recorded.gradients)?,
        second: optional(&recorded.second)?,
    })
}

impl Outcome {
    /// Everything, with a name for messages.
    pub fn all(&self) -> impl Iterator<Item = (String, Option<&Typed>)> {
        let list = |name: &'static str, list: &[Option<Typed>]| -> Vec<String> {
            (0..list.len()).map(|i| format!("{name} {i}")).collect()
        };
        let names: Vec<String> = (0..self.values.len())
            .map(|i| format!("output {i}"))
            .chain(list("gradient", &self.gradients))
            .chain(list("second-order gradient", &self.second))
            .collect();
        let values = self.values.iter().map(Some);
        let rest = self.gradients.iter().chain(&self.second).map(Option::as_ref);
        names.into_iter().zip(values.chain(rest))
    }

    /// The first bit in which two outcomes differ, in words.
    pub fn difference(&self, other: &Outcome) -> Option<String> {
        for ((name, a), (_, b)) in self.all().zip(other.all()) {
            match (a, b) {
                (None, None) => {}
                (Some(a), Some(b)) if a.0 != b.0 => return Some(format!("{name} has types {:?} and {:?}", a.0, b.0)),
                (Some(a), Some(b)) => {
                    if let Some((i, x, y)) = crate::values::first_difference(a.0.dtype, &a.1, &b.1) {
                        return Some(format!("{name} differs at element {i}: {x:e} and {y:e}"));
                    }
                }
                _ => return Some(format!("{name} is there in one and not in the other")),
            }
        }
        None
    }

    /// The largest relative error against a reference with its tolerance, as (what, error, tolerance) where one is
    /// exceeded.
    pub fn errors(&self, reference: &Outcome, case: &Case) -> Result<(f64, Option<String>)> {
        let mut worst = 0.0f64;
        for ((name, got), (_, want)) in self.all().zip(reference.all()) {
            let (Some(got), Some(want)) = (got, want) else {
                if got.is_some() != want.is_some() {
                    return Err(Error::internal(format!("{name} is there in one and not in the other")));
                }
                continue;
            };
            let dtype = got.0.dtype;
            let (g, w) = (crate::values::from_bytes(dtype, &got.1), crate::values::from_bytes(dtype, &want.1));
            let error = crate::values::relative_error(&g, &w);
            worst = worst.max(error);
            let tolerance = case.tolerance(dtype);
            if error > tolerance {
                return Ok((worst, Some(format!("{name} is off by {error:.1e}, allowed {tolerance:.1e}"))));
            }
        }
        Ok((worst, None))
    }
}
