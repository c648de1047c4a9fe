//! Random programs: what every way of evaluating must agree about, to the bit.
//!
//! A [`Program`] is data, drawn from a seed by [`generate()`]; [`run`] executes it in a session and writes down all that
//! can be observed; [`difference`] compares ways of evaluating and [`shrink`] finds a small program that still differs.

mod calls;
mod compare;
mod execute;
mod generate;
pub mod planted;
mod random;

pub use compare::{Mode, difference, first_difference, shrink};
pub use execute::{Entry, Seen, Trace, run};
pub use generate::{Vocabulary, generate};

use fovea_core::DType;
use fovea_core::op::{DynOp, TensorType};
use fovea_core::sample::SampleInput;
use std::fmt;
use std::sync::Arc;

/// A value by the number it was given; numbers stay when statements are removed.
pub type Register = usize;

/// What an op reads.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Value(Register),
    Number(f64, DType),
    /// A fresh random key.
    Key,
}

/// One thing that a program does. A statement that needs a value which isn't there does nothing.
#[derive(Clone, Debug)]
pub enum Statement {
    Leaf {
        to: Register,
        dtype: DType,
        input: SampleInput,
        seed: usize,
        grad: bool,
    },
    Variable {
        to: Register,
        ty: TensorType,
        seed: usize,
        grad: bool,
    },
    Call {
        to: Vec<Register>,
        op: Arc<dyn DynOp>,
        inputs: Vec<Source>,
    },
    /// The newest value of a variable.
    Current {
        to: Register,
        variable: Register,
    },
    Assign {
        variable: Register,
        value: Register,
    },
    /// The variable less `rate` times its gradient, where it has one.
    Descend {
        variable: Register,
        rate: f64,
    },
    ClearGradient {
        variable: Register,
    },
    Detach {
        to: Register,
        from: Register,
    },
    /// Accumulates the gradients of Σ root².
    Backward {
        root: Register,
    },
    /// Gradients of Σ root² towards `inputs`.
    Gradients {
        to: Vec<Register>,
        root: Register,
        inputs: Vec<Register>,
        create_graph: bool,
    },
    /// Evaluates the values together and reads them.
    Read(Vec<Register>),
    Keep(Register),
    Dispose(Register),
    Forget(Register),
    /// Evaluates what is pending.
    Flush,
}

/// A program and what it was drawn from.
#[derive(Clone, Debug)]
pub struct Program {
    pub seed: u64,
    /// Whether it runs as a module would, where small values are not materialised (S6).
    pub inside: bool,
    pub statements: Vec<Statement>,
}

fn list(f: &mut fmt::Formatter<'_>, registers: &[Register]) -> fmt::Result {
    for (i, r) in registers.iter().enumerate() {
        write!(f, "{}v{r}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Value(r) => write!(f, "v{r}"),
            Source::Number(v, dtype) => write!(f, "{v}{dtype}"),
            Source::Key => f.write_str("key"),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Leaf { to, dtype, input, seed, grad } => {
                let SampleInput { shape, domain, arrangement, .. } = input;
                let grad = if *grad { ", with gradient" } else { "" };
                write!(f, "v{to} = leaf {dtype} {shape} of {domain:?}, {arrangement:?}, number {seed}{grad}")
            }
            Statement::Variable { to, ty, seed, grad } => {
                let grad = if *grad { ", with gradient" } else { "" };
                write!(f, "w{to} = variable {} {}, number {seed}{grad}", ty.dtype, ty.shape)
            }
            Statement::Call { to, op, inputs } => {
                list(f, to)?;
                write!(f, " = {}(", op.name())?;
                for (i, input) in inputs.iter().enumerate() {
                    write!(f, "{}{input}", if i == 0 { "" } else { ", " })?;
                }
                write!(f, ")")?;
                let attributes = format!("{op:?}");
                if attributes.contains('{') { write!(f, " as {attributes}") } else { Ok(()) }
            }
            Statement::Current { to, variable } => write!(f, "v{to} = w{variable}"),
            Statement::Assign { variable, value } => write!(f, "assign w{variable} ← v{value}"),
            Statement::Descend { variable, rate } => {
                write!(f, "assign w{variable} ← w{variable} - {rate} · its gradient")
            }
            Statement::ClearGradient { variable } => write!(f, "clear the gradient of w{variable}"),
            Statement::Detach { to, from } => write!(f, "v{to} = detach(v{from})"),
            Statement::Backward { root } => write!(f, "backward from Σ v{root}²"),
            Statement::Gradients { to, root, inputs, create_graph } => {
                list(f, to)?;
                write!(f, " = gradients of Σ v{root}² towards ")?;
                list(f, inputs)?;
                f.write_str(if *create_graph { ", with graph" } else { "" })
            }
            Statement::Read(values) => {
                f.write_str("read ")?;
                list(f, values)
            }
            Statement::Keep(r) => write!(f, "keep v{r}"),
            Statement::Dispose(r) => write!(f, "dispose v{r}"),
            Statement::Forget(r) => write!(f, "forget v{r}"),
            Statement::Flush => f.write_str("evaluate"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "program {}{}:", self.seed, if self.inside { ", inside a module" } else { "" })?;
        self.statements.iter().try_for_each(|s| writeln!(f, "  {s}"))
    }
}
