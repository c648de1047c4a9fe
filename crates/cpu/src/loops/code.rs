//! A scalar program made ready: actions over blocks of elements that fit the first-level cache.

use super::ahead::{self, Ahead};
use super::draw::{Draw, Key};
use super::kernel::Kernel;
use super::space::{Access, Rect, Space};
use super::strided::{gather, scatter};
use crate::jit::Function;
use fovea_core::DType;
use fovea_core::device::Datum;
use smallvec::SmallVec;
use std::sync::Arc;

/// How the rectangles of a block lie in the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One row, or a part of it.
    Single,
    /// Whole rows.
    Rows,
    /// Any range of the space's order.
    Range,
    /// Any one rectangle.
    Tile,
}

/// A value that is the same in the whole run, or a Philox key.
pub type Cell = [u64; 2];

/// Computes one cell.
#[derive(Clone, Copy, Debug)]
pub enum Init {
    /// A number of the plan.
    Datum {
        cell: u16,
        index: usize,
        dtype: DType,
    },
    /// The one element of an access.
    Element {
        cell: u16,
        access: u16,
    },
    Call {
        kernel: Kernel,
        cell: u16,
        args: [u16; 3],
    },
}

/// Where a pointer of the frame's table points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Cell(u16),
    /// A register, or a value that is the same in the whole block; by byte offset into the frame's memory.
    Local(usize),
    /// The block's elements in memory.
    Memory(u16),
    /// Of the reduction with this number, where [`Frame::fold_into`] says.
    Lanes(usize),
    /// As `Memory`, or in this register where an operand lies in the same place that is still to be read.
    Output {
        access: u16,
        register: usize,
    },
}

/// One step over a block; `dst`, `src` and `args` index the pointer table.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Call {
        kernel: Kernel,
        single: bool,
        dst: u16,
        args: [u16; 3],
    },
    /// Several instructions at once; index into the code's functions.
    Compiled {
        function: usize,
    },
    Gather {
        access: u16,
        dst: u16,
    },
    Draw {
        draw: Draw,
        access: u16,
        key: u16,
        dst: u16,
        size: usize,
    },
    /// With `direct` the elements lie densely and the value is there already, unless it shares its place with an operand.
    Store {
        access: u16,
        src: u16,
        direct: bool,
    },
}

/// Where a reduction finds its values after a block's actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Densely in the block's order.
    Entry(u16),
    /// In memory.
    Strided(u16),
    /// Nowhere: the actions have taken them into the lanes.
    Folded,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Code {
    /// Most elements that a block may have.
    pub block: usize,
    /// Cells with the constants in place.
    pub cells: Vec<Cell>,
    pub inits: Vec<Init>,
    pub entries: Vec<Entry>,
    /// Done once for each frame: what is the same in every block of whole rows.
    pub hoisted: Vec<Action>,
    pub actions: Vec<Action>,
    pub functions: Vec<Arc<Function>>,
    pub sources: Vec<Source>,
    /// Bytes of a frame's memory.
    pub bytes: usize,
    /// Outputs written at once, each with an operand that is read then or later.
    pub late: Vec<(u16, u16)>,
}

/// `value` in the first bytes of a cell.
pub fn cell_of(value: Datum, dtype: DType) -> Cell {
    let bits = match value {
        Datum::Key { seed, offset } => return [seed, offset],
        Datum::Float(v) => match dtype {
            DType::F32 => u64::from((v as f32).to_bits()),
            DType::F64 => v.to_bits(),
            DType::I32 => u64::from(v as i32 as u32),
            DType::I64 => v as i64 as u64,
            DType::U8 => u64::from(v as u8),
            DType::Bool => u64::from(v != 0.0),
        },
        Datum::Int(v) => match dtype {
            DType::F32 => u64::from((v as f32).to_bits()),
            DType::F64 => (v as f64).to_bits(),
            DType::I32 => u64::from(v as u32),
            DType::I64 => v as u64,
            DType::U8 => u64::from(v as u8),
            DType::Bool => u64::from(v != 0),
        },
    };
    // A value narrower than the cell stands in its first bytes on either endianness.
    let mut bytes = [0; 8];
    match dtype.size() {
        1 => bytes[0] = bits as u8,
        4 => bytes[..4].copy_from_slice(&(bits as u32).to_ne_bytes()),
        _ => bytes = bits.to_ne_bytes(),
    }
    [u64::from_ne_bytes(bytes), 0]
}

