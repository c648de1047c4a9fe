//! S16–S18: handles, dispose, failures.

use super::{MANY, descend, loss_of, numbers, session};
use fovea_core::graph::{Job, Val};
use fovea_core::scalar::Prim;
use fovea_core::{DType, ErrorKind, Result};
use fovea_ops::pooling::MaxPool2dBackward;
use fovea_testkit::session::run_jobs;
use fovea_testkit::{Reference, Session};

#[test]
fn s16_what_nobody_refers_to_is_freed() {
    let mut s = session();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let (nodes, bytes) = (s.live_nodes(), s.value_bytes());
    for _ in 0..3 {
        s.scope(|s| {
            let y = s.scale(x, 2.0)?;
            let z = s.mul(y, y)?;
            let total = s.sum(z)?;
            s.read(total)?;
            Ok(vec![])
        })
        .unwrap();
        assert_eq!((s.live_nodes(), s.value_bytes()), (nodes, bytes));
    }
    s.forget(x);
    assert_eq!((s.live_nodes(), s.value_bytes()), (0, 0));
}

#[test]
fn s16_variables_and_their_gradients_are_freed_with_them() {
    let mut s = session();
    for round in 0..3 {
        let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
        s.scope(|s| {
            let x = s.leaf(DType::F32, [MANY], &numbers(MANY))?;
            let loss = loss_of(s, w, x)?;
            s.backward(loss)?;
            if round > 0 {
                s.run(&[])?;
            }
            if round > 1 {
                descend(s, w, 0.1)?;
            }
            Ok(vec![])
        })
        .unwrap();
        s.free_variable(w);
        s.run(&[]).unwrap();
        assert_eq!((s.live_nodes(), s.value_bytes()), (0, 0), "round {round}");
    }
}

#[test]
fn s16_failed_backward_passes_leave_nothing_behind() {
    let mut s = session();
    let w = s.parameter([2], &[1.0, 2.0]).unwrap();
    let nodes = s.live_nodes();
    s.scope(|s| {
        let one = s.sum(w)?;
        let many = s.scale(w, 2.0)?;
        assert!(s.grad(&[one, many], &[None, None], &[w], false).is_err());
        Ok(vec![])
    })
    .unwrap();
    s.run(&[]).unwrap();
    assert_eq!(s.live_nodes(), nodes);
}

#[test]
fn s16_an_update_lets_go_of_the_step_that_made_it() {
    let mut s = session();
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let (nodes, bytes) = (s.live_nodes(), s.value_bytes());
    s.scope(|s| {
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY))?;
        let loss = loss_of(s, w, x)?;
        s.backward(loss)?;
        descend(s, w, 0.1)?;
        Ok(vec![])
    })
    .unwrap();
    assert_eq!(s.value_bytes(), bytes);
    assert!(s.live_nodes() <= nodes + 1, "{} nodes where there were {nodes}", s.live_nodes());
}

#[test]
fn s17_pending_work_that_needs_a_disposed_value_completes() {
    let mut s = session();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let y = s.scale(x, 2.0).unwrap();
    let z = s.scale(y, 2.0).unwrap();
    s.dispose(x);
    s.dispose(y);
    let want: Vec<f64> = numbers(MANY).iter().map(|v| v * 4.0).collect();
    assert_eq!(s.read(z).unwrap(), want);
    assert_eq!(s.value_bytes(), 4 * MANY as i64);
}

#[test]
fn s17_computing_again_through_a_disposed_value_throws_and_other_values_survive() {
    let mut s = session();
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let recipe = s.scale(x, 2.0).unwrap();
    let kept = s.scale(recipe, 2.0).unwrap();
    s.keep(kept).unwrap();
    s.run(&[]).unwrap();
    s.dispose(x);
    assert_eq!(s.value_bytes(), 4 * MANY as i64, "the leaf's memory has gone");
    let error = s.read(recipe).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disposed);
    let error = s.scale(recipe, 2.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disposed);
    let want: Vec<f64> = numbers(MANY).iter().map(|v| v * 4.0).collect();
    assert_eq!(s.read(kept).unwrap(), want);
}

