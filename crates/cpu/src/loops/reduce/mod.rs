//! Nests with reductions.
//!
//! Two ways to walk the same [`tree`]: `inner` runs along the reduced elements, sixteen lanes at a time; `outer` runs
//! across kept elements that lie side by side, with sixteen rows of partial results. Both give the same bits.

mod fold;
mod inner;
mod monoid;
mod outer;
pub mod tree;
mod walk;

use super::code::{Cell, Code, Policy, Source};
use super::elementwise::LONG_ROW;
use super::frame::Frame;
use super::lower::{Reduced, Task, lower};
use super::space::Space;
use super::{Accesses, Shared, Way, part, scratch, tasks};
use crate::isa::Isa;
use crate::jit;
use fold::Fold;
use fovea_core::device::{Datum, Threads};
use fovea_core::op::Monoid;
use fovea_core::plan::{LoopNest, Reduce, Slot};
use fovea_core::{Error, Result, Shape};
use smallvec::SmallVec;
use tree::{CHUNK, LANES, Tree};
use walk::{choose, split_kept};

/// Elements that a reduction of plain memory takes at a time.
const PLAIN_BLOCK: usize = 4 * CHUNK;
/// Columns that such a reduction takes at a time across rows.
const PLAIN_WIDTH: usize = 1024;

/// Narrower strips are folded a block at a time.
const SHORT_STRIP: usize = 32;

/// With fewer chunks, strips give threads their parts.
const FEW_UNITS: usize = 4;

/// Rows at least this long are evaluated one by one where they are reduced across; shorter ones in tiles.
const WIDE_ROW: usize = 512;

/// How the memory is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Along the reduced elements.
    Inner,
    /// Across kept elements.
    Outer,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    fold: Fold,
    source: Source,
    /// The result's access.
    access: u16,
}

/// See the module.
#[derive(Debug)]
pub struct Reducing {
    space: Space,
    code: Code,
    tree: Tree,
    strategy: Strategy,
    items: Vec<Item>,
    /// Reduced groups, one result each.
    outputs: usize,
    /// Most elements of a block, most columns of a strip.
    block: usize,
    width: usize,
    /// Whether a strip's rows are evaluated one by one.
    single: bool,
    /// Whether blocks are folded as they are computed.
    folded: bool,
}

