//! S13 for layouts: images lie channels-last inside plans, nothing is copied between, and no bit changes.

use super::numbers;
use fovea_core::attributes::Float;
use fovea_core::device::{BufferRef, Device, Executable, Runtime};
use fovea_core::graph::Val;
use fovea_core::plan::{Operand, Plan, Step};
use fovea_core::{DType, Layout, Result};
use fovea_cpu::runtime::CpuRuntime;
use fovea_ops::contraction::{Conv2d, Matmul};
use fovea_ops::movement::{Concat, Pad, Permute};
use fovea_ops::pooling::{AvgPool2d, MaxPool2d};
use fovea_testkit::Session;
use fovea_testkit::reference::Verified;
use std::sync::{Arc, Mutex};

/// The CPU, with every plan that it was given.
pub struct Watched {
    runtime: Verified,
    pub plans: Mutex<Vec<Arc<Plan>>>,
}

impl Runtime for Watched {
    fn device(&self) -> Device {
        self.runtime.device()
    }
    fn channels_last(&self) -> bool {
        self.runtime.channels_last()
    }
    fn runs_bands(&self) -> bool {
        self.runtime.runs_bands()
    }
    fn compile(&self, plan: &Arc<Plan>) -> Result<Arc<dyn Executable>> {
        self.plans.lock().unwrap().push(plan.clone());
        self.runtime.compile(plan)
    }
    fn upload(&self, bytes: &[u8], dtype: DType) -> Result<BufferRef> {
        self.runtime.upload(bytes, dtype)
    }
    fn read(&self, buffer: &BufferRef, dtype: DType, layout: &Layout, target: &mut [u8]) -> Result<()> {
        self.runtime.read(buffer, dtype, layout, target)
    }
}

pub fn watched() -> (Arc<Watched>, Session) {
    let runtime = Arc::new(Watched { runtime: Verified(Arc::new(CpuRuntime)), plans: Mutex::default() });
    let session = Session::new(runtime.clone());
    (runtime, session)
}

fn conv(s: &mut Session, x: Val, channels: usize, inputs: usize) -> Result<Val> {
    let shape = [channels, inputs, 3, 3];
    let weight = s.leaf(DType::F32, shape, &numbers(channels * inputs * 9))?;
    let op = Conv2d { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
    s.apply(op, &[x, weight])
}

/// Convolutions with everything that keeps their layout between them; the loss, and the gradient of the first image.
fn network(s: &mut Session) -> Result<Vec<Vec<f64>>> {
    s.module_depth = 1;
    let image = s.parameter([2, 3, 12, 10], &numbers(720))?;
    let first = conv(s, image, 16, 3)?;
    let active = s.map(&[first], |v| v[0].max(&v[0].constant(0.25)))?;
    let pooled = s.apply(MaxPool2d { kernel_size: [3, 3], stride: [2, 2], padding: [1, 1] }, &[active])?;
    let second = conv(s, pooled, 16, 16)?;
    let joined = s.apply(Concat { dim: 1 }, &[pooled, second])?;
    let wide = s.apply(Pad { padding: vec![0, 0, 0, 0, 1, 1, 0, 1], value: Float(0.5) }, &[joined])?;
    let twos = AvgPool2d { kernel_size: [2, 2], stride: [0, 0], padding: [0, 0], count_include_pad: true };
    let small = s.apply(twos, &[wide])?;
    let third = conv(s, small, 12, 32)?;
    let squares = s.mul(third, third)?;
    let loss = s.sum(squares)?;
    s.backward(loss)?;
    let gradient = s.grad_of(image)?.expect("a gradient");
    s.run(&[loss, third, gradient])?;
    Ok(vec![s.read(loss)?, s.read(third)?, s.read(gradient)?])
}

fn is_last(shape: fovea_core::Shape, strides: fovea_core::shape::Strides) -> bool {
    Layout { shape, strides, offset: 0 }.is_channels_last()
}

#[test]
fn s13_images_stay_channels_last_between_convolutions_and_no_bit_changes() {
    let (runtime, mut last) = watched();
    let values = network(&mut last).unwrap();
    let (_, mut row_major) = watched();
    row_major.channels_last = false;
    assert_eq!(values, network(&mut row_major).unwrap());
    let plans = runtime.plans.lock().unwrap();
    let (mut pooled, mut stored) = (0, 0);
    for (step, label) in plans.iter().flat_map(|plan| plan.steps.iter().zip(&plan.labels)) {
        assert_ne!(label, "copy");
        match step {
            Step::Kernel(kernel) => {
                pooled += 1;
                assert!(kernel.output_layouts.iter().all(Layout::is_channels_last), "{label}");
            }
            Step::Loop(nest) if nest.shape.rank() == 4 && nest.shape[1] >= 12 => {
                for store in &nest.stores {
                    stored += 1;
                    assert!(is_last(nest.shape, store.strides), "{label} stores {}", nest.shape);
                }
            }
            _ => {}
        }
    }
    assert_eq!(pooled, 4, "both poolings and their gradients");
    assert!(stored >= 4, "{stored}");
}

#[test]
fn s13_a_product_that_is_seen_turned_is_written_turned() {
    let (runtime, mut s) = watched();
    s.module_depth = 1;
    let weight = s.parameter([40, 30], &numbers(1200)).unwrap();
    let x = s.leaf(DType::F32, [20, 30], &numbers(600)).unwrap();
    let turned = s.apply(Permute { dims: vec![1, 0] }, &[weight]).unwrap();
    let y = s.apply(Matmul {}, &[x, turned]).unwrap();
    let squares = s.mul(y, y).unwrap();
    let loss = s.sum(squares).unwrap();
    s.backward(loss).unwrap();
    let gradient = s.grad_of(weight).unwrap().unwrap();
    let scaled = s.map(&[gradient, weight], |v| &v[1] - &v[0] * 0.1).unwrap();
    let values = s.read(scaled).unwrap();
    assert_eq!(values.len(), 1200);
    let plans = runtime.plans.lock().unwrap();
    let loops = plans.iter().flat_map(|plan| &plan.steps).filter_map(|step| match step {
        Step::Loop(nest) if *nest.shape == [40, 30] => Some(nest),
        _ => None,
    });
    let mut reads = 0;
    for operand in loops.flat_map(|nest| &nest.operands) {
        if let Operand::Tensor { strides, .. } = operand {
            reads += 1;
            assert_eq!(strides[..2], [30, 1]);
        }
    }
    assert_eq!(reads, 2, "the gradient and the weight");
}