impl Code {
    /// The cells of a run. `bases` are the buffers that the space's accesses refer to.
    ///
    /// # Safety
    /// The buffers of the operands are valid; `data` has what the inits name.
    pub unsafe fn prologue(&self, space: &Space, bases: &[*mut u8], data: &[Datum]) -> SmallVec<[Cell; 8]> {
        let mut cells: SmallVec<[Cell; 8]> = self.cells.iter().copied().collect();
        for init in &self.inits {
            match *init {
                Init::Datum { cell, index, dtype } => cells[cell as usize] = cell_of(data[index], dtype),
                Init::Element { cell, access } => {
                    let from = &space.accesses[access as usize];
                    let cell = &mut cells[cell as usize];
                    // SAFETY: the element is in bounds, a cell has room for any.
                    unsafe {
                        let src = bases[access as usize].offset(from.offset * from.size as isize);
                        std::ptr::copy_nonoverlapping(src, cell.as_mut_ptr().cast::<u8>(), from.size);
                    }
                }
                Init::Call { kernel, cell, args } => {
                    let mut result: Cell = [0; 2];
                    let args = args.map(|a| cells[a as usize].as_ptr().cast::<u8>());
                    // SAFETY: cells hold one element of any type, aligned.
                    unsafe { kernel(1, result.as_mut_ptr().cast(), args) };
                    cells[cell as usize] = result;
                }
            }
        }
        cells
    }

    /// Whether a store lies in the very place of an operand that is still to be read when its value is there.
    pub fn in_place(&self, space: &Space, bases: &[*mut u8], access: u16) -> bool {
        let at = |a: u16| {
            let access = &space.accesses[a as usize];
            bases[a as usize] as isize + access.offset * access.size as isize
        };
        self.late.iter().any(|&(output, read)| output == access && at(read) == at(access))
    }
}

/// Elements that a block asks for of the next one: more would wait for one another.
const MOST_AHEAD: usize = 1024;

/// One thread's state of a run.
pub struct Frame<'a> {
    code: &'a Code,
    pub space: &'a Space,
    bases: &'a [*mut u8],
    pointers: SmallVec<[*mut u8; 32]>,
    /// Table entries that follow the block.
    moving: SmallVec<[(u16, u16); 8]>,
    /// Table entries of lanes, with their reductions' numbers.
    lanes: SmallVec<[(usize, usize); 2]>,
    in_place: SmallVec<[u16; 2]>,
    cells: &'a [Cell],
    /// This thread's.
    ahead: *const Ahead,
}

