//! Programs of the table's ops for given dtypes, made once each.

use super::definition::{Brought, Definition, Refusal, Rule, Types};
use fovea_core::DType;
use fovea_core::graph::primitives::Map;
use fovea_core::scalar::{Program, build};
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

/// The most inputs that a line of the table has.
pub const MOST_INPUTS: usize = 3;

/// What an op is for operands of certain dtypes.
#[derive(Debug)]
pub struct Typed {
    pub types: Types,
    pub program: Arc<Program>,
    gradients: [OnceLock<Gradient>; MOST_INPUTS],
}

/// The gradient towards one input.
#[derive(Debug)]
pub enum Gradient {
    Zero,
    /// The incoming gradient itself.
    Same,
    /// A program over exactly the values it reads.
    Map(Arc<Map>, SmallVec<[Reads; 4]>),
}

/// A value that a gradient reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Input(usize),
    Output,
    Incoming,
}

impl Typed {
    pub fn new(def: &'static Definition, inputs: &[Brought]) -> Result<Typed, Refusal> {
        let types = def.rule.types(inputs)?;
        let dtypes: SmallVec<[DType; MOST_INPUTS]> = inputs.iter().map(|i| i.dtype).collect();
        let program = build(&dtypes, |x| {
            if def.rule == Rule::Rounding && !types.operand.is_float() {
                return vec![x[0].clone()];
            }
            let operands: Vec<_> = x.iter().enumerate().map(|(i, x)| x.cast(def.rule.operand(i, types))).collect();
            vec![(def.value)(&operands).cast(types.result)]
        });
        Ok(Typed { types, program: Arc::new(program), gradients: [const { OnceLock::new() }; MOST_INPUTS] })
    }

    /// The gradient towards input `index`.
    pub fn gradient(&self, def: &'static Definition, index: usize) -> &Gradient {
        self.gradients[index].get_or_init(|| self.make_gradient(def, index))
    }

    fn make_gradient(&self, def: &'static Definition, index: usize) -> Gradient {
        let inputs = &self.program.inputs;
        if !inputs[index].is_float() || !self.types.result.is_float() {
            return Gradient::Zero;
        }
        let arity = inputs.len();
        let mut given = inputs.clone();
        given.extend([self.types.result; 2]);
        let mut zero = false;
        let program = build(&given, |values| {
            let values: Vec<_> = values
                .iter()
                .enumerate()
                .map(|(i, v)| if i < arity { v.cast(def.rule.operand(i, self.types)) } else { v.clone() })
                .collect();
            match (def.gradient)(&values).into_iter().nth(index).flatten() {
                Some(part) => vec![part.cast(inputs[index])],
                None => {
                    zero = true;
                    vec![values[arity + 1].clone()]
                }
            }
        });
        if zero {
            return Gradient::Zero;
        }
        if program.instrs.is_empty() && program.outputs[0] as usize == arity + 1 {
            return Gradient::Same;
        }
        let reads: SmallVec<[Reads; 4]> = (0..given.len())
            .filter(|&i| program.reads(i))
            .map(|i| match i {
                i if i < arity => Reads::Input(i),
                i if i == arity => Reads::Output,
                _ => Reads::Incoming,
            })
            .collect();
        Gradient::Map(Map::new("gradient", without_unread(&program)), reads)
    }
}

/// The same program without the inputs that it doesn't read.
fn without_unread(program: &Program) -> Program {
    let mut kept = Program::default();
    let mut bindings = Vec::with_capacity(program.inputs.len());
    for (i, &dtype) in program.inputs.iter().enumerate() {
        // What is never read may be bound to anything.
        bindings.push(kept.inputs.len() as u16);
        if program.reads(i) {
            kept.inputs.push(dtype);
        }
    }
    kept.outputs = kept.append(program, &bindings);
    kept
}

/// What an input can bring: each dtype, weak or not.
const KINDS: usize = 2 * DType::ALL.len();

/// A slot for each combination of what inputs bring.
#[derive(Debug)]
pub struct Cache {
    slots: Box<[Slot]>,
}

type Slot = OnceLock<Result<Box<Typed>, Refusal>>;

impl Cache {
    pub fn new(arity: usize) -> Cache {
        let count = KINDS.pow(arity as u32);
        Cache { slots: (0..count).map(|_| OnceLock::new()).collect() }
    }

    /// What `def` is for these operands.
    pub fn get(
        &self,
        def: &'static Definition,
        inputs: impl Iterator<Item = Brought> + Clone,
    ) -> Result<&Typed, Refusal> {
        let index = inputs.clone().fold(0, |i, b| i * KINDS + 2 * b.dtype as usize + usize::from(b.weak));
        let slot = self.slots[index].get_or_init(|| {
            let operands: SmallVec<[Brought; MOST_INPUTS]> = inputs.collect();
            Typed::new(def, &operands).map(Box::new)
        });
        match slot {
            Ok(typed) => Ok(typed),
            Err(refusal) => Err(*refusal),
        }
    }
}
