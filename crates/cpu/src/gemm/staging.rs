//! Operands and results whose neighbours lie apart, copied whole into an order that packing and storing go through in
//! runs: as the weights of convolutions `[K, C, h, w]`, of which a tap reads every `h · w`-th element.

use super::problem::{Access, Dim, Problem};
use crate::loops::copy_strided;
use fovea_core::contraction::Role;
use fovea_core::device::Threads;
use std::cmp::Reverse;
use std::mem::MaybeUninit;

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

    /// An operand of one matrix whose columns are a loop of role `outer`, copied into panels of `width` of them: all terms
    /// of the first panel, term by term, then those of the next. `None` where panels would not be whole.
    pub fn of_panels(problem: &Problem, access: &Access, outer: Role, width: usize) -> Option<Staging> {
        if problem.empty || access.dims.iter().any(|dim| dim.is_checked(&problem.loops)) {
            return None;
        }
        let moving = |&i: &usize| problem.loops[i].size > 1;
        let of = |role: Role| (0..problem.loops.len()).filter(move |&i| problem.loops[i].role == role).filter(moving);
        let columns = of(outer).next().filter(|_| of(outer).count() == 1 && of(Role::Batch).next().is_none())?;
        let (count, column) = (problem.loops[columns].size, access.stride(columns));
        if !count.is_multiple_of(width) || column == 0 || of(Role::Sum).any(|i| access.stride(i) == 0) {
            return None;
        }
        let mut term = width as isize;
        let mut steps = Vec::new();
        for i in of(Role::Sum).collect::<Vec<_>>().into_iter().rev() {
            steps.push(Step { size: problem.loops[i].size, from: access.stride(i), to: term });
            term *= problem.loops[i].size as isize;
        }
        steps.push(Step { size: count / width, from: column * width as isize, to: term });
        steps.push(Step { size: width, from: column, to: 1 });
        let start = access.start + access.dims.iter().map(|dim| dim.offset * dim.stride).sum::<isize>();
        let mut staging = Staging::new(start, 0, steps.into_iter());
        // Panel by panel, since lines of many panels would be written in turn.
        let inner = staging.steps.len().saturating_sub(2);
        if let Some(panels) = staging.steps[..inner].iter().position(|step| step.to == term) {
            staging.steps[..=panels].rotate_right(1);
        }
        (staging.elements >= FEW).then_some(staging)
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
        let turns = Turns::of(&self.steps);
        let one = Step { size: 1, from: 0, to: 0 };
        // The loops around, the one that threads share, and the one or two inside.
        let (outer, cut, cols) = match (turns, &self.steps[..]) {
            (Some(Turns { up, .. }), steps) => (&steps[..steps.len() - 3], up, one),
            (None, []) => (&[][..], one, one),
            (None, &[cols]) => (&[][..], one, cols),
            (None, [outer @ .., rows, cols]) => (outer, *rows, *cols),
        };
        let planes: usize = outer.iter().map(|step| step.size).product();
        let parts = if planes >= 2 * threads.count() { 1 } else { cut.size.min(4 * threads.count()) };
        let piece = |index: usize| {
            let (mut rest, part) = (index / parts, index % parts);
            let (mut from, mut to) = (0, 0);
            for step in outer.iter().rev() {
                let i = (rest % step.size) as isize;
                rest /= step.size;
                (from, to) = (from + i * step.from, to + i * step.to);
            }
            let (first, end) = (cut.size * part / parts, cut.size * (part + 1) / parts);
            (from + first as isize * cut.from, to + first as isize * cut.to, end - first)
        };
        let ends = Ends(source, target);
        let work = |index: usize| {
            let Ends(source, target) = &ends;
            let (from, to, count) = piece(index);
            let (source, target) = (source.wrapping_offset(from), target.wrapping_offset(to));
            // SAFETY: by this function's contract; pieces are disjoint.
            unsafe {
                match turns {
                    Some(turns) => turns.copy(source, target, count),
                    None => {
                        let (steps, sizes) = ((cut.to, cols.to), (count, cols.size));
                        copy_strided(size_of::<T>(), target.cast(), steps, source.cast(), (cut.from, cols.from), sizes);
                    }
                }
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

/// The three innermost loops where two are one run of the source, whose elements lie apart in the target,
/// and the other is a run of the target: a block is turned in the first-level cache, and its rows go to their places.
#[derive(Clone, Copy)]
struct Turns {
    up: Step,
    lanes: Step,
    last: Step,
}

impl Turns {
    /// Elements of the block, and lanes that it is for.
    const BLOCK: usize = 4096;
    const LANES: usize = 32;

    fn of(steps: &[Step]) -> Option<Turns> {
        let &[.., up, lanes, last] = steps else { return None };
        let fits = last.size * Turns::LANES <= Turns::BLOCK;
        (last.from == 1 && up.from == last.size as isize && lanes.to == 1 && fits).then_some(Turns { up, lanes, last })
    }

    /// Copies `count` indices of the upper loop.
    ///
    /// # Safety
    /// As for [`Staging::copy`].
    unsafe fn copy<T: Copy>(&self, source: *const T, target: *mut T, count: usize) {
        let Turns { up, lanes, last } = *self;
        let mut block = [MaybeUninit::<T>::uninit(); Turns::BLOCK];
        let block = block.as_mut_ptr().cast::<T>();
        let ups = Turns::BLOCK / (last.size * Turns::LANES);
        for lane in (0..lanes.size).step_by(Turns::LANES) {
            let width = Turns::LANES.min(lanes.size - lane);
            for first in (0..count).step_by(ups) {
                let run = ups.min(count - first) * last.size;
                let source = source.wrapping_offset(lane as isize * lanes.from + first as isize * up.from);
                // SAFETY: by contract; the block has room for `run` rows of `width`.
                unsafe {
                    let steps = ((width as isize, 1), (1, lanes.from));
                    copy_strided(size_of::<T>(), block.cast(), steps.0, source.cast(), steps.1, (run, width));
                    for element in 0..run {
                        let (i, j) = ((first + element / last.size) as isize, (element % last.size) as isize);
                        let target = target.wrapping_offset(lane as isize + i * up.to + j * last.to);
                        std::ptr::copy_nonoverlapping(block.add(element * width).cast_const(), target, width);
                    }
                }
            }
        }
    }
}

/// Both ends of a copy, as threads share them.
struct Ends<T>(*const T, *mut T);

// SAFETY: threads read one end and write different elements of the other.
unsafe impl<T> Sync for Ends<T> {}
