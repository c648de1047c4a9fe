//! The second half of lowering: registers, and the actions with their places.

use super::code::{Action, Code, Entry, Policy, Source};
use super::draw;
use super::kernel;
use super::lower::{Lowering, Reach, Reduced, Step};
use super::segment::Growing;
use super::space::Access;
use super::stream;
use crate::isa::Isa;
use crate::jit::{self, Function};
use fovea_core::scalar::Prim;
use fovea_core::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of registers that a block may use: most of a first-level cache of 32 KiB.
const REGISTER_BYTES: usize = 24 << 10;
/// Elements of a block: bounds, and the unit that block lengths are multiples of.
const LARGEST_BLOCK: usize = 512;
const SMALLEST_BLOCK: usize = 256;
/// Block length of programs that use no registers.
const COPY_BLOCK: usize = 4096;
const UNIT: usize = 64;
/// Bytes of an element of compiled code.
const LANE: usize = 4;
/// Accesses that one compiled loop asks for.
const MOST_AHEAD: usize = 3;
/// Alignment of registers in bytes.
const ALIGN: usize = 64;

/// Where a value is while registers have no addresses yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Nowhere,
    Cell(u16),
    Register(usize),
    /// A value that is the same in the whole block.
    Small(usize),
    Memory(u16),
    /// Of the reduction with this number.
    Lanes(usize),
    /// What will be at the access's place.
    Ahead(u16),
    /// Access of the store, and the register for when an operand lies there too.
    Output(u16, usize),
}

/// Registers by number; free ones are taken again for elements of the same size.
#[derive(Default)]
struct Registers {
    sizes: Vec<usize>,
    free: Vec<usize>,
}

impl Registers {
    fn take(&mut self, size: usize) -> usize {
        match self.free.iter().rposition(|&r| self.sizes[r] == size) {
            Some(at) => self.free.remove(at),
            None => {
                self.sizes.push(size);
                self.sizes.len() - 1
            }
        }
    }
}

/// The pointer table while it grows.
#[derive(Default)]
struct Table {
    places: Vec<Place>,
    index: HashMap<Place, u16>,
}

impl Table {
    fn entry(&mut self, place: Place) -> u16 {
        *self.index.entry(place).or_insert_with(|| {
            self.places.push(place);
            (self.places.len() - 1) as u16
        })
    }
}

/// What [`Lowering::emit`] has found.
struct Parts {
    hoisted: Vec<Action>,
    actions: Vec<Action>,
    functions: Vec<Arc<Function>>,
    sources: Vec<Source>,
    late: Vec<(u16, u16)>,
    by_rows: bool,
}

