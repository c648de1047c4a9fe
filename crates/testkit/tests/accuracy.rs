//! Functions made of others: f32 bit patterns through the ops of the table against f64, on every instruction set.
//!
//! The references are the formulas in f64, arranged so that nothing cancels; their error is below 1e-6 of an f32's last
//! place.

use fovea_core::DType;
use fovea_core::op::DynOp;
use fovea_cpu::isa::isa;
use fovea_cpu::runtime::CpuRuntime;
use fovea_testkit::Session;
use std::env;
use std::process::Command;
use std::sync::Arc;

/// Patterns that an op takes at a time.
const BLOCK: u64 = 1 << 20;

struct Function {
    name: &'static str,
    /// The largest error in units of the last place.
    bound: f64,
    exact: fn(f64) -> f64,
}

const fn function(name: &'static str, bound: f64, exact: fn(f64) -> f64) -> Function {
    Function { name, bound, exact }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn logistic(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
}

const FUNCTIONS: [Function; 9] = [
    function("sigmoid", 2.0, logistic),
    function("tanh", 1.35, f64::tanh),
    function("erf", 1.15, libm::erf),
    function("softplus", 2.0, softplus),
    function("logsigmoid", 2.0, |x| -softplus(-x)),
    function("selu", 2.5, |x| 1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() }),
    function("sinh", 3.0, f64::sinh),
    function("cosh", 3.0, f64::cosh),
    function("rsqrt", 1.5, |x| 1.0 / x.sqrt()),
];

/// Error of `y` in units of the last place of `exact` as an f32; NaN and infinities must be the same.
fn ulps(y: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if y == nearest || (y.is_nan() && exact.is_nan()) {
        return 0.0;
    }
    if y.is_nan() || exact.is_nan() || y.is_infinite() {
        return f64::INFINITY;
    }
    let exponent = (exact.to_bits() >> 52 & 0x7ff).clamp(1023 - 126, 1023 + 127);
    (f64::from(y) - exact.clamp(-f64::from(f32::MAX), f64::from(f32::MAX))).abs()
        / f64::from_bits((exponent - 23) << 52)
}

/// The largest error of the patterns that are multiples of `step`, and where it is.
fn worst(f: &Function, step: u64) -> (f64, f32) {
    let table = fovea_ops::scalar::ops();
    let def = table.iter().find(|def| def.name == f.name).expect("an op of the table");
    let op: Arc<dyn DynOp> = (def.samples)()[0].op.clone();
    let mut session = Session::new(Arc::new(CpuRuntime));
    let last = u64::from(u32::MAX) / step;
    let mut worst = (0.0, 0.0);
    for first in (0..=last).step_by(BLOCK as usize) {
        let x: Vec<f64> =
            (first..=last).take(BLOCK as usize).map(|i| f64::from(f32::from_bits((i * step) as u32))).collect();
        let mut y = Vec::new();
        let round = session.scope(|s| {
            let leaf = s.leaf(DType::F32, [x.len()], &x)?;
            let value = s.record_dyn(&op, &[leaf])?[0];
            y = s.read_bytes(value)?;
            Ok(vec![])
        });
        round.expect("the op runs");
        for (&x, y) in x.iter().zip(y.as_chunks::<4>().0) {
            let error = ulps(f32::from_ne_bytes(*y), (f.exact)(x));
            if error > worst.0 {
                worst = (error, x as f32);
            }
        }
    }
    worst
}

fn check(step: u64) {
    let mut beyond = Vec::new();
    for f in &FUNCTIONS {
        let (error, at) = worst(f, step);
        println!("{} ({}): {error:.4} ULP at {at:e}", f.name, isa().name());
        if error > f.bound {
            beyond.push(format!("{} ({}): {error} ULP at {at:e}", f.name, isa().name()));
        }
    }
    assert!(beyond.is_empty(), "{beyond:#?}");
}

/// The test of this name in a process for each lower instruction set.
fn on_others(test: &str) {
    if env::var_os("FOVEA_ISA").is_some() {
        return;
    }
    for set in ["avx2", "portable"].into_iter().filter(|set| *set != isa().name()) {
        let test = ["--exact", test, "--include-ignored", "--nocapture"];
        let mut child = Command::new(env::current_exe().expect("a test has a file"));
        child.args(test).env("FOVEA_ISA", set);
        assert!(child.status().expect("the test runs once more").success(), "{set}");
    }
}

#[test]
fn functions_made_of_others_stay_within_their_bounds() {
    check(2003);
    on_others("functions_made_of_others_stay_within_their_bounds");
}

/// `npm run test:long` runs the ignored tests of modules of this name.
mod long {
    #[test]
    #[ignore = "takes minutes"]
    fn every_bit_pattern_of_f32() {
        super::check(1);
        super::on_others("long::every_bit_pattern_of_f32");
    }
}
