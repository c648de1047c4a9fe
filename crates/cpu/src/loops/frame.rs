//! One thread's run over the blocks or rows of a space.

use super::ahead::{self, Ahead};
use super::code::{Action, Cell, Code, Entry};
use super::draw::Key;
use super::space::{Access, Rect, Space};
use super::strided::{gather, scatter};
use smallvec::SmallVec;
use std::ops::Range;

/// Bytes of a result of compiled code.
const RESULT: isize = 4;
/// Elements of the rows that are evaluated before more memory is asked for.
pub const ROWS_BETWEEN: usize = 4096;
/// Elements that a block asks for of the next one: more would wait for one another.
const MOST_AHEAD: usize = 1024;

/// One thread's state of a run.
pub struct Frame<'a> {
    code: &'a Code,
    pub space: &'a Space,
    bases: &'a [*mut u8],
    pointers: SmallVec<[*mut u8; 32]>,
    /// Table entries that follow the block, with their accesses and distances.
    moving: SmallVec<[(u16, u16, isize); 8]>,
    /// Bytes that the table's entries move by with a row.
    steps: SmallVec<[isize; 32]>,
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
                    moving.push((i as u16, access, 0));
                    std::ptr::null_mut()
                }
                Entry::Ahead { access, distance } => {
                    moving.push((i as u16, access, distance));
                    std::ptr::null_mut()
                }
            });
        }
        let mut steps = SmallVec::new();
        if code.by_rows {
            steps.resize(code.entries.len(), 0);
            for &(entry, access, _) in &moving {
                let access = &space.accesses[access as usize];
                steps[entry as usize] = access.steps[access.steps.len() - 2] * access.size as isize;
            }
            lanes.iter().filter(|_| code.whole).for_each(|&(entry, _)| steps[entry] = RESULT);
        }
        let ahead = Ahead::of_thread();
        let frame = Frame { code, space, bases, pointers, moving, steps, lanes, in_place, cells, ahead };
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

    /// Evaluates the program over whole rows, as one function does it.
    ///
    /// # Safety
    /// The code is by rows, of which the space has these; no other thread evaluates the same ones. Lanes are where
    /// [`Frame::fold_into`] was told: 16 states for all rows, or a result for each.
    pub unsafe fn eval_rows(&mut self, rows: Range<usize>) {
        let cols = self.space.cols();
        let mut row = rows.start;
        while row < rows.end {
            // SAFETY: a frame stays on its thread.
            let asks = unsafe { (*self.ahead).step() };
            let most = if asks { ROWS_BETWEEN.div_ceil(cols) } else { usize::MAX };
            let count = self.space.alike(row).min(rows.end - row).min(most);
            self.point(Rect { row, rows: 1, col: 0, cols });
            // SAFETY: rows of that many elements, which lie as far apart as the steps say.
            unsafe { self.code.functions[0].run_rows(cols, self.pointers.as_mut_ptr(), count, self.steps.as_ptr()) };
            // The code has moved on by all rows but one.
            for &(entry, _) in &self.lanes {
                self.pointers[entry] = self.pointers[entry].wrapping_offset(self.steps[entry]);
            }
            row += count;
        }
    }

    /// Points the table's entries to the start of a rectangle.
    fn point(&mut self, rect: Rect) {
        for &(entry, access, distance) in &self.moving {
            let from = &self.space.accesses[access as usize];
            let start = self.space.start(from, rect) * from.size as isize;
            self.pointers[entry as usize] = self.bases[access as usize].wrapping_offset(start + distance);
        }
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
        self.point(rects[0]);
        if let Some(next) = next {
            for &(_, access, _) in self.moving.iter().filter(|m| m.2 == 0) {
                let from = &self.space.accesses[access as usize];
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
