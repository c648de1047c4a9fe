//! A scalar program made ready: actions over blocks of elements that fit the first-level cache.

use super::draw::Draw;
use super::frame::ROWS_BETWEEN;
use super::kernel::Kernel;
use super::space::Space;
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
    /// Of the reduction with this number, where [`super::frame::Frame::fold_into`] says.
    Lanes(usize),
    /// So many bytes further than the block's elements in memory.
    Ahead {
        access: u16,
        distance: isize,
    },
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
    /// Whether one function is all there is, for [`super::frame::Frame::eval_rows`].
    pub by_rows: bool,
    /// Whether each of its rows is reduced to a result.
    pub whole: bool,
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

    /// How often [`super::frame::Frame::eval_rows`] may ask for memory in the whole space.
    pub fn groups_of_rows(&self, space: &Space) -> usize {
        space.rows().div_ceil(ROWS_BETWEEN.div_ceil(space.cols()))
    }

    /// The accesses that the code itself asks for.
    pub fn asked(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().filter_map(|e| if let Entry::Ahead { access, .. } = *e { Some(access) } else { None })
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