#[test]
fn s17_a_pending_value_goes_with_its_last_handle_and_can_not_be_used_then() {
    let mut s = session();
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let y = s.scale(x, 2.0).unwrap();
    let same = s.own(y);
    s.dispose(y);
    let z = s.scale(same, 2.0).unwrap();
    s.dispose(z);
    assert_eq!(s.scale(z, 2.0).unwrap_err().kind(), ErrorKind::Disposed);
    let doubled: Vec<f64> = numbers(MANY).iter().map(|v| v * 2.0).collect();
    assert_eq!(s.read(same).unwrap(), doubled);
    assert_eq!(s.counters.steps, 1, "what was disposed before anything needed it is not computed");
}

#[test]
fn s17_disposing_a_value_leaves_what_backward_has_saved() {
    let gradient = |dispose: bool| -> Result<Vec<f64>> {
        let mut s = session();
        s.module_depth = 1;
        let w = s.parameter([MANY], &numbers(MANY))?;
        let hidden = s.map(&[w], |v| v[0].unary(Prim::Sin))?;
        let y = s.mul(hidden, hidden)?;
        let loss = s.sum(y)?;
        if dispose {
            s.dispose(y);
        }
        s.read(loss)?;
        if dispose {
            s.dispose(hidden);
        }
        let grads = s.grad(&[loss], &[None], &[w], false)?;
        grads[0].map_or(Ok(vec![]), |g| s.read(g))
    };
    assert_eq!(gradient(true).unwrap(), gradient(false).unwrap());
}

/// `max_pool2d_backward` is linear in g, so its gradient, through the decomposition, reads the indices only.
#[test]
fn s17_a_gradient_through_a_decomposition_needs_no_disposed_value_that_it_does_not_read() {
    let gradient = |dispose: fn(&mut Session, Val, Val)| -> Result<(Vec<f64>, u64)> {
        let mut s = session();
        s.fusion = false;
        s.module_depth = 1;
        let g = s.parameter([2, 3, 3], &numbers(18))?;
        let places: Vec<f64> = (0..18).map(|i| (i % 16) as f64).collect();
        let indices = s.leaf(DType::I32, [2, 3, 3], &places)?;
        let pooled = s.apply(MaxPool2dBackward { input_size: [4, 4] }, &[g, indices])?;
        let y = s.map(&[pooled], |v| v[0].tanh())?;
        let loss = s.sum(y)?;
        s.read(loss)?;
        dispose(&mut s, g, indices);
        let grads = s.grad(&[loss], &[None], &[g], false)?;
        let steps = s.counters.steps;
        let grad = grads[0].map_or(Ok(vec![]), |g| s.read(g))?;
        Ok((grad, s.counters.steps - steps))
    };
    let whole = gradient(|_, _, _| {}).unwrap();
    assert_eq!(gradient(|s, g, _| s.graph.dispose(g)).unwrap(), whole);
    let error = gradient(|s, _, indices| s.graph.dispose(indices)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disposed);
}

#[test]
fn s17_a_region_that_needs_a_disposed_value_can_not_be_computed_again() {
    for dispose in [false, true] {
        let mut s = session();
        s.module_depth = 1;
        let w = s.parameter([MANY], &numbers(MANY)).unwrap();
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
        s.region = s.next_region;
        s.next_region += 1;
        let y = s.mul(w, x).unwrap();
        let mut inner = s.map(&[y], |v| v[0].unary(Prim::Sin)).unwrap();
        // As many paths to the disposed value as would take forever one by one.
        for _ in 0..64 {
            inner = s.mul(inner, inner).unwrap();
        }
        s.region = 0;
        let loss = s.sum(inner).unwrap();
        s.read(loss).unwrap();
        if dispose {
            s.dispose(x);
        }
        let grads = s.grad(&[loss], &[None], &[w], false);
        match dispose {
            true => assert_eq!(grads.unwrap_err().kind(), ErrorKind::Disposed),
            false => assert_eq!(s.read(grads.unwrap()[0].unwrap()).unwrap().len(), MANY),
        }
        s.run(&[]).unwrap();
    }
}

