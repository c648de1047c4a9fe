//! Fused loops: runs a [`LoopNest`] block by block.
//!
//! The iteration space is walked in an order that suits the memory (`space`), in blocks whose values fit the
//! first-level cache. The scalar program is a list of actions (`lower`, `emit`): loads of what isn't dense, one vector
//! loop per instruction (`kernel`, `ops`, `draw`), stores. Reductions follow a tree that depends on the logical shape
//! alone (`reduce`). So a result is a function of the operands' elements, whatever the layout, the blocks or the
//! number of threads (S13).

mod ahead;
mod band;
mod code;
mod draw;
mod elementwise;
mod emit;
mod frame;
mod kernel;
mod lower;
mod ops;
mod reduce;
mod scratch;
mod segment;
mod space;
mod stream;
mod strided;
#[cfg(test)]
mod tests;
mod transpose;

pub use band::CompiledBand;
#[cfg(test)]
pub(crate) use kernel::Kernel;
#[cfg(test)]
pub(crate) use ops::{one_operand, two_operands};
pub use stream::streamed;
pub(crate) use strided::copy as copy_strided;

use crate::isa::{Isa, isa};
use elementwise::Elementwise;
use fovea_core::device::{Datum, Threads};
use fovea_core::plan::{LoopNest, Operand, Slot, SlotId};
use fovea_core::{DType, Error, Result, Shape};
use reduce::{Reducing, Strategy};
use smallvec::SmallVec;
use space::Access;

/// Work below this many element actions runs on one thread: waking another costs more.
const PARALLEL_WORK: usize = 1 << 15;

/// How far ahead memory is asked for, in bytes: the processor itself looks no further than to the end of a page.
const NEXT_PAGE: isize = 4096;

/// How loops are made ready. The results are the same, but for what [`crate::math`] says of instruction sets.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// One that the processor has.
    isa: Isa,
    /// Whether runs of instructions become machine code.
    compiled: bool,
    /// How to reduce; as it is best where there is none, or where the loop can't be reduced in that way.
    strategy: Option<Strategy>,
}

impl Way {
    fn best() -> Way {
        Way { isa: isa(), compiled: true, strategy: None }
    }
}

/// A fused loop made ready to run any number of times, also from several threads at once.
#[derive(Debug)]
pub struct CompiledLoop {
    /// The slot of each access; `None` for positions.
    slots: Vec<Option<SlotId>>,
    /// Bytes from row to row of each access, for a loop over a part of its rows.
    along: Vec<isize>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// An empty space without reductions.
    Nothing,
    Elementwise(Elementwise),
    Reducing(Reducing),
}

/// The accesses of a nest over its logical shape: operands, stores, reductions, positions.
#[derive(Debug, Default)]
struct Accesses {
    list: Vec<Access>,
    slots: Vec<Option<SlotId>>,
    operands: Vec<Option<u16>>,
    /// Index into the program's outputs, and access.
    stores: Vec<(usize, u16)>,
    reductions: Vec<u16>,
    position: u16,
    advice: Vec<Advice>,
}

/// How an access gets along with the caches.
#[derive(Clone, Copy, Debug, Default)]
struct Advice {
    /// How far ahead code that goes from row to row asks for it, in bytes; 0 where it doesn't.
    ahead: isize,
    /// Whether a store goes past the caches, where its lines are whole.
    streamed: bool,
}

impl Accesses {
    fn push(&mut self, access: Access, slot: Option<SlotId>) -> u16 {
        self.list.push(access);
        self.slots.push(slot);
        (self.list.len() - 1) as u16
    }

    /// Notes how far ahead each slot is asked for, by its first access, and which are stored past the caches.
    fn advise(&mut self, ahead: impl Fn(usize, SlotId) -> isize, streamed: impl Fn(usize, SlotId) -> bool) {
        let first = |access: usize, slot: SlotId| !self.slots[..access].contains(&Some(slot));
        let of = |(access, slot): (usize, &Option<SlotId>)| match *slot {
            Some(slot) if streamed(access, slot) => Advice { ahead: 0, streamed: true },
            Some(slot) if first(access, slot) => Advice { ahead: ahead(access, slot), streamed: false },
            _ => Advice::default(),
        };
        self.advice = self.slots.iter().enumerate().map(of).collect();
    }
}

impl CompiledLoop {
    /// Lowers `nest`; `slots` are the plan's, of which those in `streamed` are written past the caches. A combination of
    /// primitive and dtype that has no meaning is a typed error; a nest that doesn't fit its slots is an internal one.
    pub fn compile(nest: &LoopNest, slots: &[Slot], streamed: &[SlotId]) -> Result<CompiledLoop> {
        CompiledLoop::compile_for(nest, slots, streamed, Way::best())
    }

