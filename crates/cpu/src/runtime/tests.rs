//! Plans of contractions and kernels: results, donation, failures.

use super::*;
use fovea_core::ErrorKind;
use fovea_core::contraction::{Contraction, Coord, Loop, Role};
use fovea_core::graph::Backward;
use fovea_core::op::{Op, OutTypes, TensorType, Work};
use fovea_core::plan::{LoopNest, Operand, Reductions, Slot, Store};
use fovea_core::sample::Sample;
use fovea_core::scalar::Program;
use fovea_core::shape::Shape;
use std::sync::{Mutex, MutexGuard};

fovea_core::attributes! {
    /// Adds a number to each element, or fails.
    pub struct AddNumber {
        /// What to add; −1 fails and −2 panics.
        number: i64,
    }
}

impl Op for AddNumber {
    const NAME: &'static str = "add_number";
    const DOC: &'static str = "For tests.";
    const INPUTS: &'static [fovea_core::op::InputSchema] = &[];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(inputs.iter().copied().collect())
    }
    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }
    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        match self.number {
            -1 => return Err(Error::data("refused").at("x")),
            -2 => panic!("broken"),
            _ => {}
        }
        let x = args.inputs[0].contiguous::<f32>().ok_or_else(|| Error::internal("strided"))?;
        if let Some(output) = &mut args.outputs[0] {
            for (y, x) in output.elements::<f32>().iter_mut().zip(x) {
                *y = x + self.number as f32;
            }
        }
        Ok(())
    }
    fn samples() -> Vec<Sample<AddNumber>> {
        Vec::new()
    }
}

/// Held by every test that runs steps, since the injected failure is the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    fail_after(None);
    guard
}

const SHAPE: [usize; 2] = [2, 3];

fn slot(home: Home) -> Slot {
    Slot { dtype: DType::F32, elements: 6, home }
}

fn add(number: i64, from: SlotId, to: SlotId) -> Step {
    let ty = TensorType::new(DType::F32, SHAPE);
    Step::Kernel(KernelStep {
        op: Arc::new(AddNumber { number }),
        inputs: vec![fovea_core::plan::View { slot: from, layout: Layout::contiguous(Shape::from(SHAPE)) }],
        input_types: vec![ty],
        outputs: vec![Some(to)],
        output_types: vec![ty],
        output_layouts: vec![Layout::contiguous(ty.shape)],
    })
}

/// External 0 plus `first` into the arena, plus `second` into output 0, which may take over external 0.
fn chain(first: i64, second: i64) -> Arc<Plan> {
    Arc::new(Plan {
        steps: vec![add(first, 0, 1), add(second, 1, 2)],
        labels: vec!["first".into(), "second".into()],
        origins: vec![0, 1],
        slots: vec![slot(Home::External(0)), slot(Home::Arena(256)), slot(Home::Output(0))],
        bands: Vec::new(),
        arena_bytes: 512,
        donations: vec![(0, 0)],
        externals: 1,
        outputs: 1,
    })
}

fn upload(values: &[f32]) -> BufferRef {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
    CpuRuntime.upload(&bytes, DType::F32).unwrap()
}

fn read(buffer: &BufferRef, layout: &Layout) -> Vec<f32> {
    let mut bytes = vec![0; layout.shape.size() * 4];
    CpuRuntime.read(buffer, DType::F32, layout, &mut bytes).unwrap();
    bytes.as_chunks().0.iter().map(|b| f32::from_ne_bytes(*b)).collect()
}

fn address(buffer: &BufferRef) -> *const u8 {
    cpu_buffer(buffer).unwrap().as_ptr()
}

const VALUES: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

