//! Every op's samples on one device against PyTorch's fixture, and the table of what it supports.

use crate::Reference;
use crate::fixtures::Fixtures;
use crate::samples::{Case, Mode, Outcome, Typed, run};
use fovea_core::device::Runtime;
use fovea_core::op::OpDef;
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
            if let Err(complaint) = one(runtime, &fixtures, case, &mut row) {
                row.failed.push(format!("{}: {complaint}", case.name()));
            }
        }
        row.native = fallbacks() == before;
        row
    });
    Ok(rows.collect())
}

fn one(runtime: &Arc<dyn Runtime>, fixtures: &Fixtures, case: &Case, row: &mut Row) -> std::result::Result<(), String> {
    let outcome = run(runtime, case, Mode { arranged: true, ..Mode::FUSED }, 2).map_err(|e| e.to_string())?;
    for dtype in outcome.values.iter().map(|v| v.0.dtype) {
        if !row.dtypes.contains(&dtype) {
            row.dtypes.push(dtype);
        }
    }
    let error = if fixtures.covers(case) {
        let compared = fixtures.compare(case, &outcome, 2)?;
        compared.errors.into_iter().fold(0.0, f64::max)
    } else {
        let naive: Arc<dyn Runtime> = Reference::new();
        let wanted = run(&naive, case, Mode::PLAIN, 2).map_err(|e| e.to_string())?;
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