impl<'a> Frame<'a> {
    /// # Safety
    /// `memory` is valid for `code.bytes`, aligned to 64; with the frame's buffers it outlives the frame.
    pub unsafe fn new(
        code: &'a Code,
        space: &'a Space,
        bases: &'a [*mut u8],
        cells: &'a [Cell],
        memory: *mut u8,
    ) -> Frame<'a> {
        let mut pointers = SmallVec::with_capacity(code.entries.len());
        let (mut moving, mut lanes, mut in_place) = (SmallVec::new(), SmallVec::new(), SmallVec::new());
        for (i, entry) in code.entries.iter().enumerate() {
            pointers.push(match *entry {
                Entry::Cell(cell) => cells[cell as usize].as_ptr().cast_mut().cast(),
                // SAFETY: registers lie within `code.bytes`.
                Entry::Local(offset) => unsafe { memory.add(offset) },
                Entry::Output { access, register } if code.in_place(space, bases, access) => {
                    in_place.push(access);
                    // SAFETY: as above.
                    unsafe { memory.add(register) }
                }
                Entry::Lanes(number) => {
                    lanes.push((i, number));
                    std::ptr::null_mut()
                }
                Entry::Memory(access) | Entry::Output { access, .. } => {
                    moving.push((i as u16, access));
                    std::ptr::null_mut()
                }
            });
        }
        let ahead = Ahead::of_thread();
        let frame = Frame { code, space, bases, pointers, moving, lanes, in_place, cells, ahead };
        if !code.hoisted.is_empty() {
            let rows = (code.block / space.cols()).min(space.rows());
            let rect = Rect { row: 0, rows, col: 0, cols: space.cols() };
            // SAFETY: the caller's; hoisted actions only gather what every block reads.
            unsafe { frame.act(&code.hoisted, &[rect], rows * space.cols()) };
        }
        frame
    }

    pub fn access(&self, index: u16) -> &'a Access {
        &self.space.accesses[index as usize]
    }

    pub fn base(&self, index: u16) -> *mut u8 {
        self.bases[index as usize]
    }

    /// Where actions find the lanes of a reduction, by number: 16 states, or one for each element of a block.
    pub fn fold_into(&mut self, number: usize, lanes: *mut u8) {
        if let Some(&(entry, _)) = self.lanes.iter().find(|entry| entry.1 == number) {
            self.pointers[entry] = lanes;
        }
    }

    /// The block's values of a table entry.
    pub fn pointer(&self, entry: u16) -> *mut u8 {
        self.pointers[entry as usize]
    }

    /// Evaluates the program over the rectangles, `n` elements in all; `next` is a rectangle of which the first
    /// elements will be needed soon.
    ///
    /// # Safety
    /// The rectangles follow the policy that the code was made for and have at most `code.block` elements; no other
    /// thread evaluates the same elements.
    pub unsafe fn eval(&mut self, rects: &[Rect], n: usize, next: Option<Rect>) {
        // SAFETY: a frame stays on its thread.
        let next = next.filter(|_| !unsafe { (*self.ahead).step() });
        for &(entry, access) in &self.moving {
            let from = &self.space.accesses[access as usize];
            let start = self.space.start(from, rects[0]);
            // SAFETY: the element is in bounds.
            let pointer = unsafe { self.bases[access as usize].offset(start * from.size as isize) };
            self.pointers[entry as usize] = pointer;
            if let Some(next) = next {
                let start = self.space.start(from, next) * from.size as isize;
                let n = if from.linear { n } else { n.min(next.cols) };
                ahead::ask(self.bases[access as usize].wrapping_offset(start), n.min(MOST_AHEAD) * from.size);
            }
        }
        // SAFETY: the caller's.
        unsafe { self.act(&self.code.actions, rects, n) };
    }

    /// # Safety
    /// As [`Frame::eval`].
    unsafe fn act(&self, actions: &[Action], rects: &[Rect], n: usize) {
        let table = self.pointers.as_ptr();
        // SAFETY: actions name entries of the table.
        let pointer = |i: u16| unsafe { *table.add(i as usize) };
        for action in actions {
            // SAFETY: pointers are registers of `code.block` elements or the block's elements in memory; pieces are in
            // bounds since accesses are.
            unsafe {
                match *action {
                    Action::Call { kernel, single, dst, args } => {
                        let args = args.map(|a| pointer(a).cast_const());
                        kernel(if single { 1 } else { n }, pointer(dst), args);
                    }
                    Action::Compiled { function } => self.code.functions[function].run(n, table),
                    Action::Gather { access, dst } => {
                        let (from, base) = (self.access(access), self.base(access));
                        self.walk(from, rects, |piece, done| {
                            gather(from.size, pointer(dst).add(done * from.size), base, piece);
                        });
                    }
                    Action::Store { access, src, direct: true } => {
                        if self.in_place.contains(&access) {
                            let to = self.access(access);
                            let start = self.space.start(to, rects[0]) * to.size as isize;
                            std::ptr::copy_nonoverlapping(pointer(src), self.base(access).offset(start), n * to.size);
                        }
                    }
                    Action::Store { access, src, direct: false } => {
                        let (to, base) = (self.access(access), self.base(access));
                        self.walk(to, rects, |piece, done| {
                            scatter(to.size, base, pointer(src).add(done * to.size), piece);
                        });
                    }
                    Action::Draw { draw, access, key, dst, size } => {
                        let position = self.access(access);
                        let cell = self.cells.get(key as usize).copied().unwrap_or_default();
                        let key = Key { seed: cell[0], offset: cell[1] };
                        self.walk(position, rects, |piece, done| {
                            for r in 0..piece.rows {
                                let start = (piece.start + r as isize * piece.row_step) as i64;
                                let to = pointer(dst).add((done + r * piece.cols) * size);
                                draw(piece.cols, to, start, piece.col_step as i64, key);
                            }
                        });
                    }
                }
            }
        }
    }

    /// Calls `body` for each piece with the number of elements before it.
    fn walk(&self, access: &Access, rects: &[Rect], mut body: impl FnMut(super::space::Piece, usize)) {
        let mut done = 0;
        for &rect in rects {
            self.space.pieces(access, rect, |mut piece| {
                if access.linear && piece.cols == self.space.cols() {
                    // Whole rows without gaps are one.
                    piece.cols *= piece.rows;
                    piece.rows = 1;
                }
                body(piece, done);
                done += piece.rows * piece.cols;
            });
        }
    }
}
