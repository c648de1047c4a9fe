//! Every op's samples on the GPU against the CPU, in f32.

use fovea_core::DType;
use fovea_core::device::Runtime;
use fovea_cpu::runtime::CpuRuntime;
use fovea_gpu::GpuRuntime;
use fovea_testkit::samples::{Case, Mode, run};
use std::io::Write as _;
use std::sync::Arc;

fn gpu() -> Option<Arc<dyn Runtime>> {
    match GpuRuntime::open_with(Arc::new(CpuRuntime)) {
        Ok(gpu) => Some(Arc::new(gpu)),
        Err(e) => {
            assert!(std::env::var_os("FOVEA_REQUIRE_GPU").is_none_or(|v| v != "1"), "FOVEA_REQUIRE_GPU=1, but {e}");
            // Not eprintln, which the test runner keeps to itself when a test passes.
            let _ = writeln!(std::io::stderr(), "skipped: {e}");
            None
        }
    }
}

#[test]
fn the_gpu_computes_what_the_cpu_does() {
    let Some(gpu) = gpu() else { return };
    let cpu: Arc<dyn Runtime> = Arc::new(CpuRuntime);
    let mode = Mode { arranged: true, ..Mode::FUSED };
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for case in Case::all(&fovea_ops::all()).iter().filter(|case| case.float == DType::F32) {
        let result = run(&gpu, case, mode, 0).and_then(|got| got.errors(&run(&cpu, case, mode, 0)?, case));
        match result {
            Ok((_, None)) => compared += 1,
            Ok((_, Some(complaint))) => wrong.push(format!("{}: {complaint}", case.name())),
            Err(e) => wrong.push(format!("{}: {e}", case.name())),
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 1000, "{compared} cases");
}
