//! Random programs with gradients: fused against plain, memory shared against apart, two threads against one, equal
//! to the bit; and planted bugs, which they must catch.

use fovea_core::device::Runtime;
use fovea_cpu::pool::pool;
use fovea_cpu::runtime::CpuRuntime;
use fovea_testkit::programs::planted::{Bug, Planted};
use fovea_testkit::programs::{Mode, Program, Trace, Vocabulary, difference, first_difference, generate, run, shrink};
use fovea_testkit::reference::{Reference, Verified};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Programs whose traces are held at a time.
const BATCH: usize = 64;

/// Programs among which a planted bug must show.
const FIRST: u64 = 300;

/// The number of threads is the process's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cpu() -> Arc<dyn Runtime> {
    Arc::new(CpuRuntime)
}

/// The CPU, with every plan checked against its contract.
fn checked() -> Arc<dyn Runtime> {
    Arc::new(Verified(cpu()))
}

/// `None` for a panic.
fn trace(program: &Program, runtime: &Arc<dyn Runtime>, mode: Mode) -> Option<Trace> {
    catch_unwind(AssertUnwindSafe(|| run(program, runtime, mode))).ok()
}

fn fail(program: &Program, mode: Mode) -> ! {
    let runtime = checked();
    let differs = |p: &Program| difference(p, (&runtime, Mode::PLAIN), (&runtime, mode));
    let small = shrink(program, |p| differs(p).is_some());
    let how = differs(&small).unwrap_or_else(|| "only in the first run".into());
    panic!("{mode:?} differs from plain evaluation: {how}\n{small}");
}

#[derive(Default)]
struct Tally {
    nodes: Vec<u64>,
    called: BTreeMap<&'static str, usize>,
    refused: usize,
    seen: usize,
}

/// A program with its traces when plain and when apart.
type Traced = (Program, Option<Trace>, Option<Trace>);

fn check(programs: u64) {
    let _alone = alone();
    let start = Instant::now();
    let (vocabulary, runtime) = (Vocabulary::all(), checked());
    let mut tally = Tally::default();
    let seeds: Vec<u64> = (0..programs).collect();
    for seeds in seeds.chunks(BATCH) {
        pool().set_threads(1);
        // On one thread each, programs run side by side.
        let one = |&seed: &u64| {
            let program = generate(&vocabulary, seed);
            let plain = trace(&program, &runtime, Mode::PLAIN);
            let apart = trace(&program, &runtime, Mode::APART);
            (program, plain, apart)
        };
        let (left, right) = seeds.split_at(seeds.len() / 2);
        let traced: Vec<Traced> = thread::scope(|scope| {
            let helper = scope.spawn(|| left.iter().map(one).collect::<Vec<Traced>>());
            let right: Vec<Traced> = right.iter().map(one).collect();
            helper.join().unwrap().into_iter().chain(right).collect()
        });
        pool().set_threads(2);
        let fused: Vec<Option<Trace>> = traced.iter().map(|(p, _, _)| trace(p, &runtime, Mode::FUSED)).collect();
        for ((program, plain, apart), fused) in traced.iter().zip(&fused) {
            let (Some(plain), Some(apart), Some(fused)) = (plain, apart, fused) else {
                let mode = if fused.is_none() { Mode::FUSED } else { Mode::APART };
                fail(program, mode)
            };
            if first_difference(plain, apart).is_some() {
                fail(program, Mode::APART);
            }
            if first_difference(plain, fused).is_some() {
                fail(program, Mode::FUSED);
            }
            tally.nodes.push(plain.nodes);
            tally.refused += plain.refused.len();
            tally.seen += plain.entries.len();
            for &name in &plain.called {
                *tally.called.entry(name).or_default() += 1;
            }
        }
    }
    tally.nodes.sort_unstable();
    let median = tally.nodes[tally.nodes.len() / 2];
    let count = |name: &'static str| (tally.called.get(name).copied().unwrap_or(0), name);
    let least = vocabulary.names.iter().map(|&name| count(name)).min().unwrap();
    println!(
        "{programs} programs, median {median} nodes, {} observations, {} refusals, least used {} ({} times), {:.1} s",
        tally.seen,
        tally.refused,
        least.1,
        least.0,
        start.elapsed().as_secs_f64()
    );
    assert!(median >= 20, "the median program has {median} nodes");
    assert!(least.0 >= 100, "{} was called {} times", least.1, least.0);
    assert!(tally.refused * 10 < tally.seen, "{} of {} observations are refusals", tally.refused, tally.seen);
}

