//! Writes everything that is derived from the op list.
//!
//! - `generate` writes `ts/generated` and `docs/ops.md`; with `--check` it writes nothing and fails where one is stale.
//! - `describe` prints the op list as JSON: numbers, names, documentation, inputs, attributes.
//! - `samples` prints every op's samples with their values as JSON, for the scripts that make fixtures.

mod describe;
mod docs;
mod files;
mod json;
mod probe;
mod samples;
mod typescript;

use fovea_core::op::OpDef;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo run -p xtask -- generate [--check] | describe | samples";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ops = fovea_ops::all();
    let result = match arguments[..] {
        ["generate"] => files::write(&root(), &generated(&ops)),
        ["generate", "--check"] => files::check(&root(), &generated(&ops)),
        ["describe"] => json::print(&describe::describe(&ops)),
        ["samples"] => json::print(&samples::samples(&ops)),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Every generated file: its path from the repository's root, and its text.
fn generated(ops: &[OpDef]) -> Vec<(&'static str, String)> {
    let mut files = typescript::files(ops);
    files.push(("docs/ops.md", docs::table(ops, &docs::fixtures(&root()))));
    files
}

/// The repository's root: two folders above this crate, as cargo tells it, or the working directory.
fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    manifest.ancestors().nth(2).unwrap_or(Path::new("")).to_path_buf()
}