impl Lowering<'_> {
    /// Assigns registers and writes the actions.
    ///
    /// `None` where a segment can't be compiled.
    pub(super) fn emit(mut self) -> Result<Option<Code>> {
        // What is read once takes its registers first, so that no other value ever has them.
        let (once, each): (Vec<Step>, Vec<Step>) = self.steps.iter().partition(|&&step| self.is_hoisted(step));
        self.steps = once.into_iter().chain(each).collect();
        let apart = self.task.reduced.iter().filter(|item| !self.is_folded(item));
        let reduced: Vec<usize> = apart.map(|item| usize::from(self.task.program.outputs[item.output])).collect();
        let last_use = self.last_uses(&reduced);
        let mut places = self.given_places();
        let mut registers = Registers::default();
        let mut table = Table::default();
        let mut smalls = 0;
        let (mut hoisted, mut actions, mut late) = (Vec::new(), Vec::new(), Vec::new());
        let mut functions = Vec::new();
        let by_rows = self.is_one_loop();
        for (at, &step) in self.steps.iter().enumerate() {
            let written = self.written(step, &last_use, at);
            for &value in &written {
                places[value] = if self.reach[value] == Reach::Block {
                    smalls += 1;
                    Place::Small(smalls - 1)
                } else {
                    let register = registers.take(self.dtypes[value].size());
                    match self.direct_store(step, value) {
                        Some(access) => {
                            late.extend(self.read_from(at, &reduced).into_iter().map(|read| (access, read)));
                            Place::Output(access, register)
                        }
                        None => Place::Register(register),
                    }
                };
            }
            let action = match step {
                Step::Segment(number) => {
                    let Some(function) = self.compile(&self.segments[number], &written, &places, &late, &mut table)
                    else {
                        return Ok(None);
                    };
                    functions.push(function);
                    Action::Compiled { function: functions.len() - 1 }
                }
                _ => self.action(step, &places, &mut table)?,
            };
            if self.is_hoisted(step) {
                hoisted.push(action)
            } else {
                actions.push(action)
            }
            let mut done = self.reads(step);
            done.extend(written);
            done.sort_unstable();
            done.dedup();
            for value in done {
                if let Place::Register(r) | Place::Output(_, r) = places[value]
                    && last_use[value] <= at
                {
                    registers.free.push(r);
                }
            }
        }
        let source = |item: &Reduced| match self.reads_memory(usize::from(self.task.program.outputs[item.output])) {
            _ if self.is_folded(item) => Source::Folded,
            Some(access) => Source::Strided(access),
            None => Source::Entry(table.entry(places[self.output(item.output)])),
        };
        let sources = self.task.reduced.iter().map(source).collect();
        let parts = Parts { hoisted, actions, functions, sources, late, by_rows };
        Ok(Some(self.finish(&table, &registers, smalls, parts)))
    }

    /// The values of step `at` that others read.
    fn written(&self, step: Step, last_use: &[usize], at: usize) -> Vec<usize> {
        match step {
            Step::Segment(number) => {
                let own = self.segments[number].iter().filter_map(|&step| self.writes(step));
                own.filter(|&v| last_use[v] > at).collect()
            }
            _ => self.writes(step).into_iter().collect(),
        }
    }

    /// One loop for the steps, which stores the values `written`.
    /// Of the stores, those to the accesses of `late` may have to wait in a register.
    fn compile(
        &self,
        steps: &[Step],
        written: &[usize],
        places: &[Place],
        late: &[(u16, u16)],
        table: &mut Table,
    ) -> Option<Arc<Function>> {
        let mut growing = Growing::default();
        growing.segment.scales = self.task.way.isa == Isa::Avx512;
        for &step in steps {
            self.grow(&mut growing, step, |value| table.entry(places[value]))?;
            if let Step::Fold(number) = step {
                self.grow_fold(&mut growing, number, table.entry(Place::Lanes(number)))?;
            }
        }
        for &value in written {
            let streamed = match places[value] {
                Place::Output(access, _) => self.is_streamed(access) && late.iter().all(|l| l.0 != access),
                _ => false,
            };
            let store = jit::Store { value: growing.node(value)?, entry: table.entry(places[value]), streamed };
            growing.segment.stores.push(store);
        }
        if self.is_one_loop() {
            growing.segment.whole = self.task.whole;
            let asked = self.task.advice.iter().enumerate().filter(|a| a.1.ahead != 0).map(|a| a.0 as u16);
            let suits = |&access: &u16| {
                let Access { steps, size, .. } = &self.task.space.accesses[access as usize];
                self.direct(access) && *size == LANE && steps[steps.len() - 2] != 0
            };
            let asked = asked.filter(suits).take(MOST_AHEAD);
            growing.segment.ahead = asked.map(|a| table.entry(Place::Ahead(a))).collect();
        }
        jit::compile(&growing.segment, self.task.way.isa)
    }

    /// Whether a store goes past the caches: all blocks of it have to start with a line.
    fn is_streamed(&self, access: u16) -> bool {
        let Access { steps, offset, size, .. } = &self.task.space.accesses[access as usize];
        let whole = |step: &isize| (step * *size as isize) % stream::LINE as isize == 0;
        self.task.advice.get(access as usize).is_some_and(|advice| advice.streamed)
            && matches!(self.task.policy, Policy::Single | Policy::Rows)
            && *size == LANE
            && steps[..steps.len() - 1].iter().chain([offset]).all(whole)
    }

    /// Whether all there is to do is one compiled loop, so that it may go from row to row by itself.
    fn is_one_loop(&self) -> bool {
        let mut others = self.steps.iter().filter(|step| !matches!(step, Step::Store(_)));
        let (Some(&segment @ Step::Segment(number)), None) = (others.next(), others.next()) else { return false };
        let last = |value: usize| self.segments[number].iter().any(|&step| self.writes(step) == Some(value));
        let mut stores = self.task.stores.iter().map(|&(output, access)| (self.output(output), access));
        self.task.policy == Policy::Single
            && self.task.space.dims.len() > 1
            && self.task.reduced.iter().all(|item| self.is_folded(item))
            && stores.all(|(value, access)| last(value) && self.direct_store(segment, value) == Some(access))
    }

    /// The operands that lie in memory and are read by step `at`, by later ones or by reductions. A segment's own loads
    /// don't count: it works in place.
    fn read_from(&self, at: usize, reduced: &[usize]) -> Vec<u16> {
        let from = at + matches!(self.steps[at], Step::Segment(_)) as usize;
        let read_by = |&step: &Step| {
            let gathers = matches!(step, Step::Gather(_));
            self.reads(step).into_iter().filter(move |&v| gathers || !self.gathered.get(v).is_some_and(|&g| g))
        };
        self.steps[from..]
            .iter()
            .flat_map(read_by)
            .chain(reduced.iter().copied())
            .filter_map(|v| self.operand(v))
            .collect()
    }

    /// The last step that reads each value; what reductions and every block read is never done.
    fn last_uses(&self, reduced: &[usize]) -> Vec<usize> {
        let mut last = vec![0; self.dtypes.len()];
        for (at, &step) in self.steps.iter().enumerate() {
            self.reads(step).into_iter().for_each(|v| last[v] = at);
        }
        reduced.iter().for_each(|v| last[*self.splats.get(v).unwrap_or(v)] = usize::MAX);
        for &step in &self.steps {
            if let (true, Some(value)) = (self.is_hoisted(step), self.writes(step)) {
                last[value] = usize::MAX;
            }
        }
        last
    }

    /// Places that values have before the first step.
    fn given_places(&self) -> Vec<Place> {
        let mut places = vec![Place::Nowhere; self.dtypes.len()];
        for (&value, &cell) in &self.cell {
            places[value] = Place::Cell(cell);
        }
        for (value, place) in places.iter_mut().enumerate().take(self.inputs()) {
            if let (Some(access), false) = (self.operand(value), self.gathered[value]) {
                *place = Place::Memory(access);
            }
        }
        places
    }

    /// Whether a gather reads the same elements in every block of whole rows.
    fn is_hoisted(&self, step: Step) -> bool {
        let Step::Gather(value) = step else { return false };
        let Some(access) = self.operand(value) else { return false };
        let steps = &self.task.space.accesses[access as usize].steps;
        self.task.policy == Policy::Rows && steps[..steps.len() - 1].iter().all(|&s| s == 0)
    }

    /// The dense store that a step may write its value into at once.
    fn direct_store(&self, step: Step, value: usize) -> Option<u16> {
        if self.is_hoisted(step) {
            return None;
        }
        let stores = self.task.stores.iter();
        stores
            .filter(|&&(output, _)| self.output(output) == value)
            .map(|&(_, access)| access)
            .find(|&access| self.direct(access))
    }

    fn action(&self, step: Step, places: &[Place], table: &mut Table) -> Result<Action> {
        Ok(match step {
            Step::Gather(value) => match self.operand(value) {
                Some(access) => Action::Gather { access, dst: table.entry(places[value]) },
                None => return Err(Error::internal("only operands are gathered")),
            },
            Step::Splat(from, to) => {
                let args = [table.entry(places[from]); 3];
                let kernel = kernel::splat(self.dtypes[to].size(), self.task.way.isa);
                Action::Call { kernel, single: false, dst: table.entry(places[to]), args }
            }
            Step::Segment(_) | Step::Fold(_) => return Err(Error::internal("only compiled code does this")),
            Step::Store(number) => {
                let access = self.task.stores[number].1;
                let place = places[self.reads(step)[0]];
                let direct = matches!(place, Place::Output(a, _) if a == access);
                Action::Store { access, src: table.entry(place), direct }
            }
            Step::Instr(value) => {
                let Some(instr) = self.instr(value) else { return Err(Error::internal("an instruction is missing")) };
                let dst = table.entry(places[value]);
                if instr.prim.is_positional() {
                    let draw = draw::draw(instr.prim, instr.dtype, self.task.way.isa)
                        .ok_or_else(|| Error::dtype(format!("{:?} of {} has no meaning", instr.prim, instr.dtype)))?;
                    let key = match self.cell.get(&usize::from(instr.args[0])) {
                        Some(&cell) if instr.prim != Prim::Index => cell,
                        _ => u16::MAX,
                    };
                    return Ok(Action::Draw { draw, access: self.task.position, key, dst, size: instr.dtype.size() });
                }
                let single = self.reach[value] == Reach::Block;
                let read = self.reads(step);
                let mut args = [0; 3];
                for (to, &v) in args.iter_mut().zip(&read) {
                    *to = table.entry(places[v]);
                }
                let one = |k: usize| !single && read.get(k).is_some_and(|&v| self.reach[v] != Reach::Element);
                let first = read.len().saturating_sub(2);
                let kernel = self.kernel(instr, [one(first), one(first + 1)])?;
                Action::Call { kernel, single, dst, args }
            }
        })
    }

    /// Chooses the block length and gives registers their addresses.
    fn finish(self, table: &Table, registers: &Registers, smalls: usize, parts: Parts) -> Code {
        let element: usize = registers.sizes.iter().sum();
        let cols = self.task.space.cols();
        let fitting =
            REGISTER_BYTES.checked_div(element).map_or(COPY_BLOCK, |n| n.clamp(SMALLEST_BLOCK, LARGEST_BLOCK));
        let block = match self.task.policy {
            Policy::Rows => fitting.max(cols),
            _ => fitting / UNIT * UNIT,
        };
        let mut end = smalls * 8;
        let mut take = |bytes: usize| {
            end = end.next_multiple_of(ALIGN);
            let start = end;
            end += bytes;
            start
        };
        let offsets: Vec<usize> = registers.sizes.iter().map(|size| take(size * block)).collect();
        let entries = table
            .places
            .iter()
            .map(|place| match *place {
                Place::Cell(cell) => Entry::Cell(cell),
                Place::Register(r) => Entry::Local(offsets[r]),
                Place::Small(i) => Entry::Local(i * 8),
                Place::Memory(access) => Entry::Memory(access),
                Place::Lanes(number) => Entry::Lanes(number),
                Place::Ahead(access) => Entry::Ahead { access, distance: self.task.advice[access as usize].ahead },
                Place::Output(access, r) => Entry::Output { access, register: offsets[r] },
                Place::Nowhere => unreachable!("every value read has been written"),
            })
            .collect();
        let whole = parts.by_rows && self.task.whole;
        let Parts { hoisted, actions, functions, sources, late, by_rows } = parts;
        let (cells, inits) = (self.cells, self.inits);
        Code { block, cells, inits, entries, hoisted, actions, functions, sources, bytes: end, late, by_rows, whole }
    }
}
