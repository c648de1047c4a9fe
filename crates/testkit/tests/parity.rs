//! Every op's samples against PyTorch's values and gradients, and random draws against what is known of them.

use fovea_core::device::Runtime;
use fovea_core::{DType, Error};
use fovea_cpu::runtime::CpuRuntime;
use fovea_testkit::fixtures::Fixtures;
use fovea_testkit::samples::{Case, Mode, run};
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