#[test]
fn s17_a_value_kept_late_is_pending_work_that_completes() {
    let mut s = session();
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let y = s.scale(x, 2.0).unwrap();
    let top = s.scale(y, 2.0).unwrap();
    s.read(top).unwrap();
    s.keep(y).unwrap();
    s.dispose(x);
    let doubled: Vec<f64> = numbers(MANY).iter().map(|v| v * 2.0).collect();
    assert_eq!(s.read(top).unwrap().len(), MANY);
    assert_eq!(s.read(y).unwrap(), doubled);
    assert_eq!(s.value_bytes(), 8 * MANY as i64, "the leaf's memory has gone");
}

/// Two variables updated by one evaluation that fails after `steps` steps; returns what they hold then.
fn failing_step(steps: usize) -> [Result<Vec<f64>>; 2] {
    let runtime = Reference::new();
    let mut s = Session::new(runtime.clone());
    let first = s.variable_of("first", [MANY], &vec![1.0; MANY]).unwrap();
    let second = s.variable_of("second", [MANY], &vec![2.0; MANY]).unwrap();
    s.run(&[]).unwrap();
    s.scope(|s| {
        s.module_depth = 1;
        s.fusion = false;
        for (variable, by) in [(first, 10.0), (second, 100.0)] {
            let value = s.current(variable)?;
            let next = s.scale(value, by)?;
            s.assign(variable, next)?;
        }
        let jobs = s.graph.evaluate(&[])?;
        runtime.fail_after(steps);
        let error = run_jobs(jobs).unwrap_err();
        assert!(error.to_string().contains("injected failure"), "{error}");
        Ok(vec![])
    })
    .unwrap();
    let read = [s.read_variable(first), s.read_variable(second)];
    // The process stays usable: the lost variable can be loaded again, and the next step works.
    for variable in [first, second] {
        let fresh = s.leaf(DType::F32, [MANY], &vec![5.0; MANY]).unwrap();
        s.assign(variable, fresh).unwrap();
        assert_eq!(s.read_variable(variable).unwrap()[0], 5.0);
    }
    read
}

#[test]
fn s18_a_failed_plan_loses_the_variables_it_had_begun_to_write_and_no_other() {
    let [first, second] = failing_step(0);
    let lost = first.unwrap_err();
    assert!(lost.to_string().contains("first") && lost.to_string().contains("lost"), "{lost}");
    assert_eq!(lost.fields().argument.as_deref(), Some("first"));
    assert_eq!(second.unwrap(), vec![2.0; MANY]);
    let [first, second] = failing_step(1);
    assert!(first.is_err() && second.is_err());
}

#[test]
fn s18_work_that_needs_a_failed_value_fails_and_its_variables_keep_theirs() {
    for order in [false, true] {
        let runtime = Reference::new();
        let mut s = Session::new(runtime.clone());
        let w = s.variable_of("w", [MANY], &vec![1.0; MANY]).unwrap();
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
        s.run(&[]).unwrap();
        let y = s.scale(x, 2.0).unwrap();
        let mut jobs: Vec<Job> = s.graph.evaluate(&[y]).unwrap();
        let value = s.current(w).unwrap();
        // Whichever comes first among the externals.
        let next = if order { s.add(y, value).unwrap() } else { s.add(value, y).unwrap() };
        s.assign(w, next).unwrap();
        s.forget(next);
        jobs.extend(s.graph.evaluate(&[]).unwrap());
        runtime.fail_after(0);
        assert!(run_jobs(jobs).is_err());
        assert_eq!(s.read_variable(w).unwrap(), vec![1.0; MANY], "order {order}");
        assert!(s.read(y).unwrap_err().to_string().contains("injected failure"));
    }
}