impl Reducing {
    /// `whole` is the shape of which `nest` computes a part, or its own.
    pub fn compile(nest: &LoopNest, whole: &Shape, accesses: &Accesses, slots: &[Slot], way: Way) -> Result<Reducing> {
        let groups = tree::groups(whole, &nest.reductions.axes);
        let innermost = groups.iter().copied().max().unwrap_or(0);
        let size = |keep: &dyn Fn(u8) -> bool| -> usize {
            (0..nest.shape.rank()).filter(|&a| nest.shape[a] != 1 && keep(groups[a])).map(|a| nest.shape[a]).product()
        };
        let tree = Tree::new(size(&|g| g != 0 && g == innermost), size(&|g| g != 0 && g != innermost));
        let kept: Vec<usize> = (0..nest.shape.rank()).filter(|&a| nest.shape[a] != 1 && groups[a] == 0).collect();
        let reduced: Vec<usize> = (0..nest.shape.rank()).filter(|&a| groups[a] != 0).collect();
        let folds = folds(nest, slots, tree, way.isa)?;
        let (side, strip) = split_kept(&nest.shape, &kept, accesses);
        let strategy = way
            .strategy
            .filter(|&s| if s == Strategy::Outer { !strip.is_empty() } else { !reduced.is_empty() })
            .unwrap_or_else(|| choose(&nest.shape, tree, accesses, &reduced, &strip));
        let order: Vec<usize> = match strategy {
            Strategy::Inner => kept.iter().chain(&reduced).copied().collect(),
            Strategy::Outer => side.iter().chain(&reduced).chain(&strip).copied().collect(),
        };
        let strip_group = u8::MAX;
        let group =
            |axis: usize| if strategy == Strategy::Outer && strip.contains(&axis) { strip_group } else { groups[axis] };
        let space = Space::new(&nest.shape, &order, &group, &accesses.list);
        let plain = nest.program.instrs.is_empty() && nest.stores.is_empty();
        // Folding at once takes a block to lie within one run.
        let folds_at_once = match strategy {
            Strategy::Inner => {
                let room = jit::has_room(nest.reductions.items.len(), way.isa);
                // Narrow sums of memory as it is have several rows under way instead, which takes fewer instructions.
                let sums = nest.reductions.items.iter().all(|item| item.monoid == Monoid::Sum);
                let narrow = sums && tree.runs == 1 && way.isa != Isa::Avx512;
                let as_it_is = plain && (tree.pieces > 1 || narrow);
                tree.length >= LONG_ROW && room && !as_it_is
            }
            Strategy::Outer => !plain && space.cols() >= SHORT_STRIP,
        };
        let reduced_output = |item: &Reduce| Reduced {
            output: item.output,
            fold: match item.monoid {
                Monoid::Sum if folds_at_once => Some(jit::Fold::Sum),
                Monoid::Max if folds_at_once => Some(jit::Fold::Max),
                Monoid::Min if folds_at_once => Some(jit::Fold::Min),
                _ => None,
            },
        };
        let lower_for = |policy: Policy| {
            lower(&Task {
                program: &nest.program,
                operands: &nest.operands,
                space: &space,
                operand_access: &accesses.operands,
                stores: &accesses.stores,
                reduced: &nest.reductions.items.iter().map(reduced_output).collect::<Vec<_>>(),
                across: strategy == Strategy::Outer,
                position: accesses.position,
                policy,
                whole: strategy == Strategy::Inner && tree.chunks == 1 && tree.runs == 1,
                advice: &accesses.advice,
                way,
            })
        };
        let lanes = tree.length.clamp(1, LANES);
        let (mut one_row, mut whole) = (false, false);
        let single = strategy == Strategy::Outer && !plain && space.cols() >= WIDE_ROW;
        let code = match strategy {
            Strategy::Inner => {
                let linear = |a: &Option<u16>| a.is_none_or(|a| space.accesses[a as usize].linear);
                let plain = plain && accesses.operands.iter().all(linear);
                one_row = space.cols() == tree.length && space.cols() >= LONG_ROW && (!plain || folds_at_once);
                lower_for(if space.cols() != tree.length {
                    Policy::Range
                } else if one_row {
                    Policy::Single
                } else {
                    Policy::Rows
                })?
            }
            Strategy::Outer if single => lower_for(Policy::Single)?,
            Strategy::Outer => {
                let code = lower_for(Policy::Rows)?;
                // Blocks that are folded at once may have fewer rows than there are lanes.
                let folded = code.sources.iter().all(|&s| s == Source::Folded);
                let units = space.rows() / tree.size().max(1) * tree.chunks;
                let least = if folded && units >= FEW_UNITS { 2 } else { lanes };
                whole = space.cols() * least <= code.block;
                if whole { code } else { lower_for(Policy::Tile)? }
            }
        };
        let memory = |s: &Source| match (strategy, *s) {
            (Strategy::Inner, Source::Entry(e)) => matches!(code.entries[e as usize], super::code::Entry::Memory(_)),
            (_, Source::Strided(_)) => true,
            _ => false,
        };
        let plain = code.actions.is_empty() && code.hoisted.is_empty() && code.sources.iter().all(memory);
        let block = match (one_row, plain) {
            // Longer ones would take in the next run.
            (true, true) => tree.length,
            (true, false) => code.block.min(tree.length),
            (false, true) => code.block.max(PLAIN_BLOCK),
            (false, false) => code.block,
        };
        let most = match (single, plain) {
            _ if whole => space.cols(),
            (true, _) => code.block,
            (false, true) => PLAIN_WIDTH,
            (false, false) => (block / lanes).max(1),
        };
        // Code made for whole rows must get whole rows.
        let width = match most {
            most if most >= space.cols() => space.cols(),
            most if most >= LANES => most / LANES * LANES,
            most => most,
        };
        let items = folds
            .into_iter()
            .zip(&code.sources)
            .zip(&accesses.reductions)
            .map(|((fold, &source), &access)| Item { fold, source, access })
            .collect();
        let outputs = kept.iter().map(|&a| nest.shape[a]).product();
        let folded = code.sources.contains(&Source::Folded);
        Ok(Reducing { space, code, tree, strategy, items, outputs, block, width, single, folded })
    }

    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Whether the code goes from run to run of a chunk by itself.
    fn goes_by_rows(&self) -> bool {
        self.code.by_rows && self.tree.pieces == 1 && self.strategy == Strategy::Inner
    }

