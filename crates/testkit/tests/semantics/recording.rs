//! S1–S4: errors, variables, leaves, randomness.

use super::{MANY, numbers, session};
use fovea_core::device::Device;
use fovea_core::graph::primitives::Expand;
use fovea_core::scalar::Prim;
use fovea_core::{DType, ErrorKind, Shape};
use fovea_testkit::{Reference, Session};

#[test]
fn s1_the_call_that_makes_an_error_reports_it_and_records_nothing() {
    let mut s = session();
    let a = s.leaf(DType::F32, [2, 3], &numbers(6)).unwrap();
    let b = s.leaf(DType::F32, [4], &numbers(4)).unwrap();
    let recorded = s.counters.recorded;
    let error = s.add(a, b).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert_eq!(error.fields().op.as_deref(), Some("map"));
    let error = s.apply(Expand { shape: Shape::from([2, 4]) }, &[a]).unwrap_err();
    assert_eq!(
        (error.kind(), error.fields().argument.as_deref(), error.fields().received.as_deref()),
        (ErrorKind::Shape, Some("shape"), Some("[2, 4]"))
    );
    assert_eq!(s.counters.recorded, recorded);
}

#[test]
fn s2_assignments_are_effects_in_program_order() {
    let mut s = session();
    let statistics = {
        let zero = s.leaf(DType::F32, [3], &[0.0; 3]).unwrap();
        s.variable(zero, "bn.running_mean", false).unwrap()
    };
    let x = s.leaf(DType::F32, [MANY, 3], &numbers(3 * MANY)).unwrap();
    let eval = |s: &mut Session| {
        let mean = s.current(statistics).unwrap();
        s.map(&[x, mean], |v| &v[0] - &v[1]).unwrap()
    };
    let before = eval(&mut s);
    // A training forward: the batch's mean flows into the running one.
    let total = s.sum_to(x, [3]).unwrap();
    let mean = s.scale(total, 1.0 / MANY as f64).unwrap();
    let old = s.current(statistics).unwrap();
    let new = s.map(&[old, mean], |v| &v[0] * 0.9 + &v[1] * 0.1).unwrap();
    s.assign(statistics, new).unwrap();
    let after = eval(&mut s);
    let new = s.read(new).unwrap();
    assert_eq!(s.read_variable(statistics).unwrap(), new);
    assert!(new.iter().all(|v| *v != 0.0));
    let values = numbers(3 * MANY);
    assert_eq!(s.read(before).unwrap(), values);
    let shifted: Vec<f64> = values.iter().enumerate().map(|(i, v)| f64::from(*v as f32 - new[i % 3] as f32)).collect();
    assert_eq!(s.read(after).unwrap(), shifted);
}

#[test]
fn s2_several_assignments_before_an_evaluation_leave_the_last() {
    let mut s = session();
    let w = s.variable_of("w", [2], &[1.0, 2.0]).unwrap();
    for _ in 0..3 {
        let value = s.current(w).unwrap();
        let doubled = s.scale(value, 2.0).unwrap();
        s.assign(w, doubled).unwrap();
    }
    assert_eq!(s.read_variable(w).unwrap(), [8.0, 16.0]);
}

#[test]
fn s2_computing_a_recipe_again_repeats_no_effect() {
    let mut s = session();
    let count = s.variable_of("count", [], &[0.0]).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let y = s.scale(x, 2.0).unwrap();
    let _total = s.sum(y).unwrap();
    let value = s.current(count).unwrap();
    let next = s.map(&[value], |v| &v[0] + 1.0).unwrap();
    s.assign(count, next).unwrap();
    s.run(&[]).unwrap();
    for _ in 0..3 {
        assert!(!s.is_there(y));
        let again = s.scale(y, 0.5).unwrap();
        assert_eq!(s.read(again).unwrap(), numbers(MANY));
    }
    assert_eq!(s.read_variable(count).unwrap(), [1.0]);
}

#[test]
fn s3_mixing_devices_is_an_error_numbers_excepted() {
    let mut s = two_devices();
    let here = s.leaf(DType::F32, [2], &[1.0, 2.0]).unwrap();
    let there = s.leaf_on(Device::Gpu(0), DType::F32, Shape::from([2]), &[3.0, 4.0]).unwrap();
    let error = s.add(here, there).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().contains("to('cpu')"), "{error}");
    let scaled = s.scale(there, 2.0).unwrap();
    assert_eq!(s.device_of(scaled), Device::Gpu(0));
    assert_eq!(s.read(scaled).unwrap(), [6.0, 8.0]);
}

#[test]
fn s3_moving_between_devices_is_differentiable() {
    let mut s = two_devices();
    let x = s.parameter([2], &[3.0, 4.0]).unwrap();
    let square = s.mul(x, x).unwrap();
    let there = s.to_device(square, Device::Gpu(0)).unwrap();
    let cube = {
        let x_there = s.to_device(x, Device::Gpu(0)).unwrap();
        s.mul(there, x_there).unwrap()
    };
    let back = s.to_device(cube, Device::Cpu).unwrap();
    let total = s.sum(back).unwrap();
    let grads = s.grad(&[total], &[None], &[x], false).unwrap();
    let grad = grads[0].unwrap();
    assert_eq!(s.device_of(grad), Device::Cpu);
    s.run(&[total, grad]).unwrap();
    assert_eq!(s.read(total).unwrap(), [27.0 + 64.0]);
    assert_eq!(s.read(grad).unwrap(), [27.0, 48.0]);
}

fn two_devices() -> Session {
    let mut s = session();
    s.add_runtime(Reference::on(Device::Gpu(0)));
    s
}

#[test]
fn s4_a_draw_computed_again_gives_the_same_numbers() {
    for dtype in [DType::F32, DType::F64] {
        let mut s = session();
        s.random = (7, 40);
        let draw = |s: &mut Session| {
            let key = s.random_key(MANY);
            let like = s.leaf(dtype, [MANY], &vec![0.0; MANY]).unwrap();
            let draw = s.map(&[key, like], |v| v[0].positional(Prim::Uniform, dtype) + &v[1]).unwrap();
            s.forget(like);
            draw
        };
        let (first, second) = (draw(&mut s), draw(&mut s));
        let _use = s.add(first, second).unwrap();
        s.run(&[]).unwrap();
        assert!(!s.is_there(first));
        let again = s.read(first).unwrap();
        assert!(again.iter().all(|u| (0.0..1.0).contains(u)));
        let sum = s.map(&[first], |v| &v[0] + 0.0).unwrap();
        assert_eq!(s.read(sum).unwrap(), again);
        let other = s.read(second).unwrap();
        assert!(again.iter().zip(&other).filter(|(a, b)| a == b).count() < 3, "two draws are alike");
    }
}
