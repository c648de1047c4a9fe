//! Random nests against a naive interpreter, bit for bit.

mod cases;
mod elementwise;
mod reductions;
mod reference;
