//! S10 and S11: gradients and checkpointed regions.

use super::{MANY, descend, loss_of, numbers, session};
use fovea_core::DType;
use fovea_core::graph::Val;
use fovea_core::scalar::Prim;
use fovea_testkit::Session;

#[test]
fn s10_grad_is_null_then_accumulates_and_zeroing_cancels() {
    let mut s = session();
    let w = s.variable_of("w", [2], &[1.0, 2.0]).unwrap();
    let x = s.leaf(DType::F32, [2], &[3.0, 4.0]).unwrap();
    assert_eq!(s.grad_of_variable(w).unwrap(), None);
    for round in 1..=3 {
        let loss = loss_of(&mut s, w, x).unwrap();
        s.backward(loss).unwrap();
        let grad = s.grad_of_variable(w).unwrap().unwrap();
        let round = f64::from(round);
        assert_eq!(s.read(grad).unwrap(), [18.0 * round, 64.0 * round]);
    }
    let loss = loss_of(&mut s, w, x).unwrap();
    s.backward(loss).unwrap();
    s.set_grad_of_variable(w, None).unwrap();
    s.run(&[]).unwrap();
    assert_eq!(s.grad_of_variable(w).unwrap(), None);
    let loss = loss_of(&mut s, w, x).unwrap();
    s.backward(loss).unwrap();
    let grad = s.grad_of_variable(w).unwrap().unwrap();
    assert_eq!(s.read(grad).unwrap(), [18.0, 64.0]);
}

#[test]
fn s10_grad_never_touches_grad_and_goes_to_any_order() {
    let mut s = session();
    let x = s.parameter([], &[1.5]).unwrap();
    let mut y = s.map(&[x], |v| &v[0] * &v[0] * &v[0] * &v[0]).unwrap();
    let expected = [4.0 * 1.5f64.powi(3), 12.0 * 1.5f64.powi(2), 24.0 * 1.5, 24.0];
    for want in expected {
        y = s.grad(&[y], &[None], &[x], true).unwrap()[0].unwrap();
        assert!((s.item(y).unwrap() - want).abs() < 1e-4 * want);
    }
    assert_eq!(s.grad_of(x).unwrap(), None);
}

#[test]
fn s10_leaves_that_ask_for_a_gradient_get_theirs() {
    let mut s = session();
    let x = s.parameter([3], &[1.0, 2.0, 3.0]).unwrap();
    let y = s.map(&[x], |v| &v[0] * &v[0]).unwrap();
    s.retain_grad(y);
    let total = s.sum(y).unwrap();
    s.backward(total).unwrap();
    let (gx, gy) = (s.grad_of(x).unwrap().unwrap(), s.grad_of(y).unwrap().unwrap());
    assert_eq!(s.read(gx).unwrap(), [2.0, 4.0, 6.0]);
    assert_eq!(s.read(gy).unwrap(), [1.0, 1.0, 1.0]);
}

#[test]
fn s10_no_work_for_what_nobody_asked_about() {
    let steps = |frozen: bool| {
        let mut s = session();
        s.fusion = false;
        s.module_depth = 1;
        let a = s.parameter([MANY], &numbers(MANY)).unwrap();
        let b = s.parameter([MANY], &numbers(MANY)).unwrap();
        if frozen {
            s.set_requires_grad(a, false).unwrap();
        }
        let ta = s.map(&[a], |v| v[0].tanh()).unwrap();
        let tb = s.map(&[b], |v| v[0].tanh()).unwrap();
        let y = s.mul(ta, tb).unwrap();
        let total = s.sum(y).unwrap();
        s.backward(total).unwrap();
        s.run(&[]).unwrap();
        s.counters.steps
    };
    // The gradient of the product towards `ta` and that of tanh: two steps less.
    assert_eq!(steps(false) - steps(true), 2);
    // `grad` towards an intermediate value doesn't go on to its inputs.
    let mut s = session();
    let a = s.parameter([MANY], &numbers(MANY)).unwrap();
    let t = s.map(&[a], |v| v[0].tanh()).unwrap();
    let total = s.sum(t).unwrap();
    let recorded = s.counters.recorded;
    let grads = s.grad(&[total], &[None], &[t], false).unwrap();
    assert_eq!(s.read(grads[0].unwrap()).unwrap(), vec![1.0; MANY]);
    // The implicit one (a number and its filling) and its expansion.
    assert!(s.counters.recorded - recorded <= 3, "{}", s.counters.recorded - recorded);
}

