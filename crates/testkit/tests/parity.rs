//! Every op's samples against PyTorch's values and gradients, and random draws against what is known of them.

use fovea_core::device::Runtime;
use fovea_core::op::DynOp;
use fovea_core::{DType, Error};
use fovea_cpu::runtime::CpuRuntime;
use fovea_ops::random::{Normal, Uniform};
use fovea_testkit::Session;
use fovea_testkit::fixtures::Fixtures;
use fovea_testkit::samples::{Case, Mode, RANDOM, run};
use std::sync::Arc;

/// Ops that PyTorch has no twin of, as `ops.py` lists them: random draws.
const CLOSED_FORM: [&str; 5] = ["uniform", "normal", "bernoulli", "randint", "dropout"];

fn cpu() -> Arc<dyn Runtime> {
    Arc::new(CpuRuntime)
}

#[test]
fn the_fixture_belongs_to_the_samples() {
    let (ops, fixtures) = (fovea_ops::all(), Fixtures::load().unwrap());
    let stale = fixtures.stale(&ops);
    assert_eq!(stale, None, "the samples of {stale:?} have changed: run test/reference/ops.py again");
    let without: Vec<&str> = ops.iter().map(|def| def.name).filter(|name| !fixtures.has(name)).collect();
    assert_eq!(without, CLOSED_FORM, "ops without a twin: run test/reference/ops.py again");
    assert_eq!(fixtures.ops() + CLOSED_FORM.len(), ops.len());
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let fixtures = Fixtures::load().unwrap();
    let (mut wrong, mut counts) = (Vec::new(), [0; 3]);
    for case in Case::all(&fovea_ops::all()).iter().filter(|case| fixtures.covers(case)) {
        let result = run(&cpu(), case, Mode { arranged: true, ..Mode::FUSED }, 2);
        match result.map_err(|e: Error| e.to_string()).and_then(|outcome| fixtures.compare(case, &outcome, 2)) {
            Ok(compared) => (0..3).for_each(|i| counts[i] += compared.counts[i]),
            Err(complaint) => wrong.push(format!("{}: {complaint}", case.name())),
        }
    }
    assert!(wrong.is_empty(), "{} cases differ from PyTorch:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts[0] > 1500 && counts[1] > 900 && counts[2] > 400, "compared {counts:?}");
}

#[test]
fn the_generator_is_philox() {
    // Known answers of Random123 1.14 (kat_vectors), those whose counter's high half is 0.
    assert_eq!(fovea_cpu::math::philox(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    for (seed, counter) in [(0, 0), (RANDOM.0, RANDOM.1), (u64::MAX, 1 << 40)] {
        assert_eq!(fovea_cpu::math::philox(seed, counter), fovea_testkit::reference::philox(seed, counter));
    }
}

/// Mean and variance of `n` draws.
fn moments(float: DType, op: impl Fn(Vec<usize>, DType) -> Arc<dyn DynOp>, n: usize) -> (f64, f64) {
    let mut s = Session::new(cpu());
    s.random = RANDOM;
    let key = s.random_key(n);
    let draws = s.record_dyn(&op(vec![n], float), &[key]).unwrap()[0];
    let draws = s.read(draws).unwrap();
    let mean = draws.iter().sum::<f64>() / n as f64;
    (mean, draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64)
}

#[test]
fn draws_have_the_moments_of_their_distributions() {
    const N: usize = 1 << 18;
    for float in [DType::F32, DType::F64] {
        // Five standard errors: the deviation of a mean is σ/√n, that of a uniform variance √(1/180n), of a normal
        // one √(2/n).
        let (mean, variance) = moments(float, |shape, dtype| Arc::new(Uniform { shape, dtype }), N);
        assert!((mean - 0.5).abs() < 5.0 * (1.0 / (12.0 * N as f64)).sqrt(), "uniform {float}: mean {mean}");
        assert!((variance - 1.0 / 12.0).abs() < 5.0 * (1.0 / (180.0 * N as f64)).sqrt(), "uniform: {variance}");
        let (mean, variance) = moments(float, |shape, dtype| Arc::new(Normal { shape, dtype }), N);
        assert!(mean.abs() < 5.0 / (N as f64).sqrt(), "normal {float}: mean {mean}");
        assert!((variance - 1.0).abs() < 5.0 * (2.0 / N as f64).sqrt(), "normal {float}: variance {variance}");
    }
}
