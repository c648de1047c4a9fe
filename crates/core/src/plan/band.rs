//! Neighbouring loops that may run part by part: a few rows go through all of them before the next rows begin, so that
//! what one loop leaves for the next is still in a cache.
//!
//! Softmax is the model: maximum, sum of exponentials and quotient are loops over the same rows, and no row needs
//! anything of another. A band has one dimension in each of its loops, the rows, along which part `i` of a loop reads of
//! what the band writes only what part `i` of the loops before has written. Which elements a sum takes, and in which
//! order, is not touched by that: reductions along the rows stay outside (S13).

use super::ir::{Band, LoopNest, Operand, Plan, SlotId, Step};
use crate::shape::{Shape, Strides};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Which bands are worth it.
#[derive(Clone, Copy, Debug)]
pub struct BandLimits {
    /// The fewest rows: below this there is too little for several threads.
    pub rows: usize,
    /// Bands that touch less than this many bytes have them in a cache anyway.
    pub bytes: usize,
    /// The fewest neighbouring bytes of a row that are worth a memory access.
    pub run: usize,
}

impl BandLimits {
    pub const NORMAL: BandLimits = BandLimits { rows: 16, bytes: 256 << 10, run: 2048 };
    /// Every band that there may be, to test that no result depends on it.
    pub const NONE: BandLimits = BandLimits { rows: 2, bytes: 0, run: 0 };
}

/// The most that one part may touch: it has to stay in a second-level cache.
const LARGEST_PART: usize = 1 << 20;
/// Steps after a band's first one that are looked at.
const WINDOW: usize = 32;

/// How a slot is cut into parts: part `i` of `extent` has the elements whose index divided by `stride`, modulo `extent`,
/// is `i`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cut {
    stride: isize,
    extent: usize,
}

impl LoopNest {
    /// The nest with neighbouring dimensions as one; `None` where strides don't allow it, or where only some of them
    /// are reduced.
    pub fn merged(&self, axes: &Range<usize>) -> Option<LoopNest> {
        let reduced = self.reductions.axes.iter().filter(|a| axes.contains(a)).count();
        if axes.is_empty() || (reduced != 0 && reduced != axes.len()) {
            return None;
        }
        let extent: usize = self.shape[axes.clone()].iter().product();
        let shape: Shape = self.shape[..axes.start]
            .iter()
            .copied()
            .chain([extent])
            .chain(self.shape[axes.end..].iter().copied())
            .collect();
        let merge = |strides: &Strides| -> Option<Strides> {
            let mut out: Strides = [0; crate::shape::MAX_RANK];
            out[..axes.start].copy_from_slice(&strides[..axes.start]);
            let mut inner: Option<(isize, usize)> = None;
            for axis in axes.clone().rev().filter(|&a| self.shape[a] != 1) {
                match inner {
                    Some((stride, size)) if strides[axis] != stride * size as isize => return None,
                    Some((stride, size)) => inner = Some((stride, size * self.shape[axis])),
                    None => inner = Some((strides[axis], self.shape[axis])),
                }
            }
            out[axes.start] = inner.map_or(0, |(stride, _)| stride);
            let rest = self.shape.rank() - axes.end;
            out[axes.start + 1..axes.start + 1 + rest].copy_from_slice(&strides[axes.end..axes.end + rest]);
            Some(out)
        };
        let mut nest = LoopNest { shape, ..self.clone() };
        for operand in &mut nest.operands {
            if let Operand::Tensor { strides, .. } = operand {
                *strides = merge(strides)?;
            }
        }
        for store in &mut nest.stores {
            store.strides = merge(&store.strides)?;
        }
        let fewer = axes.len() - 1;
        nest.reductions.axes.retain(|a| !axes.contains(a) || *a == axes.start);
        nest.reductions.axes.iter_mut().filter(|a| **a >= axes.end).for_each(|a| *a -= fewer);
        Some(nest)
    }

