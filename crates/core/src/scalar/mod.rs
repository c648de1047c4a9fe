//! Scalar programs: what an elementwise op computes for one element, and their derivatives.
//!
//! A [`Program`] is straight-line code over typed values. Ops write it with [`Expr`]; fusion appends programs to one
//! another; the runtimes turn it into vector loops or WGSL. Every instruction rounds on its own, so that fusing never
//! changes a bit (S13).

mod derivative;
mod expr;
mod prim;
mod program;

pub use derivative::derivative;
pub use expr::{Expr, build};
pub use prim::Prim;
pub use program::{Instr, Program, ValueId};
