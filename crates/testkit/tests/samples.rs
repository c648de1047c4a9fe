//! Every op's samples on the CPU: the same bits however they are evaluated, the naive runtime's values, and gradients
//! that central differences confirm.

use fovea_core::DType;
use fovea_core::device::Runtime;
use fovea_cpu::pool::pool;
use fovea_cpu::runtime::CpuRuntime;
use fovea_testkit::Reference;
use fovea_testkit::gradcheck::{self, Check, Order};
use fovea_testkit::samples::{Case, Mode, run};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Samples whose gradient is defined as something else than the derivative: (op, sample).
const BY_DEFINITION: [(&str, &str); 1] = [("embedding", "a row without gradient")];

/// Held by tests that set the number of threads.
static THREADS: Mutex<()> = Mutex::new(());

fn cpu() -> Arc<dyn Runtime> {
    Arc::new(CpuRuntime)
}

/// Runs `check` on every case that `only` accepts and fails with all complaints at once.
fn every(only: impl Fn(&Case) -> bool, check: impl Fn(&Case) -> Result<(), String>) {
    let wanted = std::env::var("FOVEA_OP").ok();
    let cases = Case::all(&fovea_ops::all());
    assert!(cases.len() > 500, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|c| only(c) && wanted.as_ref().is_none_or(|w| w == c.op)) {
        let result = catch_unwind(AssertUnwindSafe(|| check(case)));
        let complaint = match result {
            Ok(Ok(())) => continue,
            Ok(Err(complaint)) => complaint,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?"))
            }
        };
        wrong.push(format!("{}: {complaint}", case.name()));
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn text(error: fovea_core::Error) -> String {
    error.to_string()
}

#[test]
fn s13_no_way_of_evaluating_changes_a_bit() {
    let _threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    every(
        |_| true,
        |case| {
            pool().set_threads(1);
            let plain = run(&cpu(), case, Mode::PLAIN, 2).map_err(text)?;
            for threads in [1, 2] {
                pool().set_threads(threads);
                let others = [
                    ("fused", Mode { reuse: false, ..Mode::FUSED }),
                    ("reusing memory", Mode { fusion: false, ..Mode::FUSED }),
                    ("fused and reusing memory", Mode::FUSED),
                    ("otherwise arranged", Mode { arranged: true, ..Mode::FUSED }),
                    ("otherwise arranged and plain", Mode { arranged: true, ..Mode::PLAIN }),
                    ("read before the gradient", Mode { read_first: true, ..Mode::FUSED }),
                ];
                for (name, mode) in others {
                    let other = run(&cpu(), case, mode, 2).map_err(|e| format!("{name}: {e}"))?;
                    if let Some(difference) = plain.difference(&other) {
                        return Err(format!("plain and {name} on {threads} threads: {difference}"));
                    }
                }
            }
            Ok(())
        },
    );
}

#[test]
fn plans_are_right_on_the_naive_runtime() {
    every(
        |_| true,
        |case| {
            let naive: Arc<dyn Runtime> = Reference::new();
            let plain = run(&naive, case, Mode::PLAIN, 2).map_err(text)?;
            let fused = run(&naive, case, Mode { arranged: true, ..Mode::FUSED }, 2).map_err(text)?;
            plain.difference(&fused).map_or(Ok(()), Err)
        },
    );
}

#[test]
fn every_sample_agrees_with_the_naive_runtime() {
    every(
        |_| true,
        |case| {
            let naive = run(&(Reference::new() as Arc<dyn Runtime>), case, Mode::PLAIN, 2).map_err(text)?;
            let fast = run(&cpu(), case, Mode { arranged: true, ..Mode::FUSED }, 2).map_err(text)?;
            fast.errors(&naive, case).map_err(text)?.1.map_or(Ok(()), Err)
        },
    );
}

fn gradients(order: Order) {
    every(
        |case| case.float == DType::F64 && !BY_DEFINITION.contains(&(case.op, case.sample.name)),
        |case| match gradcheck::check(&cpu(), case, order).map_err(text)? {
            Check::Wrong(complaint) => Err(complaint),
            _ => Ok(()),
        },
    );
}

#[test]
fn gradients_agree_with_central_differences() {
    gradients(Order::First);
}

#[test]
fn second_order_gradients_agree_with_central_differences() {
    gradients(Order::Second);
}