#[test]
fn strided_reads() {
    let buffer = upload(&VALUES);
    let rows = Layout::contiguous(Shape::from(SHAPE));
    assert_eq!(read(&buffer, &rows), VALUES);
    assert_eq!(read(&buffer, &rows.permute(&[1, 0])), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(read(&buffer, &rows.slice(1, 2, -2, 2)), [2.0, 0.0, 5.0, 3.0]);
    assert_eq!(read(&buffer, &rows.slice(1, 1, 1, 2)), [1.0, 2.0, 4.0, 5.0]);
    let row = Layout::contiguous(Shape::from([1, 3]));
    assert_eq!(read(&buffer, &row.broadcast_to(Shape::from([2, 3])).unwrap()), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert!(read(&buffer, &rows.slice(0, 0, 1, 0)).is_empty());
    let outside = Layout { offset: 1, ..rows };
    assert!(CpuRuntime.read(&buffer, DType::F32, &outside, &mut [0; 24]).is_err());
    assert!(CpuRuntime.read(&buffer, DType::F32, &rows, &mut [0; 20]).is_err());
}

#[test]
fn steps_run_in_order_and_externals_survive() {
    let _guard = alone();
    let executable = CpuRuntime.compile(&chain(1, 10)).unwrap();
    let input = upload(&VALUES);
    for _ in 0..2 {
        let outputs = executable.run(vec![input.clone()], &[]).map_err(|f| f.error).unwrap();
        assert_eq!(read(&outputs[0], &Layout::contiguous(Shape::from([6]))), VALUES.map(|v| v + 11.0));
        assert_ne!(address(&outputs[0]), address(&input));
    }
    assert_eq!(read(&input, &Layout::contiguous(Shape::from([6]))), VALUES);
}

#[test]
fn a_sole_owner_hands_its_buffer_on() {
    let _guard = alone();
    let result = |reuse: bool| {
        let executable = CpuExecutable::compile(&chain(1, 10), reuse).unwrap();
        let input = upload(&VALUES);
        let before = address(&input);
        let outputs = executable.run(vec![input], &[]).map_err(|f| f.error).unwrap();
        assert_eq!(Arc::strong_count(&outputs[0]), 1);
        (address(&outputs[0]) == before, read(&outputs[0], &Layout::contiguous(Shape::from([6]))))
    };
    let (taken, values) = result(true);
    assert!(taken);
    assert_eq!((false, values), result(false));
}

#[test]
fn a_kernel_never_writes_what_it_reads() {
    let plan = |slots| Plan { steps: vec![add(1, 0, 1)], slots, arena_bytes: 512, ..Plan::default() };
    for homes in [[Home::Arena(0), Home::Arena(16)], [Home::External(0), Home::External(0)]] {
        let plan = Plan { externals: 1, ..plan(homes.map(slot).to_vec()) };
        assert!(CpuRuntime.compile(&Arc::new(plan)).is_err());
    }
    // Nor does it take over the external that it reads itself.
    let _guard = alone();
    let plan = Plan {
        donations: vec![(0, 0)],
        externals: 1,
        outputs: 1,
        ..plan(vec![slot(Home::External(0)), slot(Home::Output(0))])
    };
    let input = upload(&VALUES);
    let before = address(&input);
    let executable = CpuRuntime.compile(&Arc::new(plan)).unwrap();
    let outputs = executable.run(vec![input], &[]).map_err(|f| f.error).unwrap();
    assert_eq!(outputs.len(), 1);
    assert_ne!(address(&outputs[0]), before);
}

#[test]
fn failures_name_the_step_and_give_back_what_is_whole() {
    let _guard = alone();
    let run = |plan: &Arc<Plan>, input: BufferRef| {
        CpuRuntime.compile(plan).unwrap().run(vec![input], &[]).map(|_| ()).unwrap_err()
    };
    let failure = run(&chain(-1, 0), upload(&VALUES));
    assert_eq!(failure.error.kind(), ErrorKind::Data);
    assert_eq!(failure.error.fields().message, "refused");
    assert_eq!(failure.error.fields().op.as_deref(), Some("first"));
    assert_eq!(failure.error.fields().argument.as_deref(), Some("x"));
    let survivor = failure.survivors[0].clone().unwrap();
    assert_eq!(read(&survivor, &Layout::contiguous(Shape::from([6]))), VALUES);

    let failure = run(&chain(0, -2), upload(&VALUES));
    assert_eq!(failure.error.fields().message, "a kernel panicked: broken");
    assert_eq!(failure.error.fields().op.as_deref(), Some("second"));
    assert!(failure.survivors[0].is_none());
    let shared = upload(&VALUES);
    assert!(run(&chain(0, -2), shared.clone()).survivors[0].is_some());

    for (steps, lost) in [(0, false), (1, true)] {
        fail_after(Some(steps));
        let failure = run(&chain(1, 1), upload(&VALUES));
        assert!(failure.error.fields().message.ends_with("injected failure"), "{}", failure.error);
        assert_eq!(failure.survivors[0].is_none(), lost);
    }
    // It happens once.
    assert!(CpuRuntime.compile(&chain(1, 1)).unwrap().run(vec![shared], &[]).is_ok());
}

#[test]
fn contractions_run_as_steps() {
    let _guard = alone();
    let matrix = |rows, cols| Layout::contiguous(Shape::from([rows, cols]));
    let view = |slot, layout| fovea_core::plan::View { slot, layout };
    let contraction = Contraction {
        loops: [Role::Row, Role::Col, Role::Sum]
            .map(|role| Loop { role, size: if role == Role::Sum { 3 } else { 2 } })
            .to_vec(),
        a: vec![Coord::index(0), Coord::index(2)],
        b: vec![Coord::index(2), Coord::index(1)],
        out: vec![0, 1],
    };
    let step = |a, b| Step::Contract { contraction: contraction.clone(), a, b, out: 1 };
    let plan = |step| {
        let out = Slot { elements: 4, ..slot(Home::Output(0)) };
        Arc::new(Plan {
            steps: vec![step],
            slots: vec![slot(Home::External(0)), out],
            externals: 1,
            outputs: 1,
            ..Plan::default()
        })
    };
    let product = plan(step(view(0, matrix(2, 3)), view(0, matrix(2, 3).permute(&[1, 0]))));
    let outputs = CpuRuntime.compile(&product).unwrap().run(vec![upload(&VALUES)], &[]).map_err(|f| f.error).unwrap();
    assert_eq!(read(&outputs[0], &matrix(2, 2)), [5.0, 14.0, 14.0, 50.0]);
    let outside = Layout { offset: 1, ..matrix(2, 3) };
    assert!(CpuRuntime.compile(&plan(step(view(0, outside), view(0, matrix(3, 2))))).is_err());
}

#[test]
fn a_loop_takes_over_only_what_it_reads_in_place() {
    let strides = Shape::from(SHAPE).strides();
    let turned = Layout::contiguous(Shape::from([3, 2])).permute(&[1, 0]).strides;
    let nest = |strides, offset, written: Home| LoopNest {
        shape: Shape::from(SHAPE),
        operands: vec![Operand::Tensor { slot: 0, strides, offset }, Operand::Scalar(0)],
        program: Program::default(),
        stores: vec![Store {
            output: 0,
            slot: if written == Home::Output(0) { 1 } else { 2 },
            strides: Shape::from(SHAPE).strides(),
            offset: 0,
        }],
        reductions: Reductions::default(),
    };
    let plan = |steps: Vec<LoopNest>| Plan {
        steps: steps.into_iter().map(Step::Loop).collect(),
        slots: vec![slot(Home::External(0)), slot(Home::Output(0)), slot(Home::Arena(0))],
        ..Plan::default()
    };
    let output = Home::Output(0);
    let arena = Home::Arena(0);
    let takes = |steps, first| check::may_take_over(&plan(steps), 0, 0, first);
    assert!(takes(vec![nest(strides, 0, output)], 0));
    assert!(!takes(vec![nest(turned, 0, output)], 0));
    assert!(!takes(vec![nest(strides, 1, output)], 0));
    assert!(takes(vec![nest(turned, 0, arena), nest(strides, 0, output)], 1));
    assert!(!takes(vec![nest(strides, 0, output), nest(strides, 0, arena)], 0));
}

#[test]
fn a_loop_updates_a_donated_buffer_in_place() {
    let _guard = alone();
    let strides = Shape::from(SHAPE).strides();
    let program = fovea_core::scalar::build(&[DType::F32; 2], |x| vec![&x[0] * &x[1] + 1.0]);
    let nest = LoopNest {
        shape: Shape::from(SHAPE),
        operands: vec![Operand::Tensor { slot: 0, strides, offset: 0 }, Operand::Scalar(0)],
        program,
        stores: vec![Store { output: 0, slot: 1, strides, offset: 0 }],
        reductions: Reductions::default(),
    };
    let plan = Arc::new(Plan {
        steps: vec![Step::Loop(nest)],
        slots: vec![slot(Home::External(0)), slot(Home::Output(0))],
        donations: vec![(0, 0)],
        externals: 1,
        outputs: 1,
        ..Plan::default()
    });
    let executable = CpuRuntime.compile(&plan).unwrap();
    for shared in [false, true] {
        let input = upload(&VALUES);
        let (before, other) = (address(&input), shared.then(|| input.clone()));
        let outputs = executable.run(vec![input], &[Datum::Float(3.0)]).map_err(|f| f.error).unwrap();
        assert_eq!(address(&outputs[0]) == before, !shared);
        let all = Layout::contiguous(Shape::from([6]));
        assert_eq!(read(&outputs[0], &all), VALUES.map(|v| v * 3.0 + 1.0));
        assert!(other.is_none_or(|other| read(&other, &all) == VALUES));
    }
}
