//! S12–S14: plans are found again, and neither fusion nor the reuse of memory changes a bit.

use super::{MANY, descend, loss_of, numbers, session};
use fovea_core::graph::primitives::Expand;
use fovea_core::scalar::Prim;
use fovea_core::{DType, Shape};
use fovea_testkit::{Reference, Session};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

#[test]
fn s12_the_second_identical_step_plans_nothing_and_a_new_learning_rate_keeps_the_plan() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    s.counters.plans_made = 0;
    let mut made = Vec::new();
    for step in 0..6 {
        s.scope(|s| {
            let x = s.leaf(DType::F32, [MANY], &numbers(MANY))?;
            let key = s.random_key(MANY);
            let noisy = s.map(&[x, key], |v| &v[0] + v[1].positional(Prim::Uniform, DType::F32))?;
            let loss = loss_of(s, w, noisy)?;
            s.backward(loss)?;
            descend(s, w, 0.001 / f64::from(step + 1))?;
            Ok(vec![])
        })
        .unwrap();
        made.push(s.counters.plans_made);
    }
    assert_eq!(made, [made[0]; 6]);
    assert_eq!(s.counters.plans_hit, 5);
}

#[test]
fn s12_every_tenth_loss_read_makes_a_second_plan_and_no_third() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    s.counters.plans_made = 0;
    let mut made = Vec::new();
    for step in 0..30 {
        s.scope(|s| {
            s.module_depth = 1;
            let loss = loss_of(s, w, x)?;
            s.module_depth = 0;
            if step % 10 == 9 {
                s.read(loss)?;
            }
            s.backward(loss)?;
            descend(s, w, 1e-6)?;
            Ok(vec![])
        })
        .unwrap();
        made.push(s.counters.plans_made);
    }
    assert_eq!((made[0], made[8], made[9], made[29]), (1, 1, 3, 3), "read: the forward, then the rest of the step");
}

#[test]
fn s12_the_key_tells_apart_what_differs() {
    // (shape, dtype, shared operand, wanted)
    let cases = [
        (8, DType::F32, false, false),
        (9, DType::F32, false, false),
        (8, DType::F64, false, false),
        (8, DType::F32, true, false),
        (8, DType::F32, false, true),
    ];
    let mut s = session();
    for round in 0..2 {
        for (case, &(n, dtype, shared, wanted)) in cases.iter().enumerate() {
            s.scope(|s| {
                s.module_depth = 1;
                let x = s.leaf(dtype, [n], &numbers(n))?;
                let y = if shared { x } else { s.leaf(dtype, [n], &vec![2.0; n])? };
                let sum = s.add(x, y)?;
                let square = s.mul(sum, sum)?;
                if wanted {
                    s.keep(sum).unwrap();
                }
                let got = s.read(square)?;
                let factor = if shared { numbers(n) } else { vec![2.0; n] };
                let want: Vec<f64> = numbers(n).iter().zip(factor).map(|(a, b)| (a + b) * (a + b)).collect();
                assert_eq!(got, want);
                Ok(vec![])
            })
            .unwrap();
            let expected = if round == 0 { case as u64 + 1 } else { 5 };
            assert_eq!(s.counters.plans_made, expected, "case {case}");
        }
    }
}

#[test]
fn s12_merging_compares_numbers_too() {
    let mut s = session();
    s.fusion = false;
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let sin = |s: &mut Session| s.map(&[x], |v| v[0].unary(Prim::Sin)).unwrap();
    let (a, b) = (sin(&mut s), sin(&mut s));
    let (c, d) = (s.scale(a, 2.0).unwrap(), s.scale(b, 3.0).unwrap());
    let e = s.add(c, d).unwrap();
    let want: Vec<f64> = {
        let sin: Vec<f32> = numbers(MANY).iter().map(|v| libm::sin(*v) as f32).collect();
        sin.iter().map(|v| f64::from(v * 2.0 + v * 3.0)).collect()
    };
    assert_eq!(s.read(e).unwrap(), want);
    assert_eq!(s.counters.steps, 4, "one sine, two products, one sum");
    let draws = |s: &mut Session| {
        let key = s.random_key(4);
        s.map(&[key, x], |v| v[0].positional(Prim::Uniform, DType::F32) + 0.0 * &v[1]).unwrap()
    };
    let (first, second) = (draws(&mut s), draws(&mut s));
    let difference = s.map(&[first, second], |v| (&v[0] - &v[1]).abs()).unwrap();
    assert!(s.read(difference).unwrap().iter().sum::<f64>() > 1.0, "two draws were merged");
}