    fn compile_for(nest: &LoopNest, slots: &[Slot], streamed: &[SlotId], way: Way) -> Result<CompiledLoop> {
        let mut accesses = accesses(nest, slots)?;
        accesses.advise(|_, _| NEXT_PAGE, |_, slot| streamed.contains(&slot));
        CompiledLoop::compile_accesses(nest, &nest.shape, accesses, Vec::new(), slots, way)
    }

    /// As [`CompiledLoop::compile`] for `rows` neighbouring indices of `axis`, for [`CompiledLoop::run_rows`]. The next
    /// ones of the slots in `asked` are asked for, if the code goes by rows.
    fn compile_rows(
        nest: &LoopNest,
        axis: usize,
        rows: usize,
        asked: &[SlotId],
        slots: &[Slot],
        streamed: &[SlotId],
    ) -> Result<CompiledLoop> {
        let part = LoopNest { shape: nest.shape.with(axis, rows), ..nest.clone() };
        let mut accesses = accesses(&part, slots)?;
        let along: Vec<isize> = accesses.list.iter().map(|a| a.steps[axis] * a.size as isize).collect();
        accesses.advise(
            |access, slot| if asked.contains(&slot) { along[access] * rows as isize } else { 0 },
            |access, slot| streamed.contains(&slot) && along[access] % stream::LINE as isize == 0,
        );
        CompiledLoop::compile_accesses(&part, &nest.shape, accesses, along, slots, Way::best())
    }

    /// `whole` is the shape that decides the order of sums: that of all rows.
    fn compile_accesses(
        nest: &LoopNest,
        whole: &Shape,
        accesses: Accesses,
        along: Vec<isize>,
        slots: &[Slot],
        way: Way,
    ) -> Result<CompiledLoop> {
        let body = match (nest.reductions.items.is_empty(), nest.shape.size()) {
            (true, 0) => Body::Nothing,
            (true, _) => Body::Elementwise(Elementwise::compile(nest, &accesses, way)?),
            (false, _) => Body::Reducing(Reducing::compile(nest, whole, &accesses, slots, way)?),
        };
        Ok(CompiledLoop { slots: accesses.slots, along, body })
    }

    /// Runs the loop. `slots` holds the base pointer of every slot of the plan (those that the nest doesn't use may
    /// be null), `data` the plan's numbers.
    ///
    /// # Safety
    /// The pointer of every slot that the nest reads or writes is aligned to its element type and valid for the
    /// slot's elements, for reads where it is an operand and for writes where it is a store or reduction; nothing
    /// else reads what is written or writes what is read meanwhile. What is written overlaps what is read only in
    /// place, as [`LoopNest`] says (also through different slots of one buffer). `data` has every index that the nest
    /// names.
    pub unsafe fn run(&self, slots: &[*mut u8], data: &[Datum], threads: &dyn Threads) {
        let base = |slot: &Option<SlotId>| slot.map_or(std::ptr::null_mut(), |s| slots[s]);
        let bases: SmallVec<[*mut u8; 16]> = self.slots.iter().map(base).collect();
        // SAFETY: the caller's.
        unsafe { self.run_at(&bases, data, threads) };
    }

    /// As [`CompiledLoop::run`] for the rows from `row` on.
    ///
    /// # Safety
    /// As there; pointers need to be valid for what these rows touch only.
    unsafe fn run_rows(&self, slots: &[*mut u8], data: &[Datum], threads: &dyn Threads, row: usize) {
        let base = |(slot, along): (&Option<SlotId>, &isize)| {
            slot.map_or(std::ptr::null_mut(), |s| slots[s].wrapping_offset(row as isize * along))
        };
        let bases: SmallVec<[*mut u8; 16]> = self.slots.iter().zip(&self.along).map(base).collect();
        // SAFETY: the caller's.
        unsafe { self.run_at(&bases, data, threads) };
    }

    /// Whether the code asks for the slot's next rows itself.
    fn asks(&self, slot: SlotId) -> bool {
        let code = match &self.body {
            Body::Nothing => return false,
            Body::Elementwise(body) => body.code(),
            Body::Reducing(body) => body.code(),
        };
        code.asked().any(|access| self.slots[access as usize] == Some(slot))
    }

