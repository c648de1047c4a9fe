//! One measured case: leaves, and what is recorded over them in each round.

use criterion::{Criterion, Throughput};
use fovea_core::graph::Val;
use fovea_core::op::DynOp;
use fovea_core::{DType, Result};
use fovea_cpu::runtime::CpuRuntime;
use fovea_ops::movement::Permute;
use fovea_testkit::Session;
use std::sync::Arc;

/// What a kernel reads.
#[derive(Clone, Copy)]
pub enum Leaf<'a> {
    /// f32 between −1 and 1.
    Floats(&'a [usize]),
    /// f32 that gradients flow to.
    Parameter(&'a [usize]),
    /// f32 above 0, for logarithms and roots.
    Positive(&'a [usize]),
    /// i32 from 0 to below a number, in no order.
    Places(&'a [usize], usize),
    /// f32 of four dimensions.
    Planes([usize; 4]),
    /// Images [N, C, H, W] that lie channels-last.
    Images([usize; 4]),
    /// A matrix that lies transposed.
    Turned([usize; 2]),
}

impl Leaf<'_> {
    fn make(self, s: &mut Session) -> Result<Val> {
        let spread = |shape: &[usize]| (0..shape.iter().product::<usize>()).map(|i| (i * 7919 % 10_007) as f64);
        let floats = |shape: &[usize]| spread(shape).map(|v| v / 5000.0 - 1.0).collect::<Vec<f64>>();
        match self {
            Leaf::Floats(shape) => s.leaf(DType::F32, shape, &floats(shape)),
            Leaf::Planes(shape) => s.leaf(DType::F32, shape, &floats(&shape)),
            Leaf::Parameter(shape) => s.parameter(shape, &floats(shape)),
            Leaf::Positive(shape) => {
                s.leaf(DType::F32, shape, &spread(shape).map(|v| v / 5000.0 + 0.01).collect::<Vec<_>>())
            }
            Leaf::Places(shape, below) => {
                let places: Vec<f64> = spread(shape).map(|v| v % below as f64).collect();
                s.leaf(DType::I32, shape, &places)
            }
            Leaf::Images([n, c, h, w]) => {
                let lying = s.leaf(DType::F32, [n, h, w, c], &floats(&[n, h, w, c]))?;
                s.apply(Permute { dims: vec![0, 3, 1, 2] }, &[lying])
            }
            Leaf::Turned([rows, columns]) => {
                let lying = s.leaf(DType::F32, [columns, rows], &floats(&[columns, rows]))?;
                s.apply(Permute { dims: vec![1, 0] }, &[lying])
            }
        }
    }
}

/// Measures `record` as `group/case`; every round computes what it returns.
pub fn case(
    c: &mut Criterion,
    name: &str,
    work: Throughput,
    leaves: &[Leaf<'_>],
    record: impl Fn(&mut Session, &[Val]) -> Result<Vec<Val>>,
) {
    let (group, case) = name.split_once('/').expect("a name of two parts");
    let mut made: Option<(Session, Vec<Val>)> = None;
    let mut group = c.benchmark_group(group);
    group.throughput(work).bench_function(case, |bencher| {
        let (session, inputs) = made.get_or_insert_with(|| {
            let mut session = Session::new(Arc::new(CpuRuntime));
            let inputs = leaves.iter().map(|leaf| leaf.make(&mut session)).collect::<Result<_>>();
            (session, inputs.expect("leaves of sound shapes"))
        });
        bencher.iter(|| {
            let round = session.scope(|s| {
                let results = record(s, inputs)?;
                s.run(&results)?;
                Ok(vec![])
            });
            round.expect("the kernel runs");
        });
    });
    group.finish();
}

/// Measures one op with all its results; `bytes` it must move at least.
pub fn op(c: &mut Criterion, name: &str, bytes: usize, leaves: &[Leaf<'_>], op: impl DynOp + 'static) {
    let op: Arc<dyn DynOp> = Arc::new(op);
    case(c, name, Throughput::Bytes(bytes as u64), leaves, |s, x| s.record_dyn(&op, x));
}