/// Records `chains` chains of 20 elementwise ops with a reduction each, and their gradients.
fn record_many(s: &mut Session, chains: usize) -> u64 {
    s.module_depth = 1;
    let before = s.counters.recorded;
    let w = s.parameter([64, 32], &numbers(2048)).unwrap();
    let mut total = s.sum(w).unwrap();
    for chain in 0..chains {
        let mut x = s.scale(w, 1.0 + chain as f64).unwrap();
        for k in 0..20 {
            x = if k % 3 == 0 { s.mul(x, w).unwrap() } else { s.add(x, w).unwrap() };
        }
        let rows = s.sum_to(x, [64, 1]).unwrap();
        let spread = s.apply(Expand { shape: [64, 32].into() }, &[rows]).unwrap();
        let scaled = s.mul(spread, w).unwrap();
        let sum = s.sum(scaled).unwrap();
        total = s.add(total, sum).unwrap();
    }
    s.backward(total).unwrap();
    s.counters.recorded - before
}

/// Nanoseconds that planning and bookkeeping take for each node of an unseen graph, the mean of a few.
fn planning_nanos(chains: usize, repeats: usize) -> f64 {
    let (mut spent, mut nodes) = (Duration::ZERO, 0);
    for _ in 0..repeats {
        let mut s = session();
        nodes += record_many(&mut s, chains);
        let start = cpu_time();
        let jobs = s.graph.evaluate(&[]).unwrap();
        spent += cpu_time() - start;
        assert_eq!(s.counters.plans_made, 1);
        drop(jobs);
    }
    spent.as_nanos() as f64 / nodes as f64
}

/// Time that this thread has had a processor, where the system tells; else the time of day.
fn cpu_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|s| s.split(' ').next().and_then(|n| n.parse().ok()));
    spent.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// The promise is 5 µs; a debug build gets ten times that.
const NANOS_A_NODE: f64 = if cfg!(debug_assertions) { 50_000.0 } else { 5_000.0 };

#[test]
fn s12_planning_an_unseen_graph_takes_at_most_five_microseconds_a_node() {
    let (small, large) = (planning_nanos(10, 50), planning_nanos(100, 5));
    println!("planning: {small:.0} ns a node of 700 nodes, {large:.0} ns of 7,000");
    assert!(small <= NANOS_A_NODE && large <= NANOS_A_NODE, "{small} {large}");
}

#[test]
fn s12_chains_of_numbers_plan_in_linear_time() {
    let nanos = |length: usize| {
        let mut s = session();
        let mut x = s.graph.number(1.0, DType::F32, true);
        for _ in 0..length {
            x = s.map(&[x], |v| &v[0] + 1.0).unwrap();
        }
        let start = cpu_time();
        let jobs = s.graph.evaluate(&[x]).unwrap();
        let nanos = (cpu_time() - start).as_nanos() as f64 / length as f64;
        fovea_testkit::session::run_jobs(jobs).unwrap();
        assert_eq!(s.item(x).unwrap(), length as f64 + 1.0);
        nanos
    };
    let long = (0..3).map(|_| nanos(3000)).fold(f64::INFINITY, f64::min);
    println!("chains of numbers: {long:.0} ns a node");
    assert!(long <= NANOS_A_NODE, "{long} ns a node");
}

/// A few steps of training with everything that shares memory; returns all values in the end.
fn trained(fusion: bool, reuse: bool) -> (Vec<f64>, usize) {
    let runtime = Reference::new();
    let mut s = Session::new(runtime.clone());
    (s.fusion, s.reuse) = (fusion, reuse);
    let w = s.variable_of("w", [33, 17], &numbers(33 * 17)).unwrap();
    let m = s.variable_of("m", [33, 17], &vec![0.0; 33 * 17]).unwrap();
    let mut out = Vec::new();
    for _ in 0..4 {
        s.scope(|s| {
            let x = s.leaf(DType::F32, [33, 17], &numbers(33 * 17))?;
            s.module_depth = 1;
            let value = s.current(w)?;
            let h = s.map(&[value, x], |v| (&v[0] * &v[1]).tanh())?;
            let rows = s.sum_to(h, [33, 1])?;
            let normal = s.map(&[h, rows], |v| &v[0] / (v[1].abs() + 1.0))?;
            let loss = s.sum(normal)?;
            s.backward(loss)?;
            let (grad, momentum) = (s.grad_of_variable(w)?.unwrap(), s.current(m)?);
            let new = s.map(&[momentum, grad], |v| &v[0] * 0.9 + &v[1])?;
            s.assign(m, new)?;
            let value = s.current(w)?;
            let step = s.scale(new, -0.05)?;
            let next = s.add(value, step)?;
            s.assign(w, next)?;
            s.set_grad_of_variable(w, None)?;
            s.module_depth = 0;
            out.push(s.item(loss)?);
            Ok(vec![])
        })
        .unwrap();
    }
    out.extend(s.read_variable(w).unwrap());
    out.extend(s.read_variable(m).unwrap());
    (out, runtime.work().donated)
}

