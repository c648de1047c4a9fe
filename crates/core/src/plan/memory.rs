//! Where each slot lives: arena offsets by liveness, and outputs that may take over an external's buffer.

use super::ir::{Band, Home, Operand, Plan, Step};
use super::layout::{is_dense, same_walk};
use super::segment::Segment;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Alignment of arena offsets, enough for vector loads and for GPU bindings.
const ALIGNMENT: usize = 256;

/// First and last step that touch each slot.
fn lifetimes(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; plan.slots.len()];
    for (s, step) in plan.steps.iter().enumerate() {
        each_slot(step, |slot| {
            let life = lives[slot].get_or_insert((s, s));
            life.1 = s;
        });
    }
    lives
}

fn each_slot(step: &Step, mut visit: impl FnMut(usize)) {
    match step {
        Step::Loop(nest) => {
            for operand in &nest.operands {
                if let Operand::Tensor { slot, .. } = operand {
                    visit(*slot);
                }
            }
            nest.stores.iter().for_each(|s| visit(s.slot));
            nest.reductions.items.iter().for_each(|r| visit(r.slot));
        }
        Step::Contract { a, b, out, .. } => {
            visit(a.slot);
            visit(b.slot);
            visit(*out);
        }
        Step::Kernel(kernel) => {
            kernel.inputs.iter().for_each(|v| visit(v.slot));
            kernel.outputs.iter().flatten().for_each(|&s| visit(s));
        }
    }
}

/// Free ranges of an arena that grows at its end.
#[derive(Default)]
struct Arena {
    /// Size of the free range at each offset; no two touch.
    free: BTreeMap<usize, usize>,
    /// The same ranges as (size, offset).
    by_size: BTreeSet<(usize, usize)>,
    end: usize,
}

impl Arena {
    fn insert(&mut self, offset: usize, size: usize) {
        self.free.insert(offset, size);
        self.by_size.insert((size, offset));
    }

    fn remove(&mut self, offset: usize, size: usize) {
        self.free.remove(&offset);
        self.by_size.remove(&(size, offset));
    }

    /// A range from the free one that fits best, or from the end.
    fn take(&mut self, size: usize) -> usize {
        if let Some(&(found, offset)) = self.by_size.range((size, 0)..).next() {
            self.remove(offset, found);
            if found > size {
                self.insert(offset + size, found - size);
            }
            return offset;
        }
        let offset = match self.free.last_key_value() {
            Some((&offset, &length)) if offset + length == self.end => {
                self.remove(offset, length);
                offset
            }
            _ => self.end,
        };
        self.end = offset + size;
        offset
    }

    fn give_back(&mut self, mut offset: usize, mut size: usize) {
        if let Some((&before, &length)) = self.free.range(..offset).next_back()
            && before + length == offset
        {
            self.remove(before, length);
            (offset, size) = (before, length + size);
        }
        if let Some(&length) = self.free.get(&(offset + size)) {
            self.remove(offset + size, length);
            size += length;
        }
        self.insert(offset, size);
    }
}

/// Gives every arena slot its offset and lists donations.
pub(crate) fn assign(plan: &mut Plan, segment: &Segment, reuse: bool) {
    let steps = lifetimes(plan);
    let mut lives = steps.clone();
    // The loops of a band run in turn, so that all that they touch is alive from the first to the last.
    for life in lives.iter_mut().flatten() {
        for band in plan.bands.iter().map(Band::steps) {
            if band.contains(&life.0) {
                life.0 = band.start;
            }
            if band.contains(&life.1) {
                life.1 = band.end - 1;
            }
        }
    }
    let mut order: Vec<(usize, usize, usize)> = lives
        .iter()
        .enumerate()
        .filter(|(slot, _)| matches!(plan.slots[*slot].home, Home::Arena(_)))
        .filter_map(|(slot, life)| life.map(|(first, last)| (first, last, slot)))
        .collect();
    order.sort_unstable();
    let mut arena = Arena::default();
    // What is alive, by its last step: (step, offset, size).
    let mut alive: BinaryHeap<Reverse<(usize, usize, usize)>> = BinaryHeap::new();
    for (first, last, slot) in order {
        let size = (plan.slots[slot].elements * plan.slots[slot].dtype.size()).div_ceil(ALIGNMENT).max(1) * ALIGNMENT;
        while let Some(&Reverse((until, offset, length))) = alive.peek()
            && until < first
        {
            alive.pop();
            arena.give_back(offset, length);
        }
        let offset = arena.take(size);
        if reuse {
            alive.push(Reverse((last, offset, size)));
        }
        plan.slots[slot].home = Home::Arena(offset);
    }
    plan.arena_bytes = arena.end;
    if reuse {
        donate(plan, segment, &steps);
    }
}

/// Finds outputs that can be written over an external that their step reads for the last time.
fn donate(plan: &mut Plan, segment: &Segment, lives: &[Option<(usize, usize)>]) {
    let mut given = vec![false; plan.externals];
    for (s, step) in plan.steps.iter().enumerate() {
        let Step::Loop(nest) = step else { continue };
        if !nest.reductions.items.is_empty() {
            continue;
        }
        for store in &nest.stores {
            let Home::Output(output) = plan.slots[store.slot].home else { continue };
            let first_write = lives[store.slot].is_some_and(|(first, _)| first == s);
            if !first_write || store.offset != 0 || !is_dense(&nest.shape, &store.strides) {
                continue;
            }
            let candidates = nest.operands.iter().filter_map(|operand| {
                let Operand::Tensor { slot, strides, offset } = *operand else { return None };
                let Home::External(external) = plan.slots[slot].home else { return None };
                let fits = plan.slots[slot].dtype.size() == plan.slots[store.slot].dtype.size()
                    && plan.slots[slot].elements == plan.slots[store.slot].elements
                    && same_walk(&nest.shape, &strides, &store.strides)
                    && offset == store.offset;
                let last_read = lives[slot].is_some_and(|(_, last)| last == s) && !read_beside(plan, s, slot);
                let alone = nest
                    .operands
                    .iter()
                    .filter(|o| matches!(o, Operand::Tensor { slot: other, .. } if *other == slot))
                    .count()
                    == 1;
                (fits && last_read && alone && !given[external]).then_some(external)
            });
            // The first of the likeliest to be free.
            if let Some(external) = candidates.min_by_key(|&e| !segment.externals[e].superseded) {
                given[external] = true;
                plan.donations.push((output, external));
            }
        }
    }
}

/// Whether another loop of the band that step `s` belongs to reads the slot: rows that are still to come would find it
/// overwritten.
fn read_beside(plan: &Plan, s: usize, slot: usize) -> bool {
    let mut others = plan.bands.iter().map(Band::steps).filter(|band| band.contains(&s)).flatten().filter(|&o| o != s);
    others.any(|other| {
        let mut touches = false;
        each_slot(&plan.steps[other], |touched| touches |= touched == slot);
        touches
    })
}
