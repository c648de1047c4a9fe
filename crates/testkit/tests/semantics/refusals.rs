//! S18: evaluations of which a part can't be planned.

use super::{MANY, numbers, session};
use fovea_core::device::Device;
use fovea_core::graph::{Backward, Val};
use fovea_core::op::{InputSchema, OutTypes, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::{DType, Error, Layout, Op, Result, Shape, attributes};
use fovea_testkit::{Reference, Session};

attributes! {
    /// A view of nothing that lies in memory: no plan can be made for it.
    pub struct Unplannable {}
}

impl Op for Unplannable {
    const NAME: &'static str = "test_unplannable";
    const DOC: &'static str = "A view of nothing that lies in memory.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "The value.")];
    const VIEW: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok([inputs[0]].into_iter().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::View
    }
    fn view(&self, _: &Layout) -> Option<Layout> {
        None
    }
    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }
    fn samples() -> Vec<Sample<Unplannable>> {
        Vec::new()
    }
}

const GPU: Device = Device::Gpu(0);

fn two_devices() -> Session {
    let mut s = session();
    s.add_runtime(Reference::on(GPU));
    s
}

fn times(factor: f64) -> Vec<f64> {
    numbers(MANY).iter().map(|v| v * factor).collect()
}

fn is_planning(error: &Error) {
    assert!(error.to_string().contains("planning failed"), "{error}");
}

fn unplannable(s: &mut Session, x: Val) -> Val {
    s.apply(Unplannable {}, &[x]).unwrap()
}

#[test]
fn s18_what_can_not_be_planned_fails_its_reads_and_variables_keep_their_values() {
    let mut s = session();
    s.module_depth = 1;
    let w = s.variable_of("w", [MANY], &numbers(MANY)).unwrap();
    let other = s.variable_of("other", [MANY], &numbers(MANY)).unwrap();
    let x = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    s.run(&[]).unwrap();
    let bad = unplannable(&mut s, x);
    let (value, exists) = (s.current(w).unwrap(), s.leaf(DType::F32, [MANY], &times(3.0)).unwrap());
    let next = s.add(value, bad).unwrap();
    s.assign(w, next).unwrap();
    s.assign(other, exists).unwrap();
    is_planning(&s.read(next).unwrap_err());
    is_planning(&s.read(next).unwrap_err());
    assert_eq!(s.read_variable(w).unwrap(), numbers(MANY));
    assert_eq!(s.read_variable(other).unwrap(), times(3.0), "a value that exists needs no plan");
    is_planning(&s.read(bad).unwrap_err());
    let value = s.current(w).unwrap();
    let doubled = s.scale(value, 2.0).unwrap();
    s.assign(w, doubled).unwrap();
    assert_eq!(s.read_variable(w).unwrap(), times(2.0));
}

/// CPU, then GPU, then CPU again; the stage on the GPU can't be planned.
#[test]
fn s18_a_stage_that_can_not_be_planned_leaves_the_earlier_ones_and_fails_the_later_ones() {
    let mut s = two_devices();
    s.module_depth = 1;
    let early = s.variable_of("early", [MANY], &numbers(MANY)).unwrap();
    let late = s.variable_of("late", [MANY], &numbers(MANY)).unwrap();
    let start = s.leaf_on(GPU, DType::F32, Shape::from([MANY]), &numbers(MANY)).unwrap();
    let there = s.variable(start, "there", false).unwrap();
    s.run(&[]).unwrap();

    let value = s.current(early).unwrap();
    let first = s.scale(value, 2.0).unwrap();
    s.assign(early, first).unwrap();
    let moved = s.to_device(first, GPU).unwrap();
    let bad = unplannable(&mut s, moved);
    let value = s.current(there).unwrap();
    let second = s.add(value, bad).unwrap();
    s.assign(there, second).unwrap();
    let back = s.to_device(second, Device::Cpu).unwrap();
    s.own(back);
    let value = s.current(late).unwrap();
    let third = s.add(value, back).unwrap();
    s.assign(late, third).unwrap();

    for val in [first, bad, second, back, third] {
        s.keep(val).unwrap();
    }
    is_planning(&s.read(third).unwrap_err());
    assert_eq!(s.read_variable(early).unwrap(), times(2.0));
    assert_eq!(s.read(first).unwrap(), times(2.0));
    assert_eq!(s.read_variable(there).unwrap(), numbers(MANY));
    assert_eq!(s.read_variable(late).unwrap(), numbers(MANY));
    for failed in [bad, second, back, third] {
        is_planning(&s.read(failed).unwrap_err());
    }

    // The session goes on, through both devices.
    let value = s.current(early).unwrap();
    let moved = s.to_device(value, GPU).unwrap();
    let value = s.current(there).unwrap();
    let sum = s.add(value, moved).unwrap();
    s.assign(there, sum).unwrap();
    assert_eq!(s.read_variable(there).unwrap(), times(3.0));
}

#[test]
fn s18_starting_values_survive_a_first_step_that_can_not_be_planned() {
    let mut s = two_devices();
    s.module_depth = 1;
    let leaf = s.leaf(DType::F32, [MANY], &numbers(MANY)).unwrap();
    let start = s.scale(leaf, 2.0).unwrap();
    let here = s.variable(start, "here", false).unwrap();
    let start = s.to_device(start, GPU).unwrap();
    let there = s.variable(start, "there", false).unwrap();
    for variable in [here, there] {
        let value = s.current(variable).unwrap();
        let bad = unplannable(&mut s, value);
        let next = s.scale(bad, 2.0).unwrap();
        s.assign(variable, next).unwrap();
    }
    is_planning(&s.run(&[]).unwrap_err());
    assert_eq!(s.read_variable(here).unwrap(), times(2.0));
    assert_eq!(s.read_variable(there).unwrap(), times(2.0));
}

#[test]
fn s18_a_gradient_that_never_came_is_lost_by_name_and_can_be_cleared() {
    let mut s = session();
    s.module_depth = 1;
    let w = s.variable_of("w", [2], &[1.0, 2.0]).unwrap();
    s.run(&[]).unwrap();
    let x = s.leaf(DType::F32, [2], &[3.0, 4.0]).unwrap();
    let bad = unplannable(&mut s, x);
    let value = s.current(w).unwrap();
    let product = s.mul(value, bad).unwrap();
    let total = s.sum(product).unwrap();
    s.backward(total).unwrap();
    is_planning(&s.run(&[]).unwrap_err());
    let gradient = s.grad_of_variable(w).unwrap().unwrap();
    let error = s.read(gradient).unwrap_err().to_string();
    assert!(error.contains("w.grad") && error.contains("lost"), "{error}");
    s.set_grad_of_variable(w, None).unwrap();
    let value = s.current(w).unwrap();
    let product = s.mul(value, x).unwrap();
    let total = s.sum(product).unwrap();
    s.backward(total).unwrap();
    let gradient = s.grad_of_variable(w).unwrap().unwrap();
    assert_eq!(s.read(gradient).unwrap(), [3.0, 4.0]);
}