#[test]
fn s18_a_failed_first_step_keeps_starting_values() {
    let runtime = Reference::new();
    let mut s = Session::new(runtime.clone());
    s.module_depth = 1;
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let start = s.scale(x, 2.0).unwrap();
    let w = s.variable(start, "w", false).unwrap();
    let nobody_reads = s.scale(x, 3.0).unwrap();
    let unread = s.variable(nobody_reads, "unread", false).unwrap();
    for (variable, by) in [(unread, 100.0), (w, 10.0)] {
        let value = if variable == w { s.current(w).unwrap() } else { x };
        let next = s.scale(value, by).unwrap();
        s.assign(variable, next).unwrap();
    }
    let jobs = s.graph.evaluate(&[]).unwrap();
    runtime.fail_after(1);
    assert!(run_jobs(jobs).is_err());
    let doubled: Vec<f64> = numbers(MANY).iter().map(|v| v * 2.0).collect();
    assert_eq!(s.read_variable(w).unwrap(), doubled);
    assert_eq!(s.counters.steps, 3, "the starting value that is read, and two updates");
}

#[test]
fn s18_values_outside_the_failed_plan_stay_valid() {
    let runtime = Reference::new();
    let mut s = Session::new(runtime.clone());
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let before = s.scale(x, 2.0).unwrap();
    s.read(before).unwrap();
    let failing = s.scale(before, 2.0).unwrap();
    runtime.fail_after(0);
    assert!(s.read(failing).is_err());
    let doubled: Vec<f64> = numbers(MANY).iter().map(|v| v * 2.0).collect();
    assert_eq!(s.read(before).unwrap(), doubled);
    let after = s.scale(before, 0.5).unwrap();
    assert_eq!(s.read(after).unwrap(), numbers(MANY));
}

#[test]
fn s20_graphs_of_several_threads_do_not_meet() {
    let work = || {
        let mut s = session();
        let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
        let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
        for _ in 0..5 {
            s.scope(|s| {
                let loss = loss_of(s, w, x)?;
                s.backward(loss)?;
                descend(s, w, 1e-3)?;
                Ok(vec![])
            })
            .unwrap();
        }
        s.read_variable(w).unwrap()
    };
    let alone = work();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), alone);
    }
}

/// Two variables take one new value, a third had a view as its first one; the step fails before anything is written.
#[test]
fn s18_each_variable_gets_its_own_old_value_back_however_it_lay() {
    let runtime = Reference::new();
    let mut s = Session::new(runtime.clone());
    let a = s.variable_of("a", [2, 3], &[1.0; 6]).unwrap();
    let b = s.variable_of("b", [2, 3], &[2.0; 6]).unwrap();
    let ty = fovea_core::TensorType::new(DType::F32, [2, 3]);
    let view = s.arranged(ty, &numbers(6), fovea_core::sample::Arrangement::Reversed, false).unwrap();
    let c = s.variable(view, "c", false).unwrap();
    let d = s.variable_of("d", [3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    s.run(&[]).unwrap();
    let value = s.current(c).unwrap();
    let new = s.scale(value, 10.0).unwrap();
    for variable in [a, b, c] {
        s.assign(variable, new).unwrap();
    }
    let turned = s.apply(fovea_testkit::views::Permute { axes: vec![1, 0] }, &[new]).unwrap();
    s.assign(d, turned).unwrap();
    let jobs = s.graph.evaluate(&[]).unwrap();
    runtime.fail_after(0);
    assert!(run_jobs(jobs).is_err());
    assert_eq!(s.read_variable(a).unwrap(), [1.0; 6]);
    assert_eq!(s.read_variable(b).unwrap(), [2.0; 6]);
    assert_eq!(s.read_variable(c).unwrap(), numbers(6));
    assert_eq!(s.read_variable(d).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}