    /// Where reductions write, for each dimension: row-major over those that are kept.
    pub fn result_strides(&self) -> Strides {
        let mut strides = [0; crate::shape::MAX_RANK];
        let mut step = 1;
        for axis in (0..self.shape.rank()).rev().filter(|axis| !self.reductions.axes.contains(axis)) {
            strides[axis] = step;
            step *= self.shape[axis] as isize;
        }
        strides
    }

    /// Whether the elements that strides reach from `offset` on are cut along `axis` as the nest's parts are.
    fn is_cut(&self, axis: usize, strides: &Strides, offset: usize) -> bool {
        let (stride, extent) = (strides[axis], self.shape[axis]);
        let mut inside = 0;
        for d in (0..self.shape.rank()).filter(|&d| d != axis && self.shape[d] > 1 && strides[d] != 0) {
            if strides[d] < 0 {
                return false;
            }
            if strides[d] % (stride * extent as isize).max(1) != 0 {
                inside += strides[d] * (self.shape[d] as isize - 1);
            }
        }
        stride > 0 && offset == 0 && inside < stride
    }
}

/// A nest as a band may take it.
struct Member {
    step: usize,
    axes: Range<usize>,
    nest: LoopNest,
}

/// A band that grows.
struct Growing<'a> {
    plan: &'a Plan,
    limits: BandLimits,
    extent: usize,
    members: Vec<Member>,
    /// How slots that members touch are cut; `None` for those that parts share.
    cuts: FxHashMap<SlotId, Option<Cut>>,
    written: Vec<SlotId>,
}

/// A step's place beside a band.
enum Side {
    In(Box<Member>),
    Before,
    After,
}

/// Finds bands, and moves steps that lie between their loops before or behind them.
pub(super) fn find(plan: &mut Plan, limits: BandLimits) {
    let mut at = 0;
    while at < plan.steps.len() {
        match band(plan, at, limits) {
            Some((order, band)) => {
                permute(plan, at, &order);
                at = band.first + band.axes.len();
                plan.bands.push(band);
            }
            None => at += 1,
        }
    }
}

/// The steps from `from` on in the order of `order`.
fn permute(plan: &mut Plan, from: usize, order: &[usize]) {
    let reordered = |list: &mut Vec<Step>| {
        let mut taken: Vec<Option<Step>> = list.drain(from..from + order.len()).map(Some).collect();
        let tail = list.split_off(from);
        list.extend(order.iter().filter_map(|&s| taken[s - from].take()));
        list.extend(tail);
    };
    reordered(&mut plan.steps);
    let labels: Vec<String> = order.iter().map(|&s| plan.labels[s].clone()).collect();
    plan.labels.splice(from..from + order.len(), labels);
    let origins: Vec<u32> = order.iter().map(|&s| plan.origins[s]).collect();
    plan.origins.splice(from..from + order.len(), origins);
}

/// The band whose first loop is step `first`, and the order of the steps from there on that it asks for.
fn band(plan: &Plan, first: usize, limits: BandLimits) -> Option<(Vec<usize>, Band)> {
    let Step::Loop(nest) = &plan.steps[first] else { return None };
    if nest.reductions.items.is_empty() || nest.program.is_positional() || nest.shape.size() < limits.rows {
        return None;
    }
    leading(nest).into_iter().find_map(|axes| {
        let merged = nest.merged(&axes)?;
        let extent = merged.shape[axes.start];
        let mut growing =
            Growing { plan, limits, extent, members: Vec::new(), cuts: FxHashMap::default(), written: Vec::new() };
        if extent < limits.rows || !growing.fits(&merged, axes.start) {
            return None;
        }
        growing.add(Member { step: first, axes, nest: merged });
        growing.finish(first)
    })
}

/// Ranges of kept dimensions, each from the first kept one on, the longest first.
fn leading(nest: &LoopNest) -> Vec<Range<usize>> {
    let kept = |axis: &usize| !nest.reductions.axes.contains(axis);
    let Some(start) = (0..nest.shape.rank()).find(|a| kept(a) && nest.shape[*a] != 1) else { return Vec::new() };
    let end = (start..nest.shape.rank()).find(|a| !kept(a)).unwrap_or(nest.shape.rank());
    (start + 1..=end).rev().map(|end| start..end).collect()
}