    /// Blocks that a run takes, about.
    pub fn blocks(&self) -> usize {
        if self.goes_by_rows() {
            return self.code.groups_of_rows(&self.space);
        }
        let at_once = (self.block / self.tree.size().max(1)).max(1);
        self.outputs.div_ceil(at_once) * self.tree.size().div_ceil(self.block.max(1))
    }

    /// # Safety
    /// As [`super::CompiledLoop::run`]; `bases` are the buffers of the accesses.
    pub unsafe fn run(&self, bases: &[*mut u8], data: &[Datum], threads: &dyn Threads) {
        if self.outputs == 0 {
            return;
        }
        // One state for each chunk and output, chunks outermost; the results themselves where that is enough.
        let mut buffers: SmallVec<[Vec<[u64; 2]>; 2]> = SmallVec::new();
        let mut targets: SmallVec<[*mut u8; 2]> = SmallVec::new();
        for item in &self.items {
            if self.tree.chunks == 1 && item.fold.plain {
                targets.push(bases[item.access as usize]);
            } else {
                let states = self.outputs * self.tree.chunks.max(1);
                let mut buffer: Vec<[u64; 2]> = Vec::with_capacity((states * item.fold.state).div_ceil(16));
                targets.push(buffer.as_mut_ptr().cast());
                buffers.push(buffer);
            }
        }
        if self.tree.size() == 0 {
            for (item, &target) in self.items.iter().zip(&targets) {
                // SAFETY: the target has room for a state of each output.
                unsafe { (item.fold.start)(self.outputs, target) };
            }
        } else {
            // SAFETY: the caller's.
            let cells = unsafe { self.code.prologue(&self.space, bases, data) };
            // SAFETY: as above; targets hold a state for each chunk and output.
            unsafe { self.fold_all(bases, &cells, &targets, threads) };
        }
        for (item, &target) in self.items.iter().zip(&targets) {
            if self.tree.chunks > 1 {
                // SAFETY: every state has been written.
                unsafe { self.merge_chunks(&item.fold, target, threads) };
            }
            let result = bases[item.access as usize];
            if target != result {
                // SAFETY: the first states are those of the whole groups; results have room.
                unsafe { (item.fold.finish)(self.outputs, result, target) };
            }
        }
    }

