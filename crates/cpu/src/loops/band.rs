//! Loops that run part by part: each takes a few rows before the first goes on, so that what one leaves for the next,
//! or reads after it, is in a cache. What no other step reads is kept in a thread's own memory and never leaves it.

use super::ahead::{Ahead, Region};
use super::{CompiledLoop, part, scratch, tasks};
use fovea_core::device::{Alone, Datum, Threads};
use fovea_core::plan::{Band, Home, LoopNest, Operand, Plan, SlotId, Step};
use fovea_core::{Error, Result};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Bytes that the rows of a part should touch: half of a small second-level cache.
const PART_BYTES: usize = 256 << 10;
/// Parts that a band is cut into at least, so that threads are done at about the same time.
const PARTS: usize = 16;
/// Most bytes of a part for which the next part is asked for meanwhile: both have to stay in the cache.
const MOST_AHEAD: usize = 448 << 10;
/// Rows that reductions take at the same time; parts of this many rows or more are multiples of it.
const ABREAST: usize = 4;

/// A band made ready to run any number of times, also from several threads at once.
#[derive(Debug)]
pub struct CompiledBand {
    loops: Vec<Rows>,
    /// Slots that only these loops touch.
    locals: Vec<Local>,
    /// What a part touches in memory, and the blocks that it takes.
    regions: Vec<Strip>,
    blocks: usize,
    /// Rows in all, and of a part.
    extent: usize,
    rows: usize,
    /// Elements of a part, for the decision on threads.
    work: usize,
}

/// One loop of a band.
#[derive(Debug)]
struct Rows {
    whole: CompiledLoop,
    /// For the last part, where it is smaller.
    rest: Option<CompiledLoop>,
}

/// A slot that lives in a thread's memory.
#[derive(Debug)]
struct Local {
    slot: SlotId,
    /// Bytes of a row.
    stride: usize,
    /// Where it starts in the thread's memory.
    start: usize,
}

/// The rows of a part in a slot: runs of `row` bytes each, `step` bytes apart.
#[derive(Debug)]
struct Strip {
    slot: SlotId,
    row: usize,
    step: usize,
    runs: usize,
}

/// Memory that a loop touches: slot, element step along the rows, and whether it writes.
fn touched(nest: &LoopNest, axis: usize) -> Vec<(SlotId, isize, bool)> {
    let results = nest.result_strides();
    let operands = nest.operands.iter().filter_map(|operand| match *operand {
        Operand::Tensor { slot, strides, .. } => Some((slot, strides[axis], false)),
        _ => None,
    });
    let stores = nest.stores.iter().map(|s| (s.slot, s.strides[axis], true));
    operands.chain(stores).chain(nest.reductions.items.iter().map(|item| (item.slot, results[axis], true))).collect()
}

impl CompiledBand {
    /// Lowers the loops of `band`; `streamed` as for [`CompiledLoop::compile`].
    pub fn compile(plan: &Plan, band: &Band, streamed: &[SlotId]) -> Result<CompiledBand> {
        let mut nests: Vec<(LoopNest, usize)> = Vec::with_capacity(band.axes.len());
        for (step, axes) in band.steps().zip(&band.axes) {
            let Some(Step::Loop(nest)) = plan.steps.get(step) else { return Err(invalid("a step that is no loop")) };
            let nest = nest.merged(axes).ok_or_else(|| invalid("rows that don't merge"))?;
            if nest.shape.get(axes.start) != Some(&band.extent) || nest.program.is_positional() {
                return Err(invalid("a loop over other rows"));
            }
            nests.push((nest, axes.start));
        }
        let all: Vec<(SlotId, isize, bool)> = nests.iter().flat_map(|(nest, axis)| touched(nest, *axis)).collect();
        let size = |slot: SlotId| plan.slots[slot].dtype.size();
        let mut slots: Vec<SlotId> = all.iter().map(|t| t.0).collect();
        slots.sort_unstable();
        slots.dedup();
        let row_bytes: usize = slots
            .iter()
            .filter(|&&slot| all.iter().any(|t| t.0 == slot && t.1 != 0) && !streamed.contains(&slot))
            .map(|&slot| plan.slots[slot].elements * size(slot) / band.extent)
            .sum();
        let rows = rows_of_part(band.extent, row_bytes);
        let mut start = 0;
        let mut locals = Vec::new();
        for &slot in slots.iter().filter(|&&slot| is_local(plan, band, slot)) {
            let mut strides = all.iter().filter(|t| t.0 == slot).map(|t| t.1);
            let Some(stride) = strides.next().filter(|&s| s > 0) else { continue };
            // Rows one after another, and every loop's own.
            if strides.any(|s| s != stride) || (stride as usize).saturating_mul(band.extent) < plan.slots[slot].elements
            {
                continue;
            }
            let stride = stride as usize * size(slot);
            locals.push(Local { slot, stride, start });
            start += (stride * rows).next_multiple_of(64);
        }
        let here = |slot: SlotId| locals.iter().any(|l: &Local| l.slot == slot);
        // Asked for from the last one on: what is read before what is only written.
        let is_read = |slot: SlotId| all.iter().any(|t| t.0 == slot && !t.2);
        slots.sort_by_key(|&slot| is_read(slot));
        let ahead = row_bytes * rows <= MOST_AHEAD;
        slots.retain(|&slot| !here(slot) && ahead && !streamed.contains(&slot));
        // Loops with much to compute leave memory the most time, the more the less they ask for already.
        let mut asked: Vec<Vec<SlotId>> = vec![Vec::new(); nests.len()];
        for &slot in &slots {
            let touches = |nest: &LoopNest, axis: usize| touched(nest, axis).iter().any(|t| t.0 == slot && t.1 > 1);
            let candidates = (0..nests.len()).filter(|&i| touches(&nests[i].0, nests[i].1));
            let best = candidates.max_by_key(|&i| nests[i].0.program.instrs.len() * 16 / (1 + asked[i].len()));
            if let Some(best) = best {
                asked[best].push(slot);
            }
        }
        let mut loops: Vec<Rows> = Vec::with_capacity(nests.len());
        for ((nest, axis), asked) in nests.iter().zip(&asked) {
            let of = |rows: usize| CompiledLoop::compile_rows(nest, *axis, rows, asked, &plan.slots, streamed);
            let rest = band.extent % rows;
            let rest = if rest == 0 { None } else { Some(of(rest)?) };
            loops.push(Rows { whole: of(rows)?, rest });
        }
        let regions = slots
            .iter()
            .filter(|&&slot| !loops.iter().any(|l| l.whole.asks(slot)))
            .filter_map(|&slot| {
                let mut strides = all.iter().filter(|t| t.0 == slot).map(|t| t.1);
                let stride = strides.next().filter(|&s| s > 1 && strides.all(|t| t == s))? as usize;
                let step = stride * band.extent;
                let runs = plan.slots[slot].elements / step;
                Some(Strip { slot, row: stride * size(slot), step: step * size(slot), runs })
            })
            .collect();
        let work = nests.iter().map(|(nest, _)| nest.shape.size() / band.extent * rows).sum();
        let blocks = loops.iter().map(|l| l.whole.blocks()).sum();
        Ok(CompiledBand { loops, locals, regions, blocks, extent: band.extent, rows, work })
    }

