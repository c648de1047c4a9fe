//! From a scalar program to actions: which values are the same everywhere, in what order loads, instructions and
//! stores run, and which registers they use.

use super::code::{Cell, Code, Init, Policy, cell_of};
use super::kernel;
use super::ops;
use super::space::Space;
use super::{Advice, Way};
use crate::jit::Fold;
use fovea_core::device::Datum;
use fovea_core::plan::Operand;
use fovea_core::scalar::{Instr, Prim, Program};
use fovea_core::{DType, Error, Result};
use std::collections::HashMap;

/// What a program is made ready for.
pub struct Task<'a> {
    pub program: &'a Program,
    pub operands: &'a [Operand],
    pub space: &'a Space,
    /// The access of each operand that is a tensor.
    pub operand_access: &'a [Option<u16>],
    /// Outputs to store: index into the program's outputs, and access.
    pub stores: &'a [(usize, u16)],
    pub reduced: &'a [Reduced],
    /// Whether reductions run across kept elements, and take values straight from strided memory.
    pub across: bool,
    /// The access that yields positions.
    pub position: u16,
    pub policy: Policy,
    /// Whether the rows are what is reduced, one result each.
    pub whole: bool,
    pub advice: &'a [Advice],
    pub way: Way,
}

/// An output to reduce.
pub struct Reduced {
    /// Index into the program's outputs.
    pub output: usize,
    /// What compiled code may do at once: take values into their lanes.
    pub fold: Option<Fold>,
}

/// How far a value stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Run,
    Block,
    Element,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Gather(usize),
    Instr(usize),
    /// A value that is the same in the block, spread over it: value, and the virtual value that results.
    Splat(usize, usize),
    /// Store number.
    Store(usize),
    /// Takes the values of a reduction, by number, into its lanes.
    Fold(usize),
    /// Number of a run of steps that are compiled into one loop.
    Segment(usize),
}

/// The state of one lowering.
pub(super) struct Lowering<'a> {
    pub(super) task: &'a Task<'a>,
    pub(super) reach: Vec<Reach>,
    /// Dtypes of all values, splats included.
    pub(super) dtypes: Vec<DType>,
    pub(super) cells: Vec<Cell>,
    pub(super) inits: Vec<Init>,
    pub(super) cell: HashMap<usize, u16>,
    pub(super) steps: Vec<Step>,
    pub(super) splats: HashMap<usize, usize>,
    pub(super) gathered: Vec<bool>,
    pub(super) compiled: bool,
    pub(super) segments: Vec<Vec<Step>>,
}

pub fn lower(task: &Task<'_>) -> Result<Code> {
    let compiled = if task.way.compiled { lower_with(task, true)? } else { None };
    match compiled {
        Some(code) => Ok(code),
        None => lower_with(task, false)?.ok_or_else(|| Error::internal("primitives need no machine code")),
    }
}

/// `None` where code was wanted and there is none.
fn lower_with(task: &Task<'_>, compiled: bool) -> Result<Option<Code>> {
    let values = task.program.inputs.len() + task.program.instrs.len();
    let mut lowering = Lowering {
        task,
        reach: Vec::with_capacity(values),
        dtypes: (0..values).map(|v| task.program.dtype_of(v as u16)).collect(),
        cells: Vec::new(),
        inits: Vec::new(),
        cell: HashMap::new(),
        steps: Vec::new(),
        splats: HashMap::new(),
        gathered: vec![false; values],
        compiled,
        segments: Vec::new(),
    };
    lowering.classify()?;
    lowering.schedule();
    if compiled {
        lowering.group();
    }
    lowering.emit()
}