    /// Computes the state of each chunk.
    ///
    /// # Safety
    /// As [`Reducing::run`].
    unsafe fn fold_all(&self, bases: &[*mut u8], cells: &[Cell], targets: &[*mut u8], threads: &dyn Threads) {
        let strip = self.strip_width(threads.count());
        let units = match self.strategy {
            Strategy::Inner => self.outputs * self.tree.chunks,
            Strategy::Outer => {
                let side = self.space.rows() / self.tree.size();
                side * self.tree.chunks * self.space.cols().div_ceil(strip)
            }
        };
        let work = self.outputs * self.tree.size() * (4 + self.code.actions.len()) / 4;
        let tasks = tasks(units, work, threads);
        let (shared_bases, shared_targets) = (Shared(bases), Shared(targets));
        // Lanes of each item lie behind the registers.
        let width = if self.strategy == Strategy::Outer { strip } else { 1 };
        let lanes = |item: &Item| (LANES * width * item.fold.state).next_multiple_of(64);
        let start = self.code.bytes.next_multiple_of(64);
        let bytes = start + self.items.iter().map(lanes).sum::<usize>();
        let body = |task: usize| {
            scratch::with(bytes + self.temporary(), |memory| {
                let (bases, targets) = (shared_bases.pointers(), shared_targets.pointers());
                let mut at = start;
                let areas: SmallVec<[*mut u8; 2]> = self
                    .items
                    .iter()
                    .map(|item| {
                        // SAFETY: within the memory.
                        let area = unsafe { memory.add(at) };
                        at += lanes(item);
                        area
                    })
                    .collect();
                // SAFETY: the memory is this task's and has these sizes; units are disjoint.
                unsafe {
                    let frame = Frame::new(&self.code, &self.space, bases, cells, memory);
                    let temporary = memory.add(bytes);
                    let units = part(units, tasks, task);
                    match self.strategy {
                        Strategy::Inner => self.inner(frame, units, targets, &areas, temporary),
                        Strategy::Outer => self.outer(frame, units, strip, targets, &areas),
                    }
                }
            });
        };
        if tasks == 1 { body(0) } else { threads.run(tasks, &body) }
    }

    /// Combines the chunks' states in pairs of neighbours, level by level, into the first ones.
    ///
    /// # Safety
    /// `states` holds one for each chunk and output.
    unsafe fn merge_chunks(&self, fold: &Fold, states: *mut u8, threads: &dyn Threads) {
        let tasks = tasks(self.outputs, self.outputs * self.tree.chunks, threads);
        let shared = [states];
        let shared = Shared(&shared);
        let body = |task: usize| {
            let columns = part(self.outputs, tasks, task);
            // SAFETY: row `chunk` of the states, this task's columns.
            let row =
                |chunk: usize| unsafe { shared.pointers()[0].add((chunk * self.outputs + columns.start) * fold.state) };
            let mut chunks = self.tree.chunks;
            while chunks > 1 {
                for pair in 0..chunks / 2 {
                    // SAFETY: rows are in bounds; a pair's result lies in or before its first row.
                    unsafe { (fold.merge)(columns.len(), row(pair), row(2 * pair), row(2 * pair + 1)) };
                }
                if chunks % 2 == 1 {
                    // SAFETY: as above; regions may be the same.
                    unsafe { std::ptr::copy(row(chunks - 1), row(chunks / 2), columns.len() * fold.state) };
                }
                chunks = chunks.div_ceil(2);
            }
        };
        if tasks == 1 { body(0) } else { threads.run(tasks, &body) }
    }
}

/// The loops of each reduction.
fn folds(nest: &LoopNest, slots: &[Slot], tree: Tree, isa: Isa) -> Result<Vec<Fold>> {
    nest.reductions
        .items
        .iter()
        .map(|item| {
            let dtype = nest.program.output_dtype(item.output);
            let (fold, result) = monoid::fold(item.monoid, dtype, isa)
                .ok_or_else(|| Error::dtype(format!("{:?} of {dtype} has no meaning", item.monoid)))?;
            if slots[item.slot].dtype != result {
                return Err(Error::internal(format!(
                    "a reduction to {result} has a slot of {}",
                    slots[item.slot].dtype
                )));
            }
            if !fold.plain && i32::try_from(tree.size()).is_err() {
                return Err(Error::argument(format!(
                    "{:?} over {} elements: indices are i32",
                    item.monoid,
                    tree.size()
                )));
            }
            Ok(fold)
        })
        .collect()
}