    /// Blocks that a run takes, about.
    fn blocks(&self) -> usize {
        match &self.body {
            Body::Nothing => 0,
            Body::Elementwise(body) => body.blocks(),
            Body::Reducing(body) => body.blocks(),
        }
    }

    /// # Safety
    /// As [`CompiledLoop::run`], with the pointer of each access.
    unsafe fn run_at(&self, bases: &[*mut u8], data: &[Datum], threads: &dyn Threads) {
        // SAFETY: the caller's.
        unsafe {
            match &self.body {
                Body::Nothing => {}
                Body::Elementwise(body) => body.run(bases, data, threads),
                Body::Reducing(body) => body.run(bases, data, threads),
            }
        }
    }
}

/// Checks the nest against its slots and lists what it touches.
fn accesses(nest: &LoopNest, slots: &[Slot]) -> Result<Accesses> {
    let rank = nest.shape.rank();
    let mut out = Accesses::default();
    let slot = |id: SlotId| slots.get(id).ok_or_else(|| Error::internal(format!("a loop names the unknown slot {id}")));
    let matches = |id: SlotId, dtype: DType| match slot(id)?.dtype {
        d if d == dtype => Ok(()),
        d => Err(Error::internal(format!("a loop takes slot {id} of {d} as {dtype}"))),
    };
    if nest.operands.len() != nest.program.inputs.len() {
        return Err(Error::internal("a loop's operands don't match its program's inputs"));
    }
    let inside = |access: &Access, id: SlotId| {
        let reach = |sign: isize| -> isize {
            access.steps.iter().zip(nest.shape.iter()).map(|(&s, &d)| (sign * s).max(0) * (d as isize - 1)).sum()
        };
        let fits = access.offset >= reach(-1) && access.offset + reach(1) < slots[id].elements as isize;
        match nest.shape.size() == 0 || fits {
            true => Ok(()),
            false => Err(Error::internal(format!("a loop over {} reaches outside slot {id}", nest.shape))),
        }
    };
    for (operand, &dtype) in nest.operands.iter().zip(&nest.program.inputs) {
        let access = match *operand {
            Operand::Tensor { slot, strides, offset } => {
                matches(slot, dtype)?;
                let access = Access::new(&strides[..rank], offset as isize, dtype.size());
                inside(&access, slot)?;
                Some(out.push(access, Some(slot)))
            }
            _ => None,
        };
        out.operands.push(access);
    }
    for store in &nest.stores {
        let dtype = nest.program.output_dtype(store.output);
        matches(store.slot, dtype)?;
        let access = Access::new(&store.strides[..rank], store.offset as isize, dtype.size());
        inside(&access, store.slot)?;
        let access = out.push(access, Some(store.slot));
        out.stores.push((store.output, access));
    }
    // Reductions lie row-major over the kept dimensions.
    let mut strides = [0isize; fovea_core::shape::MAX_RANK];
    let mut step = 1;
    for axis in (0..rank).rev().filter(|axis| !nest.reductions.axes.contains(axis)) {
        strides[axis] = step;
        step *= nest.shape[axis] as isize;
    }
    for item in &nest.reductions.items {
        let size = slot(item.slot)?.dtype.size();
        let access = Access::new(&strides[..rank], 0, size);
        inside(&access, item.slot)?;
        let access = out.push(access, Some(item.slot));
        out.reductions.push(access);
    }
    // Without random draws and indices nothing asks where an element lies, so positions must not keep dimensions apart.
    let positions = if nest.program.is_positional() { nest.shape.strides() } else { [0; fovea_core::shape::MAX_RANK] };
    out.position = out.push(Access::new(&positions[..rank], 0, 1), None);
    Ok(out)
}

/// How many tasks to split `pieces` of equal work into.
fn tasks(pieces: usize, work: usize, threads: &dyn Threads) -> usize {
    /// So that a thread that was held up leaves work to the others.
    const TASKS_PER_THREAD: usize = 4;
    match threads.count() {
        count if count > 1 && work >= PARALLEL_WORK => pieces.min(count * TASKS_PER_THREAD),
        _ => 1,
    }
}

/// Part `task` of `0..pieces` split into `tasks`.
fn part(pieces: usize, tasks: usize, task: usize) -> std::ops::Range<usize> {
    pieces * task / tasks..pieces * (task + 1) / tasks
}

/// Pointers that tasks share.
struct Shared<'a>(&'a [*mut u8]);

// SAFETY: tasks read what nobody writes and write disjoint elements.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl Shared<'_> {
    fn pointers(&self) -> &[*mut u8] {
        self.0
    }
}
