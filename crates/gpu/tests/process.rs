//! What needs a process of its own: no adapter, software adapters refused, leaving in mid-step.

mod harness;

use fovea_core::DType;
use fovea_core::Shape;
use fovea_core::device::Runtime;
use fovea_core::error::ErrorKind;
use fovea_core::plan::{LoopNest, Reductions, Step};
use fovea_core::scalar::build;
use fovea_gpu::{ALLOW_SOFTWARE, GpuRuntime};
use harness::{Builder, open, store, whole};
use std::process::{Command, Output};

/// Runs one of the ignored tests below in a process with other environment variables.
fn child(test: &str, environment: &[(&str, Option<&str>)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap()
}

fn assert_passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
}

#[test]
fn without_drivers_the_error_says_what_to_do() {
    let nowhere = Some("/nonexistent/driver.json");
    assert_passed(&child("opens_nothing", &[("VK_DRIVER_FILES", nowhere), ("VK_ICD_FILENAMES", nowhere)]));
}

#[test]
#[ignore = "run by without_drivers_the_error_says_what_to_do"]
fn opens_nothing() {
    if GpuRuntime::devices().iter().any(|d| d.backend != "vulkan") {
        return; // Metal and DirectX 12 need no such files.
    }
    let error = GpuRuntime::open().err().expect("no driver, no device");
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().starts_with("no GPU: ") && error.to_string().contains("use the CPU"), "{error}");
}

#[test]
fn software_adapters_are_refused_by_default() {
    assert_passed(&child("refuses_software", &[(ALLOW_SOFTWARE, None)]));
}

#[test]
#[ignore = "run by software_adapters_are_refused_by_default"]
fn refuses_software() {
    let devices = GpuRuntime::devices();
    assert!(devices.iter().all(|d| d.kind != "software" || !d.chosen));
    if !devices.is_empty() && devices.iter().all(|d| d.kind == "software") {
        let error = GpuRuntime::open().err().expect("only software adapters");
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains(&devices[0].name) && error.to_string().contains(ALLOW_SOFTWARE), "{error}");
    }
}

#[test]
fn leaving_in_mid_step_is_clean() {
    for _ in 0..3 {
        assert_passed(&child("leaves_in_mid_step", &[]));
    }
}

#[test]
#[ignore = "run by leaving_in_mid_step_is_clean"]
fn leaves_in_mid_step() {
    static KEPT: std::sync::OnceLock<GpuRuntime> = std::sync::OnceLock::new();
    let Some(gpu) = open() else { return };
    let gpu = KEPT.get_or_init(|| gpu);
    let shape = Shape::from([1 << 22]);
    let mut b = Builder::default();
    let (x, y) = (b.external(DType::F32, 1 << 22), b.output(DType::F32, 1 << 22));
    b.step(Step::Loop(LoopNest {
        shape,
        operands: vec![whole(x, shape)],
        program: build(&[DType::F32], |x| vec![x[0].exp().tanh().erf()]),
        stores: vec![store(0, y, shape)],
        reductions: Reductions::default(),
    }));
    let executable = gpu.compile(&b.build()).unwrap();
    let input = gpu.upload(&vec![0; 4 << 22], DType::F32).unwrap();
    let kept: Vec<_> = (0..3).map(|_| executable.run(vec![input.clone()], &[]).map_err(|f| f.error).unwrap()).collect();
    std::mem::forget(kept);
    std::process::exit(0);
}
