//! Whole slices read and added at places: what `index_select`, `index_add` and the embedding share.

use super::places::{Accumulate, Slice, Slices};
use crate::parallel;
use fovea_core::device::{Element, Threads};

/// `out[o, k] = from[o, places[k]]` for slices of `length` elements.
pub(super) fn select<T: Element>(
    threads: &dyn Threads,
    from: &Slices<'_, T>,
    places: &[usize],
    length: usize,
    out: &mut [T],
) {
    parallel::each(threads, out, length, length, |i, out| {
        from.get(i / places.len(), places[i % places.len()]).zip(out, |to, v| *to = v);
    });
}

/// The result of an addition: `outer` times `rows` slices of `length` elements.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub outer: usize,
    pub rows: usize,
    pub length: usize,
}

/// `out[o, r] = start(o, r) + Σ source(o, k)` over the k with `places[k] = r`, in ascending k. Threads share out the
/// rows, so that the order of additions is always the same.
pub(super) fn add<'s, T: Accumulate>(
    threads: &dyn Threads,
    out: &mut [T],
    target: Target,
    places: &[usize],
    start: impl Fn(usize, usize, &mut [T]) + Sync,
    source: impl Fn(usize, usize) -> Slice<'s, T> + Sync,
) {
    let Target { outer, rows, length } = target;
    // With many outer indices a part is all rows of one; otherwise the rows are divided.
    let share = if outer > 1 { rows } else { rows.div_ceil(threads.count().max(1)).max(1) };
    let work = share * length + places.len() * length * share / rows.max(1);
    parallel::each(threads, out, share * length, work, |i, out| {
        let (o, first) = if outer > 1 { (i, 0) } else { (0, i * share) };
        for (r, out) in out.chunks_exact_mut(length).enumerate() {
            start(o, first + r, out);
        }
        let end = first + out.len() / length;
        for (k, place) in places.iter().enumerate().filter(|(_, p)| (first..end).contains(p)) {
            let at = (place - first) * length;
            source(o, k).zip(&mut out[at..at + length], |to, v| *to = to.plus(v));
        }
    });
}