#[test]
fn ten_thousand_programs_are_equal_to_the_bit_however_they_are_evaluated() {
    check(10_000);
}

/// `npm run test:long` runs the ignored tests of modules of this name.
mod long {
    #[test]
    #[ignore = "takes minutes"]
    fn a_hundred_thousand_programs_are_equal_to_the_bit_however_they_are_evaluated() {
        super::check(100_000);
    }
}

/// The first program that differs on `other`, fused, from `plain`, and how many of the first do.
fn caught(plain: &Arc<dyn Runtime>, other: &Arc<dyn Runtime>, mode: Mode, programs: u64) -> (Option<Program>, usize) {
    let vocabulary = Vocabulary::all();
    let differs = |p: &Program| difference(p, (plain, Mode::PLAIN), (other, mode)).is_some();
    let all: Vec<Program> = (0..programs).map(|seed| generate(&vocabulary, seed)).filter(|p| differs(p)).collect();
    let small = all.first().map(|p| shrink(p, differs));
    (small, all.len())
}

fn planted(bug: Bug, mode: Mode) {
    let _alone = alone();
    let spoiling = Planted::new(cpu(), bug);
    let other: Arc<dyn Runtime> = spoiling.clone();
    let (small, count) = caught(&cpu(), &other, mode, FIRST);
    println!("{bug:?}: {count} of {FIRST} programs differ");
    let small = small.unwrap_or_else(|| panic!("{bug:?} went unnoticed in {} plans", spoiling.spoiled()));
    println!("{small}");
    assert!(small.statements.len() <= 15, "not much of a listing:\n{small}");
}

#[test]
fn a_planted_merge_of_two_operands_is_caught() {
    planted(Bug::MergedOperands, Mode::FUSED);
}

#[test]
fn a_planted_merge_of_two_numbers_is_caught() {
    planted(Bug::MergedNumbers, Mode::FUSED);
}

#[test]
fn a_planted_early_reuse_of_memory_is_caught() {
    planted(Bug::EarlyReuse, Mode { threads: 1, ..Mode::FUSED });
}

/// Every update of a variable is a difference from a product, so a tenth of the programs must show it at least.
#[test]
fn a_planted_contraction_is_caught() {
    let _alone = alone();
    let (sound, contracting): (Arc<dyn Runtime>, Arc<dyn Runtime>) = (Reference::new(), Reference::contracting());
    let on = |runtime, p: &Program| difference(p, (runtime, Mode::PLAIN), (runtime, Mode::FUSED));
    let vocabulary = Vocabulary::all();
    let programs: Vec<Program> = (0..FIRST).map(|seed| generate(&vocabulary, seed)).collect();
    let odd: Vec<String> = programs.iter().filter_map(|p| on(&sound, p)).collect();
    assert!(odd.is_empty(), "differences without the bug: {odd:?}");
    let differs = |p: &Program| on(&contracting, p).is_some() && on(&sound, p).is_none();
    let caught: Vec<&Program> = programs.iter().filter(|p| differs(p)).collect();
    println!("contraction: {} of {FIRST} programs differ", caught.len());
    assert!(caught.len() as u64 * 10 >= FIRST, "the contraction went unnoticed in all but {} programs", caught.len());
    let small = shrink(caught[0], differs);
    println!("{small}");
    assert!(small.statements.len() <= 15, "not much of a listing:\n{small}");
}