impl Lowering<'_> {
    pub(super) fn inputs(&self) -> usize {
        self.task.program.inputs.len()
    }

    pub(super) fn instr(&self, value: usize) -> Option<&Instr> {
        self.task.program.instrs.get(value.wrapping_sub(self.inputs()))
    }

    pub(super) fn args(instr: &Instr) -> impl Iterator<Item = usize> + use<> {
        let Instr { args, prim, .. } = *instr;
        args.into_iter().take(prim.arity()).map(usize::from)
    }

    fn new_cell(&mut self, value: usize, cell: Cell) -> u16 {
        self.cells.push(cell);
        let index = (self.cells.len() - 1) as u16;
        self.cell.insert(value, index);
        index
    }

    /// Finds each value's reach; values of the whole run become cells.
    fn classify(&mut self) -> Result<()> {
        let task = self.task;
        for (i, operand) in task.operands.iter().enumerate() {
            let reach = match *operand {
                Operand::Scalar(index) => {
                    let cell = self.new_cell(i, [0; 2]);
                    self.inits.push(Init::Datum { cell, index, dtype: task.program.inputs[i] });
                    Reach::Run
                }
                Operand::Key(index) => {
                    let cell = self.new_cell(i, [0; 2]);
                    self.inits.push(Init::Datum { cell, index, dtype: DType::I64 });
                    Reach::Run
                }
                Operand::Tensor { .. } => match task.operand_access[i] {
                    Some(access) if task.space.accesses[access as usize].is_single() => {
                        let cell = self.new_cell(i, [0; 2]);
                        self.inits.push(Init::Element { cell, access });
                        Reach::Run
                    }
                    Some(access)
                        if task.policy == Policy::Single && task.space.accesses[access as usize].inner() == 0 =>
                    {
                        Reach::Block
                    }
                    _ => Reach::Element,
                },
            };
            self.reach.push(reach);
        }
        for (i, instr) in task.program.instrs.iter().enumerate() {
            let value = self.inputs() + i;
            let reach = match instr.prim {
                Prim::Const(bits) => {
                    self.new_cell(value, cell_of(Datum::Float(f64::from_bits(bits)), instr.dtype));
                    Reach::Run
                }
                prim if prim.is_positional() => Reach::Element,
                _ => Self::args(instr).map(|a| self.reach[a]).max().unwrap_or(Reach::Run),
            };
            if reach == Reach::Run && !matches!(instr.prim, Prim::Const(_)) {
                let kernel = self.kernel(instr, [false; 2])?;
                let mut args = [0; 3];
                for (to, a) in args.iter_mut().zip(Self::args(instr)) {
                    *to = self.cell[&a];
                }
                let cell = self.new_cell(value, [0; 2]);
                self.inits.push(Init::Call { kernel, cell, args });
            }
            self.reach.push(reach);
        }
        Ok(())
    }

    /// The kernel of an instruction that isn't positional; `scalars` as for two operands, or the last two of three.
    pub(super) fn kernel(&self, instr: &Instr, scalars: [bool; 2]) -> Result<kernel::Kernel> {
        let isa = self.task.way.isa;
        let of = |i: usize| self.dtypes[instr.args[i] as usize];
        let same = (1..instr.prim.arity()).all(|i| of(i) == of(0));
        let found = match instr.prim {
            Prim::Cast => Some(ops::cast(of(0), instr.dtype, isa)),
            Prim::Select if of(0) == DType::Bool && of(1) == of(2) && of(1) == instr.dtype => {
                Some(kernel::select(instr.dtype.size(), isa, scalars))
            }
            prim if prim.arity() == 1 => ops::one_operand(prim, of(0), isa),
            prim if prim.arity() == 2 && same => ops::two_operands(prim, of(0), isa, scalars),
            _ => None,
        };
        found
            .filter(|_| instr.prim == Prim::Cast || instr.prim.result(of(instr.prim.arity() - 1)) == Some(instr.dtype))
            .ok_or_else(|| {
                let operands: Vec<_> = (0..instr.prim.arity()).map(|i| of(i).name()).collect();
                Error::dtype(format!("{:?} of {} has no meaning", instr.prim, operands.join(", ")))
            })
    }

    /// Whether a tensor operand's elements of a block lie densely in memory.
    pub(super) fn direct(&self, access: u16) -> bool {
        let access = &self.task.space.accesses[access as usize];
        match self.task.policy {
            Policy::Single => access.inner() == 1,
            Policy::Rows | Policy::Range => access.linear,
            Policy::Tile => false,
        }
    }

    /// The access of a tensor operand whose elements differ.
    pub(super) fn operand(&self, value: usize) -> Option<u16> {
        (value < self.inputs() && self.reach[value] != Reach::Run).then(|| self.task.operand_access[value]).flatten()
    }

    /// Makes the value readable: gathers an operand that isn't dense.
    fn load(&mut self, value: usize) {
        let Some(access) = self.operand(value) else { return };
        if self.reach[value] == Reach::Element && !self.direct(access) {
            self.gather(value);
        }
    }

    fn gather(&mut self, value: usize) {
        if !self.gathered[value] {
            self.gathered[value] = true;
            self.steps.push(Step::Gather(value));
        }
    }

    /// The value as one that has every element of the block in an array.
    fn spread(&mut self, value: usize) -> usize {
        if self.reach[value] == Reach::Element {
            self.load(value);
            return value;
        }
        if let Some(&splat) = self.splats.get(&value) {
            return splat;
        }
        let splat = self.dtypes.len();
        self.dtypes.push(self.dtypes[value]);
        self.reach.push(Reach::Element);
        self.gathered.push(false);
        self.splats.insert(value, splat);
        self.steps.push(Step::Splat(value, splat));
        splat
    }

    /// Whether the reduction of this value reads operand memory itself.
    pub(super) fn reads_memory(&self, value: usize) -> Option<u16> {
        let access = self.operand(value)?;
        let suits = self.task.across && self.task.space.accesses[access as usize].inner() == 1;
        (suits && !self.is_overwritten(access) && self.reach[value] == Reach::Element).then_some(access)
    }

    /// Whether a store may go over the elements of an operand.
    fn is_overwritten(&self, access: u16) -> bool {
        let accesses = &self.task.space.accesses;
        self.task.stores.iter().any(|&(_, s)| accesses[s as usize] == accesses[access as usize])
    }

    /// Puts loads, instructions and stores in order.
    fn schedule(&mut self) {
        let task = self.task;
        // Operands that are outputs themselves are read last: where a store goes over them they are loaded first.
        for value in task.program.outputs.iter().map(|&o| usize::from(o)) {
            if self.operand(value).is_some_and(|a| self.is_overwritten(a)) && self.reach[value] == Reach::Element {
                self.gather(value);
            }
        }
        for (i, instr) in task.program.instrs.iter().enumerate() {
            let value = self.inputs() + i;
            if self.reach[value] == Reach::Run {
                continue;
            }
            if !instr.prim.is_positional() {
                for (k, arg) in Self::args(instr).enumerate() {
                    let mask = instr.prim == Prim::Select && k == 0;
                    if mask && self.reach[value] == Reach::Element {
                        self.spread(arg);
                    } else {
                        self.load(arg);
                    }
                }
            }
            self.steps.push(Step::Instr(value));
        }
        let output = |index: usize| usize::from(task.program.outputs[index]);
        for (number, item) in task.reduced.iter().enumerate() {
            let value = output(item.output);
            if self.is_folded(item) {
                self.spread(value);
                self.steps.push(Step::Fold(number));
            } else if self.reads_memory(value).is_none() {
                self.spread(value);
            }
        }
        // A store comes as early as its value is there and no operand in its place is still to be read.
        let stored: Vec<usize> = task.stores.iter().map(|&(index, _)| self.spread(output(index))).collect();
        let mut placed: Vec<(usize, usize)> = Vec::new();
        for (number, &value) in stored.iter().enumerate() {
            let place = &task.space.accesses[task.stores[number].1 as usize];
            let shares = |v: usize| self.operand(v).is_some_and(|a| &task.space.accesses[a as usize] == place);
            let after = self
                .steps
                .iter()
                .rposition(|&step| self.writes(step) == Some(value) || self.reads(step).into_iter().any(shares));
            placed.push((after.map_or(0, |p| p + 1), number));
        }
        placed.sort_unstable();
        for &(at, number) in placed.iter().rev() {
            self.steps.insert(at, Step::Store(number));
        }
    }

    /// The value of an output, spread where that was needed.
    pub(super) fn output(&self, index: usize) -> usize {
        let value = usize::from(self.task.program.outputs[index]);
        *self.splats.get(&value).unwrap_or(&value)
    }

    /// Whether compiled code takes the values of a reduction into its lanes.
    pub(super) fn is_folded(&self, item: &Reduced) -> bool {
        let value = item.output;
        let value = usize::from(self.task.program.outputs[value]);
        self.compiled && item.fold.is_some() && self.dtypes[value] == DType::F32
    }

    pub(super) fn writes(&self, step: Step) -> Option<usize> {
        match step {
            Step::Gather(value) | Step::Instr(value) | Step::Splat(_, value) => Some(value),
            Step::Store(_) | Step::Fold(_) | Step::Segment(_) => None,
        }
    }

    /// The values that a step reads; operands in memory are read where they are gathered.
    pub(super) fn reads(&self, step: Step) -> Vec<usize> {
        match step {
            Step::Gather(value) => vec![value],
            Step::Splat(value, _) => vec![value],
            Step::Instr(value) => match self.instr(value) {
                Some(instr) if !instr.prim.is_positional() => {
                    let mask = instr.prim == Prim::Select && self.reach[value] == Reach::Element;
                    let spread =
                        |(k, a): (usize, usize)| if mask && k == 0 { *self.splats.get(&a).unwrap_or(&a) } else { a };
                    Self::args(instr).enumerate().map(spread).collect()
                }
                _ => Vec::new(),
            },
            Step::Store(number) => vec![self.output(self.task.stores[number].0)],
            Step::Fold(number) => vec![self.output(self.task.reduced[number].output)],
            Step::Segment(number) => {
                let steps = &self.segments[number];
                let own: Vec<usize> = steps.iter().filter_map(|&step| self.writes(step)).collect();
                steps.iter().flat_map(|&step| self.reads(step)).filter(|v| !own.contains(v)).collect()
            }
        }
    }
}
