//! Max pooling in plain ops.

use super::windows::{Windows, with_planes};
use crate::movement::{Pad, Slice};
use fovea_core::graph::primitives::Map;
use fovea_core::graph::{Build, Val};
use fovea_core::scalar::{Expr, Prim, build};
use fovea_core::{DType, Result, Shape};
use std::sync::Arc;

/// Place of what lies outside the plane.
const OUTSIDE: i64 = -1;

/// Both results of `max_pool2d`: the window's taps one after another as strided parts of the padded planes, each
/// beside its place.
pub(super) fn max_pool2d(cx: &mut Build<'_>, x: Val, windows: &Windows) -> Result<Vec<Val>> {
    let dtype = cx.dtype(x);
    let positions = Map::with_shape(
        "positions",
        Arc::new(build(&[DType::I32], |x| vec![x[0].positional(Prim::Index, DType::I32)])),
        Some(Shape::from(windows.input)),
    );
    let zero = cx.scalar(0.0, DType::I32);
    let positions = cx.apply_dyn(positions, &[zero])?;
    let x = padded(cx, x, windows, 0.0)?;
    let positions = padded(cx, positions, windows, OUTSIDE as f64)?;
    let inputs = [dtype, DType::I32, dtype, DType::I32];
    let value = Map::new("larger", build(&inputs, |v| vec![beats(v).select(&v[2], &v[0])]));
    let place = Map::new("place of the larger", build(&inputs, |v| vec![beats(v).select(&v[3], &v[1])]));
    let mut best: Option<[Val; 2]> = None;
    for row in 0..windows.size[0] {
        for col in 0..windows.size[1] {
            let next = tap(cx, x, windows, row, col)?;
            let at = tap(cx, positions, windows, row, col)?;
            best = Some(match best {
                None => [next, at],
                Some([old, old_at]) => {
                    let both = [old, old_at, next, at];
                    [cx.apply_dyn(value.clone(), &both)?, cx.apply_dyn(place.clone(), &both)?]
                }
            });
        }
    }
    let Some([value, place]) = best else { return Ok(Vec::new()) };
    let shape = cx.shape(value);
    let place = cx.apply(crate::movement::Expand::to(shape), &[place])?;
    Ok(vec![value, place])
}

/// Whether the tap `v[2]` at `v[3]` takes the place of the best so far, `v[0]` at `v[1]`: padding never does, the first
/// NaN does, and whatever lies in the plane takes the place of padding.
fn beats(v: &[Expr]) -> Expr {
    let outside = v[1].lt(&v[1].constant(0.0));
    let inside = v[3].ge(&v[3].constant(0.0));
    let larger = !v[2].le(&v[0]) & v[0].eq(&v[0]);
    inside & (outside | larger)
}

fn padded(cx: &mut Build<'_>, x: Val, windows: &Windows, value: f64) -> Result<Val> {
    if windows.padding == [0, 0] {
        return Ok(x);
    }
    let leading = cx.shape(x).rank() - 2;
    let mut padding = vec![0; 2 * leading];
    padding.extend(windows.padding.iter().flat_map(|&p| [p, p]));
    cx.apply(Pad { padding, value: fovea_core::attributes::Float(value) }, &[x])
}

/// Tap (row, col) of every window.
fn tap(cx: &mut Build<'_>, x: Val, windows: &Windows, row: usize, col: usize) -> Result<Val> {
    let shape = cx.shape(x);
    let leading = shape.rank() - 2;
    let mut starts = vec![0; leading];
    starts.extend([row as i64, col as i64]);
    let mut steps = vec![1; leading];
    steps.extend(windows.stride.map(|s| s as i64));
    cx.apply(Slice { starts, lengths: with_planes(shape, windows.output).to_vec(), steps }, &[x])
}
