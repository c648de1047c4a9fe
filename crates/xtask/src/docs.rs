//! `docs/ops.md`: the table of ops.

use crate::probe::{Gpu, Support, support};

use fovea_core::DType;
use fovea_core::attributes::camel;
use fovea_core::op::OpDef;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

const INTRODUCTION: &str = "<!-- Written by `npm run generate` from the op list; edits are overwritten. -->

# Ops

Every op of the native core, in the order of the list in `crates/ops/src/lib.rs`. Functions made of these (`transpose`,
`stack`, `norm`, …) are plain TypeScript and not listed.

- **Gradient**: how often an op can be differentiated. Ops without one (comparisons, rounding, indices) show a dash.
- **Dtypes**: what its main input may be. f64 exists on the CPU only.
- **CPU**: every op has a kernel there. **GPU**: *native*, or *fallback* where the value is copied to the CPU and back;
  *fallback in gradient* where only the gradient is.
- **Tested against**: whose results the committed fixtures hold; a dash where there are none. Gradients are checked
  against differences in f64 besides.

";

/// The ops whose results the fixture holds, as the list beside it says: `test/reference/ops.json`.
pub fn fixtures(root: &Path) -> BTreeSet<String> {
    let path = root.join("test/reference/ops.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let list: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    list["ops"].as_array().into_iter().flatten().filter_map(|op| op.as_str()).map(str::to_owned).collect()
}

/// The whole page.
pub fn table(ops: &[OpDef], fixtures: &BTreeSet<String>) -> String {
    let mut out = INTRODUCTION.to_owned();
    out.push_str("| Op | What it computes | Gradient | Dtypes | CPU | GPU | Tested against |\n");
    out.push_str("|---|---|---|---|---|---|---|\n");
    for op in ops {
        let found = support(op).unwrap_or_else(|e| panic!("{}: {e}", op.name));
        let against = if fixtures.contains(op.name) { "PyTorch" } else { "–" };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | native | {} | {against} |",
            camel(op.name),
            text(op.doc),
            gradient(&found),
            dtypes(&found.dtypes),
            gpu(found.gpu),
        );
    }
    out
}

fn gradient(found: &Support) -> &'static str {
    match found.gradient {
        0 => "–",
        1 => "first",
        _ => "first, second",
    }
}

fn gpu(gpu: Gpu) -> &'static str {
    match gpu {
        Gpu::Native => "native",
        Gpu::NativeForward => "fallback in gradient",
        Gpu::Fallback => "fallback",
    }
}

fn dtypes(list: &[DType]) -> String {
    match list {
        [] => "–".to_owned(),
        _ if list.len() == DType::ALL.len() => "all".to_owned(),
        _ => list.iter().map(|d| d.name()).collect::<Vec<_>>().join(", "),
    }
}

/// Documentation on one line of a table.
fn text(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
