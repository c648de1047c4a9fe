//! Runs every op's samples on a device and prints what it supports.

use fovea_core::DType;
use fovea_core::device::Runtime;
use fovea_cpu::runtime::CpuRuntime;
use fovea_gpu::GpuRuntime;
use fovea_testkit::conformance::{Row, failed, named, report, summary, table};
use std::process::ExitCode;
use std::sync::Arc;

const USAGE: &str = "usage: conformance [--device cpu|gpu] [--op NAME]... [--json]
  --device   where the samples run; cpu when left out
  --op       only this op, such as hardswish; may be given several times
  --json     the last line holds the counts as JSON";

fn main() -> ExitCode {
    let (mut device, mut json, mut only) = ("cpu".to_owned(), false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--device" => device = arguments.next().unwrap_or_default(),
            "--op" => only.push(arguments.next().unwrap_or_default()),
            "--json" => json = true,
            "--help" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("unknown option {other}\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match rows(&device, &only) {
        Ok(rows) => {
            print!("{}", table(&rows));
            let failed = failed(&rows);
            println!("{} ops, {failed} failed cases", rows.len());
            if json {
                println!("{}", summary(&rows));
            }
            ExitCode::from(u8::from(failed > 0))
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn rows(device: &str, only: &[String]) -> Result<Vec<Row>, String> {
    let ops = named(fovea_ops::all(), only)?;
    let cpu: Arc<dyn Runtime> = Arc::new(CpuRuntime);
    let result = match device {
        "cpu" => report(&cpu, &[DType::F32, DType::F64], || 0, &ops),
        "gpu" => {
            let gpu = Arc::new(GpuRuntime::open_with(cpu).map_err(|e| e.to_string())?);
            println!("{}", gpu.description().name);
            let runtime: Arc<dyn Runtime> = gpu.clone();
            // f64 exists on the CPU only.
            report(&runtime, &[DType::F32], || gpu.counters().fallbacks, &ops)
        }
        other => return Err(format!("--device must be cpu or gpu, not {other:?}")),
    };
    result.map_err(|e| e.to_string())
}
