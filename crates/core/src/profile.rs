//! Profiles: how long each step of the plans took that ran meanwhile, what work it was and whose.

use crate::plan::{LoopNest, Operand, Plan, SlotId, Step};
use crate::scalar::Prim;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a step does, whatever device it runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Arithmetic of floats, a multiply-add being two and any function one.
    pub flops: u64,
    /// Bytes of the slots that are read and written, each element once.
    pub read: u64,
    pub written: u64,
}

impl Work {
    fn and(self, other: Work) -> Work {
        Work { flops: self.flops + other.flops, read: self.read + other.read, written: self.written + other.written }
    }

    /// Nanoseconds that one thread of an ordinary processor takes, roughly.
    fn nanoseconds(self) -> u64 {
        self.flops / 100 + (self.read + self.written) / 10
    }
}

/// One step that ran.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Ops of the step, joined by `+`.
    pub label: String,
    /// Path of the module that its first op was recorded in.
    pub module: Arc<str>,
    /// `loop`, `reduction`, `contraction`, `kernel`, or `plan` for all steps where a device tells no more.
    pub kind: &'static str,
    /// Since the profile began.
    pub start: Duration,
    pub length: Duration,
    pub work: Work,
}

/// A profile being taken.
pub struct Profile {
    begin: Instant,
    steps: Mutex<Vec<Timed>>,
}

impl Default for Profile {
    fn default() -> Profile {
        Profile { begin: Instant::now(), steps: Mutex::default() }
    }
}

impl Profile {
    /// Books step `index` of a plan, or the whole plan.
    pub(crate) fn add(&self, plan: &Plan, index: Option<usize>, modules: &[Arc<str>], start: Instant, end: Instant) {
        let module = |i: usize| modules.get(i).cloned().unwrap_or_default();
        let start_of = start.saturating_duration_since(self.begin);
        let timed = |label: &str, module, kind, work| Timed {
            label: label.to_owned(),
            module,
            kind,
            start: start_of,
            length: end.saturating_duration_since(start),
            work,
        };
        let step = match index {
            Some(i) => timed(&plan.labels[i], module(i), kind(&plan.steps[i]), work(plan, &plan.steps[i])),
            None => {
                let all = plan.steps.iter().map(|step| work(plan, step)).fold(Work::default(), Work::and);
                timed(&format!("{} steps", plan.steps.len()), Arc::default(), "plan", all)
            }
        };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// The steps so far, oldest first.
    pub fn take(&self) -> Vec<Timed> {
        std::mem::take(&mut self.steps.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn kind(step: &Step) -> &'static str {
    match step {
        Step::Loop(nest) if !nest.reductions.items.is_empty() => "reduction",
        Step::Loop(_) => "loop",
        Step::Contract { .. } => "contraction",
        Step::Kernel(_) => "kernel",
    }
}

/// The work of a step; hand-written kernels count only the bytes.
pub fn work(plan: &Plan, step: &Step) -> Work {
    let bytes = |slot: SlotId, elements: usize| {
        let slot = &plan.slots[slot];
        (elements.min(slot.elements) * slot.dtype.size()) as u64
    };
    match step {
        Step::Loop(nest) => work_of_loop(nest, bytes),
        Step::Contract { contraction, a, b, out } => Work {
            flops: 2 * contraction.multiply_adds() as u64,
            read: bytes(a.slot, a.layout.shape.size()) + bytes(b.slot, b.layout.shape.size()),
            written: bytes(*out, usize::MAX),
        },
        Step::Kernel(kernel) => Work {
            flops: 0,
            read: kernel.inputs.iter().map(|view| bytes(view.slot, view.layout.shape.size())).sum(),
            written: kernel.outputs.iter().flatten().map(|&slot| bytes(slot, usize::MAX)).sum(),
        },
    }
}

/// What it takes to wake another thread, and to be told that it is done.
const HAND_OVER: u64 = 50_000;
/// What a step costs, however little it does.
const STEP: u64 = 500;
/// The bytes that a hand-written kernel may touch to count as quick, for what it computes is not known.
const KERNEL_BYTES: u64 = 16 << 10;

/// Whether one thread is done with a plan in about the time that it takes to hand it to another one.
pub fn is_quick(plan: &Plan) -> bool {
    let cost = plan.steps.iter().try_fold(0, |cost: u64, step| {
        let work = work(plan, step);
        let known = !matches!(step, Step::Kernel(_)) || work.read + work.written <= KERNEL_BYTES;
        let cost = cost + STEP + work.nanoseconds();
        (known && cost <= HAND_OVER).then_some(cost)
    });
    cost.is_some()
}

fn work_of_loop(nest: &LoopNest, bytes: impl Fn(SlotId, usize) -> u64) -> Work {
    let points = nest.shape.size();
    let arithmetic =
        nest.program.instrs.iter().filter(|instr| instr.dtype.is_float() && !matches!(instr.prim, Prim::Const(_)));
    let steps = arithmetic.count() + nest.reductions.items.len();
    let reads = nest.operands.iter().map(|operand| match operand {
        Operand::Tensor { slot, strides, .. } => {
            // Dimensions that the operand is repeated along are read once.
            let distinct = (0..nest.shape.rank()).filter(|&d| strides[d] != 0).map(|d| nest.shape[d]).product();
            bytes(*slot, distinct)
        }
        Operand::Scalar(_) | Operand::Key(_) => 0,
    });
    let stored: u64 = nest.stores.iter().map(|store| bytes(store.slot, points)).sum();
    let reduced: u64 = nest.reductions.items.iter().map(|item| bytes(item.slot, usize::MAX)).sum();
    Work { flops: (points * steps) as u64, read: reads.sum(), written: stored + reduced }
}
