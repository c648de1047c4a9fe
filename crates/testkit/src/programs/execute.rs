//! Running a program and writing down what it shows.

use super::{Program, Register, Source, Statement};
use crate::session::Session;
use fovea_core::device::Runtime;
use fovea_core::graph::{Val, VariableId};
use fovea_core::op::TensorType;
use fovea_core::plan::BandLimits;
use fovea_core::sample::{Arrangement, Domain, SampleInput};
use fovea_core::{DType, Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::compare::Mode;

/// Draws that a program's key is good for.
const KEY_DRAWS: usize = 1 << 20;

/// What was seen at one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Value(TensorType, Vec<u8>),
    Nothing,
    Failed(ErrorKind),
}

/// One observation.
#[derive(Clone, Debug)]
pub struct Entry {
    pub what: String,
    pub seen: Seen,
}

/// Everything that a program shows.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub entries: Vec<Entry>,
    /// Nodes recorded.
    pub nodes: u64,
    /// Ops called, by name, as often as they were.
    pub called: Vec<&'static str>,
    /// Statements that were refused, with the reason.
    pub refused: Vec<String>,
}

struct Machine {
    session: Session,
    values: BTreeMap<Register, Val>,
    variables: BTreeMap<Register, VariableId>,
    /// Leaves that ask for a gradient.
    leaves: Vec<Register>,
    trace: Trace,
}

/// Runs `program` on `runtime`. The number of threads is the caller's to set.
pub fn run(program: &Program, runtime: &Arc<dyn Runtime>, mode: Mode) -> Trace {
    let mut session = Session::new(runtime.clone());
    (session.fusion, session.reuse, session.channels_last) = (mode.fusion, mode.reuse, mode.channels_last);
    // However small they are: programs are.
    session.bands = BandLimits::NONE;
    session.random = (program.seed, 3);
    session.module_depth = u32::from(program.inside);
    let trace = Trace::default();
    let (values, variables) = Default::default();
    let mut machine = Machine { session, values, variables, leaves: Vec::new(), trace };
    for statement in &program.statements {
        if let Err(error) = machine.execute(statement) {
            machine.trace.refused.push(format!("{statement}: {error}"));
            machine.note(statement.to_string(), Err(error));
        }
    }
    machine.finish();
    machine.trace.nodes = machine.session.counters.recorded;
    machine.trace
}

impl Machine {
    fn note(&mut self, what: String, seen: Result<Seen>) {
        let seen = seen.unwrap_or_else(|e| Seen::Failed(e.kind()));
        self.trace.entries.push(Entry { what, seen });
    }

    fn set(&mut self, registers: &[Register], vals: impl IntoIterator<Item = Val>) {
        self.values.extend(registers.iter().copied().zip(vals));
    }

    fn leaf(&mut self, dtype: DType, input: &SampleInput, seed: usize, grad: bool) -> Result<Val> {
        let ty = TensorType { dtype, shape: input.shape };
        let values = input.generate("program", seed, 0);
        self.session.arranged(ty, &values, input.arrangement, grad)
    }

