//! S5–S9: what is materialised, when, and until when.

use super::{MANY, descend, loss_of, numbers, session};
use fovea_core::DType;
use fovea_core::ErrorKind;
use fovea_testkit::Session;
use fovea_testkit::views::EverySecond;

const BYTES: i64 = 4 * MANY as i64;

#[test]
fn s5_pending_outputs_are_counted_in_bytes() {
    let mut s = session();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    assert_eq!(s.pending_bytes(), 0);
    let y = s.scale(x, 2.0).unwrap();
    let _z = s.mul(x, y).unwrap();
    assert_eq!(s.pending_bytes(), 2 * BYTES as u64);
    s.run(&[]).unwrap();
    assert_eq!(s.pending_bytes(), 0);
}

#[test]
fn s6_what_is_read_kept_returned_or_unconsumed_is_materialised_and_nothing_else() {
    let mut s = session();
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let recipe = s.scale(x, 2.0).unwrap();
    let kept = s.scale(recipe, 2.0).unwrap();
    s.keep(kept).unwrap();
    let returned = s.scale(kept, 2.0).unwrap();
    s.mark_returned(returned);
    let few = s.sum(returned).unwrap();
    let read = s.mul(recipe, returned).unwrap();
    let also = s.mul(read, few).unwrap();
    let frontier = s.scale(also, 2.0).unwrap();
    s.run(&[read]).unwrap();
    let there = [recipe, kept, returned, few, read, also, frontier].map(|v| s.is_there(v));
    assert_eq!(there, [false, true, true, false, true, false, true]);
    assert_eq!(s.value_bytes(), BYTES * 5);
}

#[test]
fn s6_few_elements_made_outside_modules_are_materialised() {
    for (inside, there) in [(0, true), (1, false)] {
        let mut s = session();
        s.module_depth = inside;
        let x = s.leaf(DType::F32, [1024], &numbers(1024)).unwrap();
        let few = s.scale(x, 2.0).unwrap();
        let x = s.leaf(DType::F32, [1025], &numbers(1025)).unwrap();
        let many = s.scale(x, 2.0).unwrap();
        let (_, _) = (s.sum(few).unwrap(), s.sum(many).unwrap());
        s.run(&[]).unwrap();
        assert_eq!((s.is_there(few), s.is_there(many)), (there, false));
    }
}

#[test]
fn s6_a_collected_temporary_counts_as_a_consumer_and_a_disposed_one_does_not() {
    for dispose in [false, true] {
        let mut s = session();
        s.module_depth = 1;
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
        let y = s.scale(x, 2.0).unwrap();
        let temporary = s.scale(y, 2.0).unwrap();
        if dispose {
            s.dispose(temporary)
        } else {
            s.forget(temporary)
        }
        s.run(&[]).unwrap();
        assert_eq!(s.is_there(y), dispose);
        assert_eq!(s.value_bytes(), BYTES + if dispose { BYTES } else { 0 });
    }
}

#[test]
fn s6_gradient_edges_count_as_consumers() {
    let mut s = session();
    s.module_depth = 1;
    let w = s.parameter([MANY], &numbers(MANY)).unwrap();
    let y = s.map(&[w], |v| v[0].tanh()).unwrap();
    let total = s.sum(y).unwrap();
    let grads = s.grad(&[total], &[None], &[w], false).unwrap();
    s.run(&[]).unwrap();
    assert!(s.is_there(grads[0].unwrap()) && s.is_there(total) && !s.is_there(y));
}

#[test]
fn s6_a_view_much_smaller_than_its_base_is_copied() {
    for (halvings, bytes) in [(2, BYTES), (4, BYTES / 16)] {
        let mut s = session();
        s.module_depth = 1;
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
        let mut view = s.scale(x, 1.0).unwrap();
        for _ in 0..halvings {
            view = s.apply(EverySecond {}, &[view]).unwrap();
        }
        s.run(&[view]).unwrap();
        assert_eq!(s.value_bytes(), BYTES + bytes);
        let step = 1 << halvings;
        let every: Vec<f64> = numbers(MANY).into_iter().step_by(step).collect();
        assert_eq!(s.read(view).unwrap(), every);
    }
}

