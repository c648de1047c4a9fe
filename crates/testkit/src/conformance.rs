//! Every op's samples on one device against PyTorch's fixture, and the table of what it supports.

use crate::Reference;
use crate::fixtures::Fixtures;
use crate::samples::{Case, Mode, Outcome, Typed, run};
use fovea_core::device::Runtime;
use fovea_core::op::{OpDef, TensorType};
use fovea_core::{DType, Result};
use std::fmt::Write as _;
use std::sync::Arc;

/// How many of an op's (or all) cases agree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub op: &'static str,
    /// Cases: samples, each in every float type that the device has.
    pub samples: usize,
    /// Cases whose values agree with the fixture, or with the naive runtime where PyTorch has no twin.
    pub parity: usize,
    /// Cases with gradients, which agree.
    pub gradients: usize,
    /// Cases with second-order gradients, which agree.
    pub second: usize,
    /// The dtypes of results.
    pub dtypes: Vec<DType>,
    /// The largest relative error of a value or gradient that agrees.
    pub error: f64,
    /// Whether the fixture holds it.
    pub fixture: bool,
    /// Whether all values and gradients were computed by the device's own kernels.
    pub native: bool,
    /// What went wrong: case and complaint.
    pub failed: Vec<String>,
}

/// Runs the samples of every op in `floats`. `fallbacks` tells how many steps the device has left to another so far.
///
/// # Errors
/// The fixture can't be read.
pub fn report(
    runtime: &Arc<dyn Runtime>,
    floats: &[DType],
    fallbacks: impl Fn() -> u64,
    ops: &[OpDef],
) -> Result<Vec<Row>> {
    let fixtures = Fixtures::load()?;
    let rows = ops.iter().map(|def| {
        let before = fallbacks();
        let mut row = Row { op: def.name, fixture: fixtures.has(def.name), ..Row::default() };
        for case in Case::of(def).iter().filter(|case| floats.contains(&case.float)) {
            row.samples += 1;
            let order = if floats.contains(&DType::F64) || !yields_f64(case) { 2 } else { 0 };
            if let Err(complaint) = one(runtime, &fixtures, case, order, &mut row) {
                row.failed.push(format!("{}: {complaint}", case.name()));
            }
        }
        row.native = fallbacks() == before;
        row
    });
    Ok(rows.collect())
}

/// Whether a result is f64, whatever the inputs are. A device without f64 leaves it to the CPU, but takes no incoming
/// gradient of that dtype.
fn yields_f64(case: &Case) -> bool {
    let inputs: Vec<TensorType> = (0..case.sample.inputs.len()).map(|i| case.input_type(i)).collect();
    case.sample.op.infer(&inputs).is_ok_and(|outputs| outputs.iter().any(|ty| ty.dtype == DType::F64))
}

fn one(
    runtime: &Arc<dyn Runtime>,
    fixtures: &Fixtures,
    case: &Case,
    order: usize,
    row: &mut Row,
) -> std::result::Result<(), String> {
    let outcome = run(runtime, case, Mode { arranged: true, ..Mode::FUSED }, order).map_err(|e| e.to_string())?;
    for dtype in outcome.values.iter().map(|v| v.0.dtype) {
        if !row.dtypes.contains(&dtype) {
            row.dtypes.push(dtype);
        }
    }
    let error = if fixtures.covers(case) {
        let compared = fixtures.compare(case, &outcome, order)?;
        compared.errors.into_iter().fold(0.0, f64::max)
    } else {
        let naive: Arc<dyn Runtime> = Reference::new();
        let wanted = run(&naive, case, Mode::PLAIN, order).map_err(|e| e.to_string())?;
        let (error, complaint) = outcome.errors(&wanted, case).map_err(|e| e.to_string())?;
        complaint.map_or(Ok(error), Err)?
    };
    let there = |list: &[Option<Typed>]| usize::from(list.iter().any(Option::is_some));
    let Outcome { gradients, second, .. } = &outcome;
    (row.parity, row.gradients, row.second) =
        (row.parity + 1, row.gradients + there(gradients), row.second + there(second));
    row.error = row.error.max(error);
    Ok(())
}