    fn execute(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::Leaf { to, dtype, input, seed, grad } => {
                let leaf = self.leaf(*dtype, input, *seed, *grad)?;
                if *grad {
                    self.leaves.push(*to);
                }
                self.set(&[*to], [leaf]);
            }
            Statement::Variable { to, ty, seed, grad } => {
                let domain = Domain::Uniform(-2.0, 2.0);
                let input = SampleInput { dtype: None, shape: ty.shape, domain, arrangement: Arrangement::Contiguous };
                let leaf = self.leaf(ty.dtype, &input, *seed, false)?;
                let id = self.session.graph.variable(leaf, &format!("w{to}"), *grad)?;
                self.session.forget(leaf);
                self.variables.insert(*to, id);
            }
            Statement::Call { to, op, inputs } => {
                let there = |s: &Source| !matches!(s, Source::Value(r) if !self.values.contains_key(r));
                if !inputs.iter().all(there) {
                    return Ok(());
                }
                let vals: Vec<Val> = inputs.iter().map(|s| self.source(s)).collect();
                let outputs = self.session.record_dyn(op, &vals)?;
                self.trace.called.push(op.name());
                self.set(to, outputs);
            }
            Statement::Current { to, variable } => {
                let Some(&id) = self.variables.get(variable) else { return Ok(()) };
                let current = self.session.graph.current(id)?;
                let current = self.session.own(current);
                self.set(&[*to], [current]);
            }
            Statement::Assign { variable, value } => {
                let (Some(&id), Some(&val)) = (self.variables.get(variable), self.values.get(value)) else {
                    return Ok(());
                };
                self.session.graph.assign(id, val)?;
            }
            Statement::Descend { variable, rate } => {
                let Some(&id) = self.variables.get(variable) else { return Ok(()) };
                let Some(grad) = self.session.graph.grad_of_variable(id)? else { return Ok(()) };
                let grad_enabled = std::mem::replace(&mut self.session.grad_enabled, false);
                let next = self.session.graph.current(id).and_then(|current| self.descended(current, grad, *rate));
                self.session.grad_enabled = grad_enabled;
                let next = next?;
                self.session.graph.assign(id, next)?;
                self.session.forget(next);
            }
            Statement::ClearGradient { variable } => {
                if let Some(&id) = self.variables.get(variable) {
                    self.session.graph.set_grad_of_variable(id, None)?;
                }
            }
            Statement::Detach { to, from } => {
                if let Some(&val) = self.values.get(from) {
                    let alias = self.session.detach(val)?;
                    self.set(&[*to], [alias]);
                }
            }
            Statement::Backward { root } => {
                if let Some(root) = self.objective(*root)? {
                    self.session.backward(root)?;
                    self.session.forget(root);
                }
            }
            Statement::Gradients { to, root, inputs, create_graph } => {
                self.gradients(to, *root, inputs, *create_graph)?
            }
            Statement::Read(registers) => self.read(&statement.to_string(), registers),
            Statement::Keep(r) => {
                if let Some(&val) = self.values.get(r) {
                    self.session.graph.keep(val)?;
                }
            }
            Statement::Dispose(r) => {
                if let Some(val) = self.values.remove(r) {
                    self.session.dispose(val);
                }
            }
            Statement::Forget(r) => {
                if let Some(val) = self.values.remove(r) {
                    self.session.forget(val);
                }
            }
            Statement::Flush => self.session.run(&[])?,
        }
        Ok(())
    }

    fn source(&mut self, source: &Source) -> Val {
        match *source {
            Source::Value(r) => self.values[&r],
            Source::Number(value, dtype) => self.session.graph.number(value, dtype, false),
            Source::Key => self.session.random_key(KEY_DRAWS),
        }
    }

    fn descended(&mut self, current: Val, grad: Val, rate: f64) -> Result<Val> {
        let step = self.session.scale(grad, rate)?;
        let next = self.session.map(&[current, step], |x| &x[0] - &x[1]);
        self.session.forget(step);
        next
    }

    /// Σ root², where the root is there.
    fn objective(&mut self, root: Register) -> Result<Option<Val>> {
        let Some(&val) = self.values.get(&root) else { return Ok(None) };
        let square = self.session.mul(val, val)?;
        let sum = self.session.sum(square);
        self.session.forget(square);
        sum.map(Some)
    }

    fn gradients(&mut self, to: &[Register], root: Register, inputs: &[Register], create_graph: bool) -> Result<()> {
        let Some(vals) = inputs.iter().map(|r| self.values.get(r).copied()).collect::<Option<Vec<Val>>>() else {
            return Ok(());
        };
        let Some(objective) = self.objective(root)? else { return Ok(()) };
        let grads = self.session.grad(&[objective], &[None], &vals, create_graph)?;
        self.session.forget(objective);
        for (&register, grad) in to.iter().zip(grads) {
            match grad {
                Some(grad) => self.set(&[register], [grad]),
                None => self.note(format!("gradient v{register}"), Ok(Seen::Nothing)),
            }
        }
        Ok(())
    }

    /// Evaluates values together and notes each.
    fn read(&mut self, what: &str, registers: &[Register]) {
        let vals: Vec<(Register, Val)> =
            registers.iter().filter_map(|r| self.values.get(r).map(|&v| (*r, v))).collect();
        let wanted: Vec<Val> = vals.iter().map(|v| v.1).collect();
        if let Err(error) = self.session.run(&wanted) {
            self.trace.refused.push(format!("{what}: {error}"));
            self.note(what.to_string(), Err(error));
        }
        for (register, val) in vals {
            self.look(format!("v{register} at \"{what}\""), val);
        }
    }

    fn look(&mut self, what: String, val: Val) {
        let ty = self.session.ty(val);
        let seen = self.session.read_bytes(val).map(|bytes| Seen::Value(ty, bytes));
        if let Err(error) = &seen {
            self.trace.refused.push(format!("{what}: {error}"));
        }
        self.note(what, seen);
    }

    /// Variables and gradients as they are in the end.
    fn finish(&mut self) {
        let variables: Vec<(Register, VariableId)> = self.variables.iter().map(|(r, id)| (*r, *id)).collect();
        for (register, id) in variables {
            let current = self.session.graph.current(id);
            self.final_value(format!("w{register} in the end"), current.map(Some));
            let grad = self.session.graph.grad_of_variable(id);
            self.final_value(format!("the gradient of w{register} in the end"), grad);
        }
        for register in std::mem::take(&mut self.leaves) {
            let Some(&leaf) = self.values.get(&register) else { continue };
            let grad = self.session.graph.grad_of(leaf);
            self.final_value(format!("the gradient of v{register} in the end"), grad);
        }
    }

    fn final_value(&mut self, what: String, val: Result<Option<Val>, Error>) {
        match val {
            Ok(Some(val)) => self.look(what, val),
            Ok(None) => self.note(what, Ok(Seen::Nothing)),
            Err(error) => self.note(what, Err(error)),
        }
    }
}