/// A training loop that prints nothing and keeps a total; returns live nodes and bytes after each step.
fn totals(size: usize, grad: bool) -> Vec<(usize, i64)> {
    let mut s = session();
    let w = s.variable_of("w", [size], &numbers(size)).unwrap();
    let mut total = s.leaf(DType::F32, [size], &vec![0.0; size]).unwrap();
    s.run(&[]).unwrap();
    let mut sizes = Vec::new();
    for step in 0..1000 {
        s.grad_enabled = grad;
        let kept = s
            .scope(|s| {
                let x = s.leaf(DType::F32, [size], &numbers(size))?;
                let value = s.current(w)?;
                let y = s.mul(value, x)?;
                let detached = s.detach(y)?;
                let new = s.add(total, detached)?;
                let loss = s.sum(y)?;
                if grad {
                    s.backward(loss)?;
                    descend(s, w, 1e-6)?;
                } else {
                    s.run(&[])?;
                }
                Ok(vec![new])
            })
            .unwrap();
        s.forget(total);
        total = kept[0];
        if step % 250 == 2 || step == 999 {
            sizes.push((s.live_nodes(), s.value_bytes()));
        }
    }
    let sum = s.read(total).unwrap();
    assert!(sum.iter().all(|v| v.is_finite()) && sum.iter().any(|v| *v != 0.0));
    sizes
}

#[test]
fn s7_a_running_total_never_grows() {
    for (size, grad) in [(1, true), (MANY, true), (1, false), (MANY, false)] {
        let sizes = totals(size, grad);
        assert!(sizes.iter().all(|s| *s == sizes[0]), "{size} elements, gradients {grad}: {sizes:?}");
    }
}

#[test]
fn s7_values_can_be_read_after_the_step_that_used_them() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let value = s.current(w).unwrap();
    s.module_depth = 1;
    let logits = s.mul(value, x).unwrap();
    s.mark_returned(logits);
    s.module_depth = 0;
    let loss = s.sum(logits).unwrap();
    s.backward(loss).unwrap();
    descend(&mut s, w, 0.1).unwrap();
    let squares: Vec<f64> = numbers(MANY).iter().map(|v| v * v).collect();
    assert_eq!(s.read(logits).unwrap(), squares);
    assert_eq!(s.read(loss).unwrap(), [squares.iter().sum::<f64>()]);
}

/// A step in which `hidden` is neither read nor returned; `between` runs before the step.
fn hidden_after_step(between: impl FnOnce(&mut Session, fovea_core::graph::Val)) -> fovea_core::Result<Vec<f64>> {
    let mut s = session();
    let w = s.variable_of("net.w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.module_depth = 1;
    let value = s.current(w).unwrap();
    let hidden = s.mul(value, x).unwrap();
    let loss = s.sum(hidden).unwrap();
    between(&mut s, hidden);
    s.backward(loss).unwrap();
    descend(&mut s, w, 0.1).unwrap();
    s.read(hidden)
}

#[test]
fn s8_a_recipe_whose_variable_has_moved_on_is_stale_and_names_it() {
    let error = hidden_after_step(|_, _| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StaleValue);
    let text = error.to_string();
    assert!(text.contains("net.w") && text.contains("keep()"), "{text}");
}

#[test]
fn s8_keep_holds_a_value_over_the_step_and_evaluates_nothing() {
    let squares: Vec<f64> = numbers(MANY).iter().map(|v| v * v).collect();
    let kept = hidden_after_step(|s, hidden| {
        let before = s.counters.evaluations;
        s.keep(hidden).unwrap();
        assert_eq!(s.counters.evaluations, before);
    });
    assert_eq!(kept.unwrap(), squares);
    assert_eq!(hidden_after_step(|s, hidden| drop(s.read(hidden).unwrap())).unwrap(), squares);
}

#[test]
fn s8_what_follows_from_a_kept_value_can_be_computed_again() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    s.module_depth = 1;
    let value = s.current(w).unwrap();
    let kept = s.scale(value, 2.0).unwrap();
    s.keep(kept).unwrap();
    let follows = s.scale(kept, 2.0).unwrap();
    let loss = s.sum(follows).unwrap();
    s.backward(loss).unwrap();
    descend(&mut s, w, 0.1).unwrap();
    assert!(!s.is_there(follows));
    let quadruple: Vec<f64> = numbers(MANY).iter().map(|v| v * 4.0).collect();
    assert_eq!(s.read(follows).unwrap(), quadruple);
}

