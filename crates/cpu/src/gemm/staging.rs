//! Operands and results whose neighbours lie apart, copied whole into an order that packing and storing go through in
//! runs: as the weights of convolutions `[K, C, h, w]`, of which a tap reads every `h · w`-th element.

use super::problem::{Access, Dim, Problem};
use crate::loops::copy_strided;
use fovea_core::contraction::Role;
use fovea_core::device::Threads;
use std::cmp::Reverse;

/// A loop that both ends of a copy go through.
#[derive(Clone, Copy, Debug)]
struct Step {
    size: usize,
    /// Elements by which an index moves in the source and in the target.
    from: isize,
    to: isize,
}

/// A copy from one order of loops to another.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    /// Of the source's first element, and of the target's.
    from: isize,
    to: isize,
    /// The two innermost last.
    steps: Vec<Step>,
    pub elements: usize,
}

/// Smaller operands and results are as quickly taken where they are.
const FEW: usize = 2048;
/// A loop of fewer indices is not worth being made the innermost.
const SHORT: usize = 8;
/// Elements for each thread from which on another one helps.
const SHARE: usize = 1 << 16;

impl Staging {
    fn new(from: isize, to: isize, steps: impl Iterator<Item = Step>) -> Staging {
        let mut steps: Vec<Step> = steps.filter(|step| step.size > 1).collect();
        let elements = steps.iter().map(|step| step.size).product();
        // As the source lies, but for the loop that is innermost in the target.
        steps.sort_by_key(|step| Reverse(step.from.unsigned_abs()));
        let mut merged: Vec<Step> = Vec::new();
        for step in steps {
            let size = step.size as isize;
            match merged.last_mut() {
                Some(last) if (last.from, last.to) == (step.from * size, step.to * size) => {
                    *last = Step { size: last.size * step.size, ..step };
                }
                _ => merged.push(step),
            }
        }
        if let Some(inner) = (0..merged.len().saturating_sub(1)).min_by_key(|&i| merged[i].to.unsigned_abs()) {
            let step = merged.remove(inner);
            merged.insert(merged.len() - 1, step);
        }
        Staging { from, to, steps: merged, elements }
    }

    /// An operand that is read by loops of role `outer`, and the access to it once it is copied; `None` where it is read
    /// in runs as it lies.
    pub fn of_operand(problem: &Problem, access: &Access, outer: Role) -> Option<(Staging, Access)> {
        if problem.empty || access.dims.iter().any(|dim| dim.is_checked(&problem.loops)) {
            return None;
        }
        let moving = |&i: &usize| problem.loops[i].size > 1 && access.stride(i) != 0;
        // A window's positions share elements, of which a copy would have many.
        let windowed =
            |dim: &Dim| dim.coefficients.iter().enumerate().filter(|(i, c)| **c != 0 && moving(i)).count() > 1;
        // Batch indices that are neighbours are computed together where each has one row or column.
        let lanes = |i: usize| problem.loops[i].role == Role::Batch && access.stride(i) == 1;
        let narrow = problem.extent(Role::Row).min(problem.extent(Role::Col)) == 1;
        if access.dims.iter().any(windowed) || (narrow && (0..problem.loops.len()).any(lanes)) {
            return None;
        }
        let of = |role: Role| (0..problem.loops.len()).filter(move |&i| problem.loops[i].role == role).filter(moving);
        let near = of(Role::Sum).next_back().into_iter().chain(of(outer));
        let inner = near.min_by_key(|&i| access.stride(i).unsigned_abs())?;
        if access.stride(inner).unsigned_abs() == 1 || problem.loops[inner].size < SHORT {
            return None;
        }
        let order = of(Role::Batch).chain(of(Role::Sum)).chain(of(outer)).filter(|&i| i != inner).chain([inner]);
        let mut strides = vec![0; problem.loops.len()];
        let mut elements = 1;
        for i in order.collect::<Vec<_>>().into_iter().rev() {
            strides[i] = elements as isize;
            elements *= problem.loops[i].size;
        }
        if elements < FEW {
            return None;
        }
        let start = access.start + access.dims.iter().map(|dim| dim.offset * dim.stride).sum::<isize>();
        let step = |i: usize| Step { size: problem.loops[i].size, from: access.stride(i), to: strides[i] };
        let steps = (0..strides.len()).filter(|&i| strides[i] != 0).map(step);
        let staging = Staging::new(start, 0, steps);
        let dims = (0..strides.len()).filter(|&i| strides[i] != 0).map(|i| {
            let mut coefficients = vec![0; strides.len()];
            coefficients[i] = 1;
            Dim::plain(coefficients, problem.loops[i].size, strides[i])
        });
        let access = Access { start: 0, dims: dims.collect() };
        Some((staging, access))
    }

