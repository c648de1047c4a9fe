//! Every kernel by itself on the CPU:
//!
//! ```sh
//! cargo bench -p fovea-testkit --bench kernels              # all, two to three minutes
//! cargo bench -p fovea-testkit --bench kernels -- im2col    # those with this in their name
//! ```
//!
//! A time includes what recording one op, finding its plan and handing it over cost: a few microseconds. FOVEA_ISA and
//! FOVEA_THREADS are obeyed.

mod case;
mod contraction;
mod functions;
mod loops;
mod ops;
#[path = "../../../cpu/src/gemm/tests/table.rs"]
mod table;

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;

/// Short runs: enough to see a change of a tenth.
fn short() -> Criterion {
    let time =
        Criterion::default().warm_up_time(Duration::from_millis(150)).measurement_time(Duration::from_millis(500));
    time.sample_size(15).without_plots()
}

criterion_group! {
    name = kernels;
    config = short();
    targets = contraction::gemm, contraction::convolution, contraction::im2col_gemm, loops::elementwise,
        loops::normalization, loops::reductions, loops::layouts, loops::optimizers, ops::pooling, ops::places,
        ops::orders, ops::random, functions::functions
}
criterion_main!(kernels);