#[test]
fn s8_reads_of_the_old_version_that_are_pending_run_before_the_write() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let old = s.current(w).unwrap();
    let read = s.scale(old, 2.0).unwrap();
    let next = s.scale(old, -1.0).unwrap();
    s.assign(w, next).unwrap();
    s.run(&[]).unwrap();
    let doubled: Vec<f64> = numbers(MANY).iter().map(|v| v * 2.0).collect();
    assert_eq!(s.read(read).unwrap(), doubled);
    let negated: Vec<f64> = numbers(MANY).iter().map(|v| -v).collect();
    assert_eq!(s.read_variable(w).unwrap(), negated);
}

/// Steps run by a forward, a backward and an update, with the loss read before the backward or not.
fn steps_of_training(read_first: bool) -> (u64, Vec<f64>) {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.fusion = false;
    s.module_depth = 1;
    let value = s.current(w).unwrap();
    let a = s.map(&[value, x], |v| (&v[0] * &v[1]).tanh()).unwrap();
    let b = s.map(&[a], |v| v[0].exp()).unwrap();
    let loss = s.sum(b).unwrap();
    s.module_depth = 0;
    if read_first {
        s.read(loss).unwrap();
    }
    s.backward(loss).unwrap();
    descend(&mut s, w, 0.01).unwrap();
    (s.counters.steps, s.read_variable(w).unwrap())
}

#[test]
fn s9_the_forward_runs_once_when_the_loss_is_read_before_backward() {
    let (once, after) = steps_of_training(false);
    let (read_first, same) = steps_of_training(true);
    assert_eq!((read_first, same), (once, after));
}

#[test]
fn s9_what_was_saved_goes_when_backward_has_used_it() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let start = s.value_bytes();
    s.module_depth = 1;
    let loss = loss_of(&mut s, w, x).unwrap();
    s.read(loss).unwrap();
    assert_eq!(s.value_bytes(), start + BYTES + 4, "y is saved for the gradient of its square");
    let grads = {
        let value = s.current(w).unwrap();
        s.grad(&[loss], &[None], &[value], false).unwrap()
    };
    s.run(&[]).unwrap();
    assert_eq!(s.value_bytes(), start + BYTES + 4, "the gradient instead of what was saved");
    // A second pass computes again while the variable stands.
    let value = s.current(w).unwrap();
    let again = s.grad(&[loss], &[None], &[value], false).unwrap();
    let (first, second) = (s.read(grads[0].unwrap()).unwrap(), s.read(again[0].unwrap()).unwrap());
    assert_eq!(first, second);
}

#[test]
fn s9_saved_values_go_with_the_roots_handle() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let (nodes, bytes) = (s.live_nodes(), s.value_bytes());
    s.scope(|s| {
        let loss = loss_of(s, w, x)?;
        s.run(&[loss])?;
        Ok(vec![])
    })
    .unwrap();
    assert_eq!((s.live_nodes(), s.value_bytes()), (nodes, bytes));
}