    /// A result that is computed row-major over `sizes`, and lies at `start` with the given strides.
    pub fn of_result(start: isize, sizes_and_strides: &[(usize, isize)]) -> Option<Staging> {
        let elements: usize = sizes_and_strides.iter().map(|axis| axis.0).product();
        let mut from = elements as isize;
        let steps = sizes_and_strides.iter().map(|&(size, to)| {
            from /= size.max(1) as isize;
            Step { size, from, to }
        });
        (elements >= FEW).then(|| Staging::new(0, start, steps))
    }

    /// Copies all elements.
    ///
    /// # Safety
    /// Both ends hold the elements that the loops reach; they are apart, and nobody else uses the target.
    pub unsafe fn copy<T: Copy>(&self, source: *const T, target: *mut T, threads: &dyn Threads) {
        let (source, target) = (source.wrapping_offset(self.from), target.wrapping_offset(self.to));
        let one = Step { size: 1, from: 0, to: 0 };
        let (outer, rows, cols) = match self.steps[..] {
            [] => (&[][..], one, one),
            [cols] => (&[][..], one, cols),
            [ref outer @ .., rows, cols] => (outer, rows, cols),
        };
        let planes: usize = outer.iter().map(|step| step.size).product();
        // Rows are cut where there are too few planes to share.
        let parts = if planes >= 2 * threads.count() { 1 } else { rows.size.min(4 * threads.count()) };
        let piece = |index: usize| {
            let (mut rest, part) = (index / parts, index % parts);
            let (mut from, mut to) = (0, 0);
            for step in outer.iter().rev() {
                let i = (rest % step.size) as isize;
                rest /= step.size;
                (from, to) = (from + i * step.from, to + i * step.to);
            }
            let (first, end) = (rows.size * part / parts, rows.size * (part + 1) / parts);
            (from + first as isize * rows.from, to + first as isize * rows.to, end - first)
        };
        let ends = Ends(source.cast::<u8>(), target.cast::<u8>());
        let size = size_of::<T>();
        let work = |index: usize| {
            let Ends(source, target) = &ends;
            let (from, to, count) = piece(index);
            let bytes = size as isize;
            // SAFETY: by this function's contract; pieces are disjoint.
            unsafe {
                let (dst, src) = (target.wrapping_offset(to * bytes), source.wrapping_offset(from * bytes));
                copy_strided(size, dst, (rows.to, cols.to), src, (rows.from, cols.from), (count, cols.size));
            }
        };
        let pieces = planes * parts;
        if self.elements < SHARE || threads.count() == 1 {
            (0..pieces).for_each(work);
            return;
        }
        let tasks = pieces.min(4 * threads.count());
        threads.run(tasks, &|task| (pieces * task / tasks..pieces * (task + 1) / tasks).for_each(work));
    }
}

/// Both ends of a copy, as threads share them.
struct Ends(*const u8, *mut u8);

// SAFETY: threads read one end and write different elements of the other.
unsafe impl Sync for Ends {}
