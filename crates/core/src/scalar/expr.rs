//! Writing programs as Rust expressions: `build(&[F32], |x| [1.0 / (1.0 + (-x[0].clone()).exp())])`.

use super::prim::Prim;
use super::program::{Instr, Program, ValueId};
use crate::dtype::DType;
use std::cell::RefCell;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Rem, Sub};
use std::rc::Rc;

/// A value of the program being built. Cloning refers to the same value.
#[derive(Clone)]
pub struct Expr {
    program: Rc<RefCell<Program>>,
    id: ValueId,
    dtype: DType,
}

/// Runs `body` on one expression per input and returns the program of its results.
pub fn build(inputs: &[DType], body: impl FnOnce(&[Expr]) -> Vec<Expr>) -> Program {
    let program = Rc::new(RefCell::new(Program { inputs: inputs.to_vec(), ..Program::default() }));
    let exprs: Vec<Expr> = inputs
        .iter()
        .enumerate()
        .map(|(i, &dtype)| Expr { program: program.clone(), id: i as ValueId, dtype })
        .collect();
    let outputs: Vec<ValueId> = body(&exprs).iter().map(|e| e.id).collect();
    let mut program = program.borrow().clone();
    program.outputs = outputs;
    program.simplified()
}

impl Expr {
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    fn push(&self, prim: Prim, dtype: DType, args: [ValueId; 3]) -> Expr {
        let mut program = self.program.borrow_mut();
        program.instrs.push(Instr { prim, dtype, args });
        let id = (program.inputs.len() + program.instrs.len() - 1) as ValueId;
        Expr { program: self.program.clone(), id, dtype }
    }

    /// A constant of this expression's dtype in the same program.
    pub fn constant(&self, value: f64) -> Expr {
        self.constant_of(value, self.dtype)
    }

    pub fn constant_of(&self, value: f64, dtype: DType) -> Expr {
        self.push(Prim::Const(value.to_bits()), dtype, [0; 3])
    }

    /// A nullary or key-reading primitive of the given dtype.
    pub fn positional(&self, prim: Prim, dtype: DType) -> Expr {
        self.push(prim, dtype, [self.id, 0, 0])
    }

    pub fn cast(&self, dtype: DType) -> Expr {
        if dtype == self.dtype { self.clone() } else { self.push(Prim::Cast, dtype, [self.id, 0, 0]) }
    }

    pub fn unary(&self, prim: Prim) -> Expr {
        let dtype = prim.result(self.dtype).expect("a unary primitive");
        self.push(prim, dtype, [self.id, 0, 0])
    }

    pub fn binary(&self, prim: Prim, other: &Expr) -> Expr {
        debug_assert_eq!(self.dtype, other.dtype, "{prim:?}");
        let dtype = prim.result(self.dtype).expect("a binary primitive");
        self.push(prim, dtype, [self.id, other.id, 0])
    }

    /// `self` (bool) ? `yes` : `no`.
    pub fn select(&self, yes: &Expr, no: &Expr) -> Expr {
        debug_assert_eq!(self.dtype, DType::Bool);
        debug_assert_eq!(yes.dtype, no.dtype);
        self.push(Prim::Select, yes.dtype, [self.id, yes.id, no.id])
    }

    pub fn exp(&self) -> Expr {
        self.unary(Prim::Exp)
    }
    pub fn log(&self) -> Expr {
        self.unary(Prim::Log)
    }
    pub fn sqrt(&self) -> Expr {
        self.unary(Prim::Sqrt)
    }
    pub fn tanh(&self) -> Expr {
        self.unary(Prim::Tanh)
    }
    pub fn erf(&self) -> Expr {
        self.unary(Prim::Erf)
    }
    pub fn abs(&self) -> Expr {
        self.unary(Prim::Abs)
    }
    pub fn sign(&self) -> Expr {
        self.unary(Prim::Sign)
    }
    pub fn max(&self, other: &Expr) -> Expr {
        self.binary(Prim::Max, other)
    }
    pub fn min(&self, other: &Expr) -> Expr {
        self.binary(Prim::Min, other)
    }
    pub fn lt(&self, other: &Expr) -> Expr {
        self.binary(Prim::Lt, other)
    }
    pub fn le(&self, other: &Expr) -> Expr {
        self.binary(Prim::Le, other)
    }
    pub fn gt(&self, other: &Expr) -> Expr {
        other.binary(Prim::Lt, self)
    }
    pub fn ge(&self, other: &Expr) -> Expr {
        other.binary(Prim::Le, self)
    }
    pub fn eq(&self, other: &Expr) -> Expr {
        self.binary(Prim::Eq, other)
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $prim:ident),*) => {$(
        impl $trait<Expr> for Expr { type Output = Expr; fn $method(self, o: Expr) -> Expr { self.binary(Prim::$prim, &o) } }
        impl $trait<&Expr> for Expr { type Output = Expr; fn $method(self, o: &Expr) -> Expr { self.binary(Prim::$prim, o) } }
        impl $trait<Expr> for &Expr { type Output = Expr; fn $method(self, o: Expr) -> Expr { self.binary(Prim::$prim, &o) } }
        impl $trait<&Expr> for &Expr { type Output = Expr; fn $method(self, o: &Expr) -> Expr { self.binary(Prim::$prim, o) } }
        impl $trait<f64> for Expr { type Output = Expr; fn $method(self, o: f64) -> Expr { let o = self.constant(o); self.binary(Prim::$prim, &o) } }
        impl $trait<f64> for &Expr { type Output = Expr; fn $method(self, o: f64) -> Expr { let o = self.constant(o); self.binary(Prim::$prim, &o) } }
        impl $trait<Expr> for f64 { type Output = Expr; fn $method(self, o: Expr) -> Expr { o.constant(self).binary(Prim::$prim, &o) } }
        impl $trait<&Expr> for f64 { type Output = Expr; fn $method(self, o: &Expr) -> Expr { o.constant(self).binary(Prim::$prim, o) } }
    )*};
}
operators!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div, Rem rem Rem);

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.unary(Prim::Neg)
    }
}
impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.unary(Prim::Neg)
    }
}
impl Not for Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        self.unary(Prim::Not)
    }
}
impl BitAnd for Expr {
    type Output = Expr;
    fn bitand(self, o: Expr) -> Expr {
        self.binary(Prim::And, &o)
    }
}
impl BitOr for Expr {
    type Output = Expr;
    fn bitor(self, o: Expr) -> Expr {
        self.binary(Prim::Or, &o)
    }
}
