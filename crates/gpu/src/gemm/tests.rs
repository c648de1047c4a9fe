//! Every tile configuration on the device, whatever the shapes would choose.

use super::TILES;
use crate::compile::compile;
use crate::context::Gpu;
use crate::execute::GpuPlan;
use crate::transfer;
use fovea_core::contraction::{Contraction, Coord, Loop, Role};
use fovea_core::device::{BufferRef, Executable};
use fovea_core::plan::{Home, Plan, Slot, Step, View};
use fovea_core::shape::Layout;
use fovea_core::{DType, Shape};
use std::io::Write;
use std::sync::Arc;

fn gpu() -> Option<Arc<Gpu>> {
    match Gpu::open() {
        Ok(gpu) => Some(gpu),
        Err(e) => {
            assert!(std::env::var_os("FOVEA_REQUIRE_GPU").is_none_or(|v| v != "1"), "FOVEA_REQUIRE_GPU=1, but {e}");
            // Not eprintln, which the test runner keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "skipped: {e}");
            None
        }
    }
}

/// out[m, n] = Σ a[m, k] b[k, n + k mod 2 - 1], the last a coordinate that leaves `b` on one side.
fn plan(m: usize, n: usize, k: usize) -> Arc<Plan> {
    let role = |size, role| Loop { size, role };
    let contraction = Contraction {
        loops: vec![role(m, Role::Row), role(n, Role::Col), role(k, Role::Sum), role(2, Role::Sum)],
        a: vec![Coord::index(0), Coord::index(2), Coord::index(3)],
        b: vec![Coord::index(2), Coord { terms: vec![(1, 1), (3, 1)], offset: -1, divisor: 1 }],
        out: vec![0, 1],
    };
    let slot = |elements, home| Slot { dtype: DType::F32, elements, home };
    let view = |slot, dims: &[usize]| View { slot, layout: Layout::contiguous(Shape::new(dims)) };
    Arc::new(Plan {
        steps: vec![Step::Contract { contraction, a: view(0, &[m, k, 2]), b: view(1, &[k, n]), out: 2 }],
        labels: vec!["matmul".into()],
        origins: vec![0],
        slots: vec![slot(m * k * 2, Home::External(0)), slot(k * n, Home::External(1)), slot(m * n, Home::Output(0))],
        externals: 2,
        outputs: 1,
        ..Plan::default()
    })
}

fn expected(a: &[f32], b: &[f32], m: usize, n: usize, k: usize) -> Vec<f32> {
    let mut out = vec![0.0f32; m * n];
    for i in 0..m {
        for l in 0..k {
            let [left, here] = [0, 1].map(|s| a[(i * k + l) * 2 + s]);
            for j in 0..n {
                let before = if j == 0 { 0.0 } else { b[l * n + j - 1] };
                out[i * n + j] += left * before + here * b[l * n + j];
            }
        }
    }
    out
}

#[test]
fn every_tile_agrees() {
    let Some(gpu) = gpu() else { return };
    for tile in TILES {
        for (m, n, k) in [(128, 128, 8), (131, 70, 9), (3, 5, 40), (20, 20, 900)] {
            let value = |i: usize| ((i * 7919) % 1009) as f32 / 504.5 - 1.0;
            let a: Vec<f32> = (0..m * k * 2).map(value).collect();
            let b: Vec<f32> = (0..k * n).map(|i| value(i + 31)).collect();
            let plan = plan(m, n, k);
            let executable = GpuPlan::new(&gpu, None, compile(&plan, None, Some(tile)).unwrap()).unwrap();
            let upload = |v: &[f32]| -> BufferRef {
                let bytes: Vec<u8> = v.iter().flat_map(|x| x.to_le_bytes()).collect();
                let buffer = transfer::upload(&gpu, &bytes, DType::F32).unwrap();
                Arc::new(crate::buffers::TensorBuffer::Device(Arc::new(buffer)))
            };
            let outputs = executable.run(vec![upload(&a), upload(&b)], &[]).map_err(|f| f.error).unwrap();
            let crate::buffers::TensorBuffer::Device(buffer) = crate::buffers::tensor(&outputs[0]).unwrap() else {
                panic!("f32 lies on the device")
            };
            let mut bytes = vec![0; m * n * 4];
            transfer::read(&gpu, buffer, DType::F32, &Layout::contiguous(Shape::from([m * n])), &mut bytes).unwrap();
            let expected = expected(&a, &b, m, n, k);
            let largest = expected.iter().fold(0.0f32, |l, v| l.max(v.abs()));
            for (i, (g, e)) in bytes.as_chunks::<4>().0.iter().zip(&expected).enumerate() {
                let g = f32::from_le_bytes(*g);
                assert!((g - e).abs() <= 1e-5 * largest, "{tile:?} {m}x{n}x{k} element {i}: {g}, expected {e}");
            }
        }
    }
}