#[test]
fn s10_values_that_nothing_depends_on_have_no_gradient() {
    let mut s = session();
    let a = s.parameter([2], &[1.0, 2.0]).unwrap();
    let b = s.parameter([2], &[1.0, 2.0]).unwrap();
    let y = s.sum(a).unwrap();
    assert_eq!(s.grad(&[y], &[None], &[b], false).unwrap(), [None]);
    let cut = s.detach(y).unwrap();
    let error = s.grad(&[cut], &[None], &[a], false).unwrap_err();
    assert!(error.to_string().contains("does not depend"), "{error}");
    let vector = s.scale(a, 2.0).unwrap();
    let error = s.grad(&[vector], &[None], &[a], false).unwrap_err();
    assert!(error.to_string().contains("single element"), "{error}");
}

#[test]
fn s10_broadcast_operands_get_their_sums_and_shared_ones_their_total() {
    let mut s = session();
    let x = s.parameter([2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let b = s.parameter([3], &[1.0, 10.0, 100.0]).unwrap();
    let y = s.mul(x, b).unwrap();
    let twice = s.add(y, y).unwrap();
    let more = s.add(twice, b).unwrap();
    let total = s.sum(more).unwrap();
    let grads = s.grad(&[total], &[None], &[x, b], false).unwrap();
    assert_eq!(s.read(grads[0].unwrap()).unwrap(), [2.0, 20.0, 200.0, 2.0, 20.0, 200.0]);
    assert_eq!(s.read(grads[1].unwrap()).unwrap(), [12.0, 16.0, 20.0]);
}

#[test]
fn s10_a_new_variable_never_gets_an_old_ones_gradient() {
    let mut s = session();
    let old = s.variable_of("old", [3], &[1.0, 2.0, 3.0]).unwrap();
    let value = s.current(old).unwrap();
    let loss = s.sum(value).unwrap();
    s.free_variable(old);
    let new = s.variable_of("new", [2], &[1.0, 2.0]).unwrap();
    s.backward(loss).unwrap();
    s.run(&[]).unwrap();
    assert_eq!(s.grad_of_variable(new).unwrap(), None);
}

/// `tanh(exp(x · w))` summed, its inner part in a checkpointed region or not; returns loss and gradient, and the
/// largest number of bytes held between forward and backward.
fn checkpointed(region: bool, read_first: bool) -> (Vec<f64>, Vec<f64>, i64) {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &vec![0.1; MANY]).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let start = s.value_bytes();
    s.module_depth = 1;
    if region {
        s.region = s.next_region;
        s.next_region += 1;
    }
    let value = s.current(w).unwrap();
    let y = s.mul(value, x).unwrap();
    let e = s.map(&[y], |v| v[0].exp()).unwrap();
    let inner = s.map(&[e], |v| v[0].tanh()).unwrap();
    s.region = 0;
    let outer = s.map(&[inner], |v| v[0].unary(Prim::Sin)).unwrap();
    let loss = s.sum(outer).unwrap();
    let mut held = 0;
    if read_first {
        s.read(loss).unwrap();
        held = s.value_bytes() - start;
    }
    s.backward(loss).unwrap();
    let grad = s.grad_of_variable(w).unwrap().unwrap();
    s.run(&[grad, loss]).unwrap();
    (s.read(loss).unwrap(), s.read(grad).unwrap(), held)
}

#[test]
fn s11_a_checkpointed_region_changes_no_bit_and_holds_less() {
    let plain = checkpointed(false, true);
    let region = checkpointed(true, true);
    assert_eq!((&plain.0, &plain.1), (&region.0, &region.1));
    assert_eq!(region.2, 4 * MANY as i64 + 4, "only what the region returns is saved");
    assert!(plain.2 > 2 * region.2);
    assert_eq!(checkpointed(true, false).1, plain.1);
}

#[test]
fn s11_merging_equal_nodes_does_not_undo_the_region() {
    let steps = |region: bool| {
        let mut s = session();
        s.fusion = false;
        s.module_depth = 1;
        let x = s.parameter([MANY], &numbers(MANY)).unwrap();
        if region {
            s.region = s.next_region;
            s.next_region += 1;
        }
        let e = s.map(&[x], |v| v[0].unary(Prim::Sin)).unwrap();
        let t = s.map(&[e], |v| v[0].tanh()).unwrap();
        s.region = 0;
        let loss = s.sum(t).unwrap();
        s.backward(loss).unwrap();
        s.run(&[loss]).unwrap();
        s.counters.steps
    };
    assert_eq!(steps(true) - steps(false), 1, "sin runs again; nobody needs tanh again");
}

#[test]
fn s11_a_region_saves_what_enters_it() {
    let mut s = session();
    s.fusion = false;
    s.module_depth = 1;
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let value = s.current(w).unwrap();
    let enters = s.map(&[value], |v| v[0].unary(Prim::Sin)).unwrap();
    s.region = s.next_region;
    s.next_region += 1;
    let e = s.map(&[enters], |v| v[0].exp()).unwrap();
    let t = s.map(&[e], |v| v[0].tanh()).unwrap();
    s.region = 0;
    let loss = s.sum(t).unwrap();
    s.read(loss).unwrap();
    let before = s.counters.steps;
    s.backward(loss).unwrap();
    s.run(&[]).unwrap();
    // exp again, the gradients of tanh, exp and sin, and the expansion of the cotangent; not sin.
    assert!(s.counters.steps - before <= 5, "{}", s.counters.steps - before);
}

#[test]
fn s11_equal_steps_have_equal_keys_whatever_their_regions_are_numbered() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    for _ in 0..4 {
        s.scope(|s| {
            s.region = s.next_region;
            s.next_region += 1;
            let value = s.current(w)?;
            let y: Val = s.mul(value, x)?;
            let t = s.map(&[y], |v| v[0].tanh())?;
            s.region = 0;
            let loss = s.sum(t)?;
            s.backward(loss)?;
            descend(s, w, 0.01)?;
            Ok(vec![])
        })
        .unwrap();
    }
    // The starting value runs on its own, and the first step finds no gradient to add to.
    assert!(s.counters.plans_made <= 3, "{:?}", s.counters);
}

#[test]
fn s11_draws_inside_a_region_are_the_same_again() {
    let gradient = |region: bool| {
        let mut s: Session = session();
        s.random = (3, 0);
        let w = s.parameter([MANY], &numbers(MANY)).unwrap();
        if region {
            s.region = s.next_region;
            s.next_region += 1;
        }
        let key = s.random_key(MANY);
        let y = s
            .map(&[w, key], |v| {
                let kept = v[1].positional(Prim::Uniform, DType::F32);
                let half = kept.constant(0.5);
                (kept.lt(&half).cast(DType::F32) * &v[0]).tanh()
            })
            .unwrap();
        let z = s.mul(y, y).unwrap();
        s.region = 0;
        let loss = s.sum(z).unwrap();
        s.read(loss).unwrap();
        let grads = s.grad(&[loss], &[None], &[w], false).unwrap();
        s.read(grads[0].unwrap()).unwrap()
    };
    assert_eq!(gradient(true), gradient(false));
}
