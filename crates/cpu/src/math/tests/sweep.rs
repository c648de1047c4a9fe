//! f32 bit patterns through each function as loops run it, on every instruction set, against f64.
//!
//! The reference is the f64 function of the platform or of the libm crate at the same argument, which is exact: wrong by
//! less than 3 units of the last place of f64, as `doubles` shows at rightly rounded values. That is 6e-9 of an f32's.

use super::ulps;
use crate::isa::{Isa, isa};
use crate::loops::{Kernel, one_operand};
use fovea_core::DType;
use fovea_core::scalar::Prim;
use std::ptr::null;
use std::thread;

/// Patterns that a kernel takes at a time.
const BLOCK: u64 = 4096;

struct Function {
    prim: Prim,
    /// The largest error in units of the last place.
    bound: f64,
    exact: fn(f64) -> f64,
}

const fn function(prim: Prim, bound: f64, exact: fn(f64) -> f64) -> Function {
    Function { prim, bound, exact }
}

const FUNCTIONS: [Function; 9] = [
    function(Prim::Exp, 1.0, f64::exp),
    function(Prim::Expm1, 1.45, f64::exp_m1),
    function(Prim::Log, 0.8, f64::ln),
    function(Prim::Log1p, 0.9, f64::ln_1p),
    function(Prim::Sin, 1.6, f64::sin),
    function(Prim::Cos, 1.6, f64::cos),
    function(Prim::Tanh, 1.35, f64::tanh),
    function(Prim::Erf, 1.15, libm::erf),
    function(Prim::Erfc, 0.6, libm::erfc),
];

/// An error and the argument at which it was found.
#[derive(Clone, Copy)]
struct Worst {
    error: f64,
    at: f32,
}

pub(super) fn sets() -> impl Iterator<Item = Isa> {
    [Isa::Portable, Isa::Avx2, Isa::Avx512].into_iter().filter(|&set| set <= isa())
}

/// The values of `kernel` at `x`.
fn values(kernel: Kernel, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    // SAFETY: both slices hold as many elements, and the processor has the instruction set.
    unsafe { kernel(x.len(), y.as_mut_ptr().cast(), [x.as_ptr().cast(), null(), null()]) };
}

/// The worst of the patterns that are multiples of `step` in every block whose number leaves `share` of `shares`.
fn part(f: &Function, kernels: &[(Isa, Kernel)], step: u64, share: u64, shares: u64) -> Vec<Worst> {
    let mut worst = vec![Worst { error: 0.0, at: 0.0 }; kernels.len()];
    let mut results = vec![vec![0f32; BLOCK as usize]; kernels.len()];
    let last = u64::from(u32::MAX) / step;
    for first in (share * BLOCK..=last).step_by((shares * BLOCK) as usize) {
        let x: Vec<f32> = (first..=last).take(BLOCK as usize).map(|i| f32::from_bits((i * step) as u32)).collect();
        for ((_, kernel), y) in kernels.iter().zip(&mut results) {
            values(*kernel, &x, &mut y[..x.len()]);
        }
        for (i, &at) in x.iter().enumerate() {
            let exact = (f.exact)(f64::from(at));
            for (y, worst) in results.iter().zip(&mut worst) {
                let error = ulps(y[i], exact);
                if error > worst.error {
                    *worst = Worst { error, at };
                }
            }
            // Both have fused multiply-adds, and nothing else may tell them apart.
            let of = |set: Isa| kernels.iter().position(|k| k.0 == set).map(|k| results[k][i].to_bits());
            let (narrow, wide) = (of(Isa::Avx2), of(Isa::Avx512));
            assert!(at.is_nan() || wide.is_none() || narrow == wide, "{:?} of {at:e}", f.prim);
        }
    }
    worst
}

/// Every pattern that is a multiple of `step`, and those in which functions change their ways.
fn sweep(step: u64) {
    let mut beyond = Vec::new();
    for f in &FUNCTIONS {
        let kernels: Vec<(Isa, Kernel)> =
            sets().map(|set| (set, one_operand(f.prim, DType::F32, set).expect("it takes f32"))).collect();
        let shares = thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let mut worst = vec![Worst { error: 0.0, at: 0.0 }; kernels.len()];
        thread::scope(|scope| {
            let kernels = &kernels;
            let parts: Vec<_> =
                (0..shares).map(|share| scope.spawn(move || part(f, kernels, step, share, shares))).collect();
            for part in parts {
                for (worst, found) in worst.iter_mut().zip(part.join().expect("no kernel panics")) {
                    *worst = if found.error > worst.error { found } else { *worst };
                }
            }
        });
        for ((set, _), Worst { error, at }) in kernels.iter().zip(&worst) {
            println!("{:?} ({}): {error:.4} ULP at {at:e}", f.prim, set.name());
            let exact = (f.exact)(f64::from(*at));
            if *error > f.bound {
                beyond.push(format!("{:?} ({}): {error} ULP at {at:e}, exact {exact:e}", f.prim, set.name()));
            }
        }
    }
    assert!(beyond.is_empty(), "{beyond:#?}");
}

#[test]
fn functions_stay_within_their_bounds() {
    sweep(257);
}

#[test]
fn special_values() {
    let x = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, f32::MAX, f32::MIN];
    let mut y = [0.0; 10];
    for f in &FUNCTIONS {
        for set in sets() {
            values(one_operand(f.prim, DType::F32, set).expect("it takes f32"), &x, &mut y);
            for (x, y) in x.iter().zip(&y) {
                let exact = (f.exact)(f64::from(*x));
                let error = ulps(*y, exact);
                assert!(error <= f.bound, "{:?} of {x:e} ({}): {y:e} for {exact:e}", f.prim, set.name());
            }
        }
    }
}

/// `npm run test:long` runs the ignored tests of modules of this name.
mod long {
    #[test]
    #[ignore = "takes minutes"]
    fn every_bit_pattern_of_f32() {
        super::sweep(1);
    }
}