    /// Loops of the band.
    pub fn steps(&self) -> usize {
        self.loops.len()
    }

    /// Runs the band; adds the nanoseconds that each loop took to `times`, where they are asked for.
    ///
    /// # Safety
    /// As [`CompiledLoop::run`] for each loop; and no two slots that the band touches share memory, except that a store
    /// may go over an operand of the same loop that no other loop of the band touches.
    pub unsafe fn run(&self, slots: &[*mut u8], data: &[Datum], threads: &dyn Threads, times: Option<&[AtomicU64]>) {
        let parts = self.extent.div_ceil(self.rows);
        let tasks = tasks(parts, self.work * parts, threads);
        let shared = super::Shared(slots);
        let bytes = self.locals.last().map_or(0, |l| (l.start + l.stride * self.rows).next_multiple_of(64));
        let body = |task: usize| {
            scratch::with(bytes, |memory| {
                let mut slots: SmallVec<[*mut u8; 64]> = SmallVec::from_slice(shared.pointers());
                let own = part(parts, tasks, task);
                let end = own.end;
                for index in own {
                    let row = index * self.rows;
                    let next = row + self.rows;
                    let rows = if index + 1 < end { self.rows.min(self.extent - next) } else { 0 };
                    let region = |strip: &Strip| Region {
                        start: slots[strip.slot].wrapping_add(next * strip.row),
                        run: rows * strip.row,
                        step: strip.step,
                        runs: strip.runs,
                    };
                    Ahead::set(self.regions.iter().map(region), self.blocks * 3 / 4);
                    for local in &self.locals {
                        slots[local.slot] = memory.wrapping_add(local.start).wrapping_sub(row * local.stride);
                    }
                    for (i, rows) in self.loops.iter().enumerate() {
                        let fewer = row + self.rows > self.extent;
                        let code = rows.rest.as_ref().filter(|_| fewer).unwrap_or(&rows.whole);
                        let start = times.map(|_| Instant::now());
                        // SAFETY: the caller's; parts are disjoint, and this thread's memory stands for the rows of
                        // its part in slots that nobody else touches.
                        unsafe { code.run_rows(&slots, data, &Alone, row) };
                        if let (Some(times), Some(start)) = (times, start) {
                            times[i].fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
                        }
                    }
                }
            });
        };
        if tasks == 1 { body(0) } else { threads.run(tasks, &body) }
    }
}

fn invalid(what: &str) -> Error {
    Error::internal(format!("a band has {what}"))
}

/// Rows of a part: a divisor of all rows where there is one about the size that is wanted.
fn rows_of_part(extent: usize, row_bytes: usize) -> usize {
    let wanted = (PART_BYTES / row_bytes.max(1)).min(extent.div_ceil(PARTS)).max(1);
    if wanted < ABREAST {
        return wanted;
    }
    let multiples = || (wanted / 2..=wanted).rev().filter(|rows| rows % ABREAST == 0);
    multiples().find(|rows| extent.is_multiple_of(*rows)).or_else(|| multiples().next()).unwrap_or(wanted)
}

/// Whether only loops of the band touch the slot.
fn is_local(plan: &Plan, band: &Band, slot: SlotId) -> bool {
    matches!(plan.slots[slot].home, Home::Arena(_))
        && plan.steps.iter().enumerate().all(|(s, step)| {
            band.steps().contains(&s)
                || match step {
                    Step::Loop(nest) => touched(nest, 0).iter().all(|t| t.0 != slot),
                    Step::Contract { a, b, out, .. } => ![a.slot, b.slot, *out].contains(&slot),
                    Step::Kernel(kernel) => {
                        kernel.inputs.iter().all(|view| view.slot != slot)
                            && kernel.outputs.iter().flatten().all(|&out| out != slot)
                    }
                }
        })
}