impl Growing<'_> {
    /// Whether the nest writes parts along `axis`, and reads of what the band wrote only parts.
    fn fits(&self, nest: &LoopNest, axis: usize) -> bool {
        let cut = |strides: &Strides| Cut { stride: strides[axis], extent: self.extent };
        let reads = nest.operands.iter().all(|operand| match operand {
            Operand::Tensor { slot, strides, offset } if self.written.contains(slot) => {
                nest.is_cut(axis, strides, *offset) && self.cuts.get(slot) == Some(&Some(cut(strides)))
            }
            _ => true,
        });
        let stores = nest.stores.iter().all(|s| nest.is_cut(axis, &s.strides, s.offset));
        let results = nest.reductions.items.is_empty() || nest.is_cut(axis, &nest.result_strides(), 0);
        // Results of a part lie side by side only where no kept dimension is further out.
        let outer = |a: usize| nest.shape[a] > 1 && !nest.reductions.axes.contains(&a);
        let first = nest.reductions.items.is_empty() || !(0..axis).any(outer);
        reads && stores && results && first && !nest.reductions.axes.contains(&axis)
    }

    fn add(&mut self, member: Member) {
        let (nest, axis) = (&member.nest, member.axes.start);
        let results = nest.result_strides();
        let stores = nest.stores.iter().map(|s| (s.slot, s.strides));
        let written: Vec<(SlotId, Strides)> =
            stores.chain(nest.reductions.items.iter().map(|item| (item.slot, results))).collect();
        for operand in &nest.operands {
            if let Operand::Tensor { slot, strides, offset } = *operand {
                let cut = nest.is_cut(axis, &strides, offset);
                let cut = cut.then_some(Cut { stride: strides[axis], extent: self.extent });
                let known = self.cuts.entry(slot).or_insert(cut);
                if *known != cut {
                    *known = None;
                }
            }
        }
        for (slot, strides) in written {
            self.cuts.insert(slot, Some(Cut { stride: strides[axis], extent: self.extent }));
            self.written.push(slot);
        }
        self.members.push(member);
    }

    /// Takes in what follows, as far as it is worth it.
    fn finish(mut self, first: usize) -> Option<(Vec<usize>, Band)> {
        let plan = self.plan;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        // What steps that stay behind the band write.
        let mut later: Vec<SlotId> = Vec::new();
        let mut end = first + 1;
        while end < plan.steps.len().min(first + WINDOW) {
            let Step::Loop(nest) = &plan.steps[end] else { break };
            match self.side(end, nest, &later) {
                Side::In(member) => self.add(*member),
                Side::Before => before.push(end),
                Side::After => {
                    after.push(end);
                    later.extend(written(nest));
                }
            }
            end += 1;
        }
        self.drop_idle(&mut after);
        // What follows the last loop stays where it is.
        let last = self.members.last()?.step;
        before.retain(|&s| s < last);
        after.retain(|&s| s < last);
        after.sort_unstable();
        if !self.is_worth_it() {
            return None;
        }
        let steps = self.members.iter().map(|m| m.step);
        let order: Vec<usize> = before.iter().copied().chain(steps).chain(after).collect();
        let axes = self.members.iter().map(|m| m.axes.clone()).collect();
        Some((order, Band { first: first + before.len(), axes, extent: self.extent }))
    }

    fn side(&self, step: usize, nest: &LoopNest, later: &[SlotId]) -> Side {
        let slots = || {
            nest.operands.iter().filter_map(|o| if let Operand::Tensor { slot, .. } = o { Some(*slot) } else { None })
        };
        if slots().any(|s| later.contains(&s)) || written(nest).any(|s| later.contains(&s) || self.written.contains(&s))
        {
            return Side::After;
        }
        let depends = slots().any(|s| self.written.contains(&s));
        let known = slots().any(|s| matches!(self.cuts.get(&s), Some(Some(_))));
        if known && !nest.program.is_positional() {
            for axes in ranges(nest, self.extent) {
                let Some(merged) = nest.merged(&axes) else { continue };
                let shares = |operand: &Operand| match operand {
                    Operand::Tensor { slot, strides, offset } => {
                        merged.is_cut(axes.start, strides, *offset)
                            && self.cuts.get(slot)
                                == Some(&Some(Cut { stride: strides[axes.start], extent: self.extent }))
                    }
                    _ => false,
                };
                if self.fits(&merged, axes.start) && merged.operands.iter().any(shares) {
                    return Side::In(Box::new(Member { step, axes, nest: merged }));
                }
            }
        }
        if depends { Side::After } else { Side::Before }
    }

    /// Puts small loops that no other loop of the band reads behind it.
    fn drop_idle(&mut self, after: &mut Vec<usize>) {
        let mut needed: Vec<SlotId> = Vec::new();
        let mut kept = Vec::with_capacity(self.members.len());
        while let Some(member) = self.members.pop() {
            let large = member.nest.shape.size() > self.extent;
            if large || written(&member.nest).any(|s| needed.contains(&s)) {
                needed.extend(member.nest.operands.iter().filter_map(|o| match o {
                    Operand::Tensor { slot, .. } => Some(*slot),
                    _ => None,
                }));
                kept.push(member);
            } else {
                after.push(member.step);
            }
        }
        kept.reverse();
        self.members = kept;
    }

    /// Whether loops share enough memory, and parts of it lie together and fit a cache.
    fn is_worth_it(&self) -> bool {
        let mut touched: FxHashMap<SlotId, usize> = FxHashMap::default();
        for member in &self.members {
            let mut own: Vec<SlotId> = written(&member.nest).collect();
            own.extend(member.nest.operands.iter().filter_map(|o| match o {
                Operand::Tensor { slot, .. } => Some(*slot),
                _ => None,
            }));
            own.sort_unstable();
            own.dedup();
            own.into_iter().for_each(|slot| *touched.entry(slot).or_default() += 1);
        }
        let bytes = |slot: SlotId| self.plan.slots[slot].elements * self.plan.slots[slot].dtype.size();
        let part = |slot: SlotId| match self.cuts.get(&slot) {
            Some(Some(_)) => bytes(slot) / self.extent,
            _ => bytes(slot),
        };
        let together = |slot: SlotId| match self.cuts.get(&slot) {
            Some(Some(cut)) => {
                let size = self.plan.slots[slot].dtype.size();
                let outermost = cut.stride as usize * self.extent >= self.plan.slots[slot].elements;
                outermost || cut.stride as usize * size >= self.limits.run
            }
            _ => true,
        };
        let all: usize = touched.keys().map(|&slot| bytes(slot)).sum();
        let one: usize = touched.keys().map(|&slot| part(slot)).sum();
        let shared = touched.iter().any(|(&slot, &n)| n > 1 && self.plan.slots[slot].elements >= 4 * self.extent);
        self.members.len() > 1
            && shared
            && all >= self.limits.bytes
            && one <= LARGEST_PART
            && touched.keys().all(|&slot| together(slot))
    }
}

fn written(nest: &LoopNest) -> impl Iterator<Item = SlotId> + '_ {
    nest.stores.iter().map(|s| s.slot).chain(nest.reductions.items.iter().map(|r| r.slot))
}

/// Neighbouring dimensions of `extent` elements in all, without unit ones at their ends.
fn ranges(nest: &LoopNest, extent: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let large = |a: usize| nest.shape[a] != 1;
    (0..nest.shape.rank())
        .filter(move |&a| large(a))
        .flat_map(move |start| (start..nest.shape.rank()).filter(move |&end| large(end)).map(move |end| start..end + 1))
        .filter(move |axes| nest.shape[axes.clone()].iter().product::<usize>() == extent)
}