/// Those of `ops` that are called one of `names`, as Rust or as TypeScript writes them; all where there are no names.
///
/// # Errors
/// There is no such op; the sentence names those that come nearest.
pub fn named(mut ops: Vec<OpDef>, names: &[String]) -> std::result::Result<Vec<OpDef>, String> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    for name in names {
        let wanted = plain(name);
        if !ops.iter().any(|op| plain(op.name) == wanted) {
            let near: Vec<&str> = ops.iter().map(|op| op.name).filter(|n| alike(&plain(n), &wanted)).collect();
            let near = if near.is_empty() { String::new() } else { format!(" (is it {}?)", near.join(" or ")) };
            return Err(format!("there is no op {name:?}{near}; docs/ops.md lists them"));
        }
    }
    ops.retain(|op| names.is_empty() || names.iter().any(|name| plain(name) == plain(op.name)));
    Ok(ops)
}

/// Whether two names begin with the same four letters.
fn alike(a: &str, b: &str) -> bool {
    a.len() > 3 && a.as_bytes().get(..4) == b.as_bytes().get(..4)
}

/// The table in words.
pub fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "{:<24}{:>8}{:>8}{:>11}{:>8}  {:<10}{:>10}  {:<10}results\n",
        "op", "samples", "agree", "gradients", "second", "against", "max error", "kernels"
    );
    for row in rows {
        let dtypes: Vec<&str> = row.dtypes.iter().map(|d| d.name()).collect();
        let _ = writeln!(
            out,
            "{:<24}{:>8}{:>8}{:>11}{:>8}  {:<10}{:>10.1e}  {:<10}{}",
            row.op,
            row.samples,
            row.parity,
            row.gradients,
            row.second,
            if row.fixture { "PyTorch" } else { "reference" },
            row.error,
            if row.native { "native" } else { "fallback" },
            dtypes.join(" ")
        );
    }
    for complaint in rows.iter().flat_map(|row| &row.failed) {
        let _ = writeln!(out, "failed: {complaint}");
    }
    out
}

/// Counts of everything: ops, native and fallback in ops, the rest in cases.
pub fn summary(rows: &[Row]) -> String {
    let sum = |count: fn(&Row) -> usize| rows.iter().map(count).sum::<usize>();
    format!(
        r#"{{"ops":{},"samples":{},"parity":{},"gradients":{},"secondOrder":{},"native":{},"fallback":{},"failed":{}}}"#,
        rows.len(),
        sum(|r| r.samples),
        sum(|r| r.parity),
        sum(|r| r.gradients),
        sum(|r| r.second),
        sum(|r| usize::from(r.native)),
        sum(|r| usize::from(!r.native)),
        failed(rows)
    )
}

/// How many cases failed.
pub fn failed(rows: &[Row]) -> usize {
    rows.iter().map(|row| row.failed.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> std::result::Result<Vec<&'static str>, String> {
        let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
        named(fovea_ops::all(), &asked).map(|ops| ops.iter().map(|op| op.name).collect())
    }

    #[test]
    fn ops_are_found_by_their_names_in_both_languages() {
        assert_eq!(names(&["max_pool2d", "logSoftmax"]).unwrap(), ["max_pool2d", "log_softmax"]);
        assert_eq!(names(&[]).unwrap().len(), fovea_ops::all().len());
    }

    #[test]
    fn an_unknown_op_is_an_error_that_names_its_neighbours() {
        let error = names(&["relu", "hardswich"]).unwrap_err();
        assert_eq!(
            error,
            "there is no op \"hardswich\" (is it hardswish or hardsigmoid or hardtanh?); docs/ops.md lists them"
        );
        assert_eq!(names(&["x"]).unwrap_err(), "there is no op \"x\"; docs/ops.md lists them");
    }
}