#[test]
fn s13_fusion_changes_no_bit() {
    assert_eq!(trained(true, true).0, trained(false, true).0);
}

#[test]
fn s14_writing_in_place_changes_no_bit_and_happens() {
    let (reused, donated) = trained(true, true);
    let (fresh, none) = trained(true, false);
    assert_eq!(reused, fresh);
    assert_eq!(none, 0);
    assert!(donated >= 6, "both variables are updated in place from the second step on: {donated} in place");
}

#[test]
fn s14_a_live_value_of_the_old_version_is_never_overwritten() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let old = {
        let value = s.current(w).unwrap();
        s.detach(value).unwrap()
    };
    for _ in 0..3 {
        let value = s.current(w).unwrap();
        let next = s.scale(value, 2.0).unwrap();
        s.assign(w, next).unwrap();
        s.forget(next);
        s.run(&[]).unwrap();
    }
    assert_eq!(s.read(old).unwrap(), numbers(MANY));
    let eight: Vec<f64> = numbers(MANY).iter().map(|v| v * 8.0).collect();
    assert_eq!(s.read_variable(w).unwrap(), eight);
}

#[test]
fn s14_swapping_two_variables_keeps_both() {
    let mut s = session();
    let a = s.variable_of("a", [MANY], &vec![1.0; MANY]).unwrap();
    let b = s.variable_of("b", [MANY], &vec![2.0; MANY]).unwrap();
    s.run(&[]).unwrap();
    for _ in 0..3 {
        let (x, y) = (s.current(a).unwrap(), s.current(b).unwrap());
        let (ten, same) = (s.scale(x, 10.0).unwrap(), s.scale(y, 1.0).unwrap());
        s.assign(a, same).unwrap();
        s.assign(b, ten).unwrap();
        s.run(&[]).unwrap();
    }
    assert_eq!(s.read_variable(a).unwrap()[..2], [20.0, 20.0]);
    assert_eq!(s.read_variable(b).unwrap()[..2], [100.0, 100.0]);
}

/// The runtime refuses plans with a step or a result that nobody reads.
#[test]
fn s13_numbers_are_read_as_numbers_fused_or_not() {
    for fusion in [true, false] {
        for shape in [Shape::SCALAR, [4].into()] {
            let mut s = session();
            (s.fusion, s.module_depth) = (fusion, 1);
            let values = &numbers(4)[..shape.size()];
            let w = s.parameter(shape, values).unwrap();
            let square = s.mul(w, w).unwrap();
            let total = s.sum(square).unwrap();
            s.backward(total).unwrap();
            let gradient = s.grad_of(w).unwrap().unwrap();
            let want: Vec<f64> = values.iter().map(|v| 2.0 * v).collect();
            assert_eq!(s.read(gradient).unwrap(), want, "fusion {fusion}, shape {shape}");
        }
    }
}

#[test]
fn s13_what_only_a_later_loop_reads_is_computed_there() {
    let mut s = session();
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [64, 64], &numbers(MANY)).unwrap();
    let buffer = s.leaf(DType::F32, [64, 64], &numbers(MANY)).unwrap();
    // As in an optimizer's step: the decayed moment waits for a gradient that comes late.
    let kept = s.scale(buffer, 0.9).unwrap();
    let rows = s.sum_to(x, [64, 1]).unwrap();
    let gradient = s.apply(Expand { shape: [64, 64].into() }, &[rows]).unwrap();
    let next = s.add(kept, gradient).unwrap();
    assert_eq!(s.read(next).unwrap()[0], {
        let sum: f64 = numbers(MANY)[..64].iter().sum();
        f64::from((numbers(1)[0] as f32) * 0.9 + sum as f32)
    });
    assert_eq!(s.counters.steps, 2, "the reduction, and one loop");
}
