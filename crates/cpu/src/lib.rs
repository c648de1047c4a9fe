//! The CPU runtime: instruction sets, threads, memory, fused loops and the packed GEMM engine.
//! It knows no op by name.

pub mod gemm;
pub mod isa;
mod jit;
pub mod loops;
pub mod math;
pub mod memory;
pub mod peak;
pub mod pool;
pub mod runtime;
