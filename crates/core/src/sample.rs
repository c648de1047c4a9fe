//! Samples of an op: inputs and attributes that drive every test, bench and table.

use crate::dtype::DType;
use crate::op::DynOp;
use crate::shape::Shape;
use std::sync::Arc;

/// The values an input takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Uniform in [low, high).
    Uniform(f64, f64),
    /// Integers in [low, high).
    Integers(i64, i64),
    /// 0 and 1.
    Bools,
    /// These values, repeated.
    List(Vec<f64>),
}

/// How an input lies in memory before the op sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    Contiguous,
    /// Stored with its dimensions in reverse order and permuted back: a view.
    Reversed,
    /// Every second element along the last dimension of a larger value: a view.
    Strided,
}

/// One input of a sample.
#[derive(Clone, Debug)]
pub struct SampleInput {
    /// `None` stands for the float type under test (f32 and f64 in turn).
    pub dtype: Option<DType>,
    pub shape: Shape,
    pub domain: Domain,
    pub arrangement: Arrangement,
}

impl SampleInput {
    /// A float input, uniform in −1..1.
    pub fn float(shape: impl Into<Shape>) -> SampleInput {
        SampleInput {
            dtype: None,
            shape: shape.into(),
            domain: Domain::Uniform(-1.0, 1.0),
            arrangement: Arrangement::Contiguous,
        }
    }

    pub fn of(dtype: DType, shape: impl Into<Shape>, domain: Domain) -> SampleInput {
        SampleInput { dtype: Some(dtype), shape: shape.into(), domain, arrangement: Arrangement::Contiguous }
    }

    pub fn within(mut self, low: f64, high: f64) -> SampleInput {
        self.domain = Domain::Uniform(low, high);
        self
    }

    pub fn values(mut self, values: &[f64]) -> SampleInput {
        self.domain = Domain::List(values.to_vec());
        self
    }

    pub fn reversed(mut self) -> SampleInput {
        self.arrangement = Arrangement::Reversed;
        self
    }

    pub fn strided(mut self) -> SampleInput {
        self.arrangement = Arrangement::Strided;
        self
    }

    /// The values in row-major order, for sample number `sample` of op `op` and input number `input`: the same on
    /// every machine.
    pub fn generate(&self, op: &str, sample: usize, input: usize) -> Vec<f64> {
        let mut state =
            op.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
                ^ ((sample as u64) << 32)
                ^ (input as u64);
        (0..self.shape.size())
            .map(|i| {
                // splitmix64
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^= z >> 31;
                let unit = (z >> 11) as f64 / (1u64 << 53) as f64;
                match &self.domain {
                    // Through f32, so that both float types see the same numbers.
                    Domain::Uniform(low, high) => f64::from((low + unit * (high - low)) as f32),
                    Domain::Integers(low, high) => {
                        (*low as f64 + (unit * (high - low) as f64).floor()).min(*high as f64 - 1.0)
                    }
                    Domain::Bools => f64::from(u8::from(unit < 0.5)),
                    Domain::List(values) => values[i % values.len()],
                }
            })
            .collect()
    }
}

/// A sample of a particular op type.
#[derive(Clone, Debug)]
pub struct Sample<O> {
    /// What it is a sample of: "ragged", "broadcast", "zero-sized"….
    pub name: &'static str,
    pub op: O,
    pub inputs: Vec<SampleInput>,
    /// Error allowed against the reference, relative to its largest value; `None` for 1e-5 (f32) and 1e-10 (f64).
    /// A looser one has its reason beside it.
    pub tolerance: Option<f64>,
    /// Whether gradients may be checked (not at kinks and ties).
    pub differentiable: bool,
}

impl<O> Sample<O> {
    pub fn new(name: &'static str, op: O, inputs: Vec<SampleInput>) -> Sample<O> {
        Sample { name, op, inputs, tolerance: None, differentiable: true }
    }

    pub fn tolerance(mut self, tolerance: f64) -> Sample<O> {
        self.tolerance = Some(tolerance);
        self
    }

    /// Values only; gradients are not compared.
    pub fn without_gradient(mut self) -> Sample<O> {
        self.differentiable = false;
        self
    }
}

/// A sample with its op's type erased.
#[derive(Clone, Debug)]
pub struct DynSample {
    pub name: &'static str,
    pub op: Arc<dyn DynOp>,
    /// The attributes as the numbers that cross the boundary.
    pub attributes: Vec<f64>,
    pub inputs: Vec<SampleInput>,
    pub tolerance: Option<f64>,
    pub differentiable: bool,
}
