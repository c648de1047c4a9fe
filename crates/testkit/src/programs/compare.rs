//! Ways of evaluating, compared; and programs made smaller.

use super::{Program, Seen, Trace, run};
use crate::values;
use fovea_core::device::Runtime;
use fovea_cpu::pool::pool;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A way of evaluating.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    pub fusion: bool,
    pub reuse: bool,
    pub channels_last: bool,
    pub threads: usize,
}

impl Mode {
    /// Each op by itself, row-major, in memory of its own, on one thread.
    pub const PLAIN: Mode = Mode { fusion: false, reuse: false, channels_last: false, threads: 1 };
    /// As programs run normally.
    pub const FUSED: Mode = Mode { fusion: true, reuse: true, channels_last: true, threads: 2 };
    /// Fused, in memory that nothing shares, on one thread.
    pub const APART: Mode = Mode { fusion: true, reuse: false, channels_last: true, threads: 1 };
}

/// Where two traces differ first, in words.
pub fn first_difference(a: &Trace, b: &Trace) -> Option<String> {
    for (x, y) in a.entries.iter().zip(&b.entries) {
        let what = &x.what;
        match (&x.seen, &y.seen) {
            _ if *what != y.what => return Some(format!("{what} in one and {} in the other", y.what)),
            (Seen::Value(s, v), Seen::Value(t, w)) if s == t => {
                if let Some((i, v, w)) = values::first_difference(s.dtype, v, w) {
                    return Some(format!("{what}: element {i} is {v:e} and {w:e}"));
                }
            }
            (s, t) if s == t => {}
            (s, t) => return Some(format!("{what}: {} and {}", brief(s), brief(t))),
        }
    }
    let (x, y) = (a.entries.len(), b.entries.len());
    (x != y).then(|| format!("{x} observations in one and {y} in the other"))
}

fn brief(seen: &Seen) -> String {
    match seen {
        Seen::Value(ty, _) => format!("{} {}", ty.dtype, ty.shape),
        Seen::Nothing => "nothing".into(),
        Seen::Failed(kind) => format!("a failure ({kind:?})"),
    }
}

/// Runs the program in two ways, each on its runtime, and says how they differ. A panic is a difference too.
pub fn difference(
    program: &Program,
    plain: (&Arc<dyn Runtime>, Mode),
    other: (&Arc<dyn Runtime>, Mode),
) -> Option<String> {
    let traces = [plain, other].map(|(runtime, mode)| {
        pool().set_threads(mode.threads);
        catch_unwind(AssertUnwindSafe(|| run(program, runtime, mode)))
    });
    match traces {
        [Ok(a), Ok(b)] => first_difference(&a, &b),
        _ => Some("a panic".into()),
    }
}

/// The program with every statement removed that `differs` can do without.
pub fn shrink(program: &Program, mut differs: impl FnMut(&Program) -> bool) -> Program {
    let mut small = program.clone();
    let mut chunk = small.statements.len().div_ceil(2);
    loop {
        let mut removed = false;
        let mut end = small.statements.len();
        // From the end, where the statements are that nothing depends on.
        while end > 0 {
            let start = end.saturating_sub(chunk);
            let mut candidate = small.clone();
            candidate.statements.drain(start..end);
            if differs(&candidate) {
                small = candidate;
                removed = true;
            }
            end = start;
        }
        match chunk {
            0 | 1 if !removed => return small,
            0 | 1 => {}
            _ => chunk = chunk.div_ceil(2),
        }
    }
}
