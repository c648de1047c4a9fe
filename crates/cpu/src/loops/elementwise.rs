//! Nests without reductions.

use super::code::{Code, Policy};
use super::frame::Frame;
use super::lower::{Task, lower};
use super::space::{Access, Rect, Space, order_by_steps};
use super::{Accesses, Shared, Way, part, scratch, tasks};
use fovea_core::Result;
use fovea_core::device::{Datum, Threads};
use fovea_core::plan::LoopNest;

/// Rows at least this long are cut into blocks; shorter ones share a block.
pub const LONG_ROW: usize = 256;
/// Longer ones are cut even if the code could go through whole rows.
const LONGEST_ROW: usize = 16384;
/// Largest side of a tile where an operand runs across the store.
const TILE: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Elementwise {
    space: Space,
    code: Code,
    policy: Policy,
    /// Rows and columns of a block.
    height: usize,
    width: usize,
}

impl Elementwise {
    pub fn compile(nest: &LoopNest, accesses: &Accesses, way: Way) -> Result<Elementwise> {
        let axes: Vec<usize> = (0..nest.shape.rank()).collect();
        // Stores decide the order, then operands.
        let ranked: Vec<Access> = accesses
            .stores
            .iter()
            .map(|s| s.1)
            .chain(accesses.operands.iter().flatten().copied())
            .map(|i| accesses.list[i as usize].clone())
            .collect();
        let order = order_by_steps(&axes, &ranked);
        let straight = Space::new(&nest.shape, &order, &|_| 0, &accesses.list);
        let across = crossing(&straight, accesses);
        let (space, policy) = match across {
            Some(dim) => {
                let last = straight.dims.len() - 1;
                let order: Vec<usize> = (0..last).filter(|&d| d != dim).chain([dim, last]).collect();
                // Groups keep the two sides of the tiles as they are.
                (
                    Space::new(
                        &straight.dims,
                        &order,
                        &|d| (d == dim) as u8 + 2 * (d == last) as u8,
                        &straight.accesses,
                    ),
                    Policy::Tile,
                )
            }
            None if straight.cols() >= LONG_ROW => (straight, Policy::Single),
            None => (straight, Policy::Rows),
        };
        let code = lower(&Task {
            program: &nest.program,
            operands: &nest.operands,
            space: &space,
            operand_access: &accesses.operands,
            stores: &accesses.stores,
            reduced: &[],
            across: false,
            position: accesses.position,
            policy,
            whole: false,
            advice: &accesses.advice,
            way,
        })?;
        let cols = space.cols();
        let (height, width) = match policy {
            Policy::Tile => {
                let rows = space.dims[space.dims.len() - 2];
                let side = if code.block < TILE * TILE { TILE / 2 } else { TILE };
                let width = side.min(cols);
                let height = (side * side / width).min(rows);
                (height, (side * side / height).min(cols))
            }
            Policy::Single => (1, cols.div_ceil(cols.div_ceil(code.block)).next_multiple_of(64).min(code.block)),
            Policy::Rows | Policy::Range => (code.block / cols, cols),
        };
        Ok(Elementwise { space, code, policy, height, width })
    }

    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Rows of one group (the whole space unless tiles must not cross it), blocks down a group and along a row.
    fn grid(&self) -> (usize, usize, usize) {
        let rows = self.space.rows();
        let group = if self.policy == Policy::Tile { self.space.dims[self.space.dims.len() - 2] } else { rows };
        (group, group.div_ceil(self.height), self.space.cols().div_ceil(self.width))
    }

    fn goes_by_rows(&self) -> bool {
        self.code.by_rows && self.space.cols() <= LONGEST_ROW
    }

    pub fn blocks(&self) -> usize {
        if self.goes_by_rows() {
            return self.code.groups_of_rows(&self.space);
        }
        let (group, down, along) = self.grid();
        self.space.rows() / group * down * along
    }

    /// # Safety
    /// As [`super::CompiledLoop::run`]; `bases` are the buffers of the accesses.
    pub unsafe fn run(&self, bases: &[*mut u8], data: &[Datum], threads: &dyn Threads) {
        // SAFETY: the caller's.
        let cells = unsafe { self.code.prologue(&self.space, bases, data) };
        let (rows, cols) = (self.space.rows(), self.space.cols());
        let (group, down, along) = self.grid();
        let blocks = self.blocks();
        let tasks = tasks(
            if self.goes_by_rows() { rows } else { blocks },
            rows * cols * (4 + self.code.actions.len()) / 4,
            threads,
        );
        let shared = Shared(bases);
        let by_rows = self.goes_by_rows();
        let body = |task: usize| {
            scratch::with(self.code.bytes, |memory| {
                // SAFETY: the memory is this task's; the buffers are the caller's.
                let mut frame = unsafe { Frame::new(&self.code, &self.space, shared.pointers(), &cells, memory) };
                if by_rows {
                    // SAFETY: rows are disjoint, and the code goes by them.
                    return unsafe { frame.eval_rows(part(rows, tasks, task)) };
                }
                let rect_of = |block: usize| {
                    let (above, col) = (block / along, block % along * self.width);
                    let (row, start) = (above % down * self.height, above / down * group);
                    let (rows, cols) = (self.height.min(group - row), self.width.min(cols - col));
                    Rect { row: start + row, rows, col, cols }
                };
                for block in part(blocks, tasks, task) {
                    let rect = rect_of(block);
                    let next = (block + 1 < blocks).then(|| rect_of(block + 1));
                    // SAFETY: blocks are disjoint and follow the policy.
                    unsafe { frame.eval(&[rect], rect.rows * rect.cols, next) };
                }
            });
        };
        if tasks == 1 { body(0) } else { threads.run(tasks, &body) }
    }
}

/// A dimension along which an operand is dense while the innermost one strides through it, where that is worth tiles.
fn crossing(space: &Space, accesses: &Accesses) -> Option<usize> {
    let last = space.dims.len() - 1;
    accesses.operands.iter().flatten().find_map(|&a| {
        let access = &space.accesses[a as usize];
        if access.inner().unsigned_abs() <= 1 {
            return None;
        }
        let dim = (0..last).find(|&d| access.steps[d].unsigned_abs() == 1)?;
        // Blocks of short whole rows reach the neighbouring dimension anyway.
        (dim + 1 != last || space.dims[last] > TILE).then_some(dim)
    })
}
