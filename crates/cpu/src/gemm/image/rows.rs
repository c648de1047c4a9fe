//! Images that are read where they lie: windows reach into rows of the operand itself, and to zeros where they reach
//! over its edge.

use super::form::{Form, Tap};
use super::{Image, Moves, Spatial};
use crate::gemm::problem::{Access, Problem};
use std::ops::Range;

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::gemm) struct Rows {
    /// Whether positions are rows of the product, or terms of its sum.
    pub positions_are_rows: bool,
    /// From the operand's first index to its element of image 0, coordinates zero and channel 0.
    pub origin: isize,
    images: usize,
    image_stride: isize,
    height: Spatial,
    width: Spatial,
    /// The window's taps in the product's order.
    pub window: Vec<WindowTap>,
    /// Positions of a row by what their windows reach.
    stretches: Vec<Stretch>,
    /// A row's positions once more, those at the edges together with their neighbours.
    runs: Vec<EdgedRun>,
}

/// Neighbouring positions whose windows have the same columns in the image.
#[derive(Clone, Debug)]
struct Stretch {
    positions: Range<usize>,
    columns: Range<usize>,
}

/// Neighbouring positions in a row, all of whose windows but the first and the last have the same columns in the image.
#[derive(Clone, Debug)]
pub(in crate::gemm) struct EdgedRun {
    pub positions: Range<usize>,
    /// Columns of the first position's window, of those between, and of the last one's.
    pub columns: [Range<usize>; 3],
}

/// Windows that slide by a pixel, whose columns are neighbours.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Sliding {
    /// Columns of a window.
    pub width: usize,
    /// Whether they run against the positions.
    pub backwards: bool,
    /// Column of the image that the first window's first column is.
    offset: isize,
    /// Columns of the image.
    size: isize,
}

impl Sliding {
    /// Which pixels lie in the image, of those in the windows of some positions, from the first column of the first
    /// position's window on, or backwards of the last position's.
    pub fn columns(&self, positions: Range<usize>) -> Range<usize> {
        let first = if self.backwards { positions.end - 1 } else { positions.start };
        let start = first as isize + self.offset;
        let (low, high) = if self.backwards { (start + 1 - self.size, start + 1) } else { (-start, self.size - start) };
        low.max(0) as usize..high.max(0) as usize
    }
}

/// A row of the result: the rows of its windows that lie in the image, and where the window of the row's first position
/// lies, counted from the element of image 0 and coordinates zero.
#[derive(Clone, Debug)]
pub(in crate::gemm) struct Line {
    pub rows: Range<usize>,
    pub window: isize,
    /// What the row of windows below reads first and this one doesn't, if the image goes on there.
    pub below: isize,
}

/// A tap of the window: its row and column, and how far it lies from the window's first one.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct WindowTap {
    pub row: usize,
    pub column: usize,
    pub offset: isize,
}

/// Neighbouring positions in one row of the result, whose windows have the same taps in the image.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Piece {
    /// The first position.
    pub first: usize,
    pub length: usize,
    stretch: usize,
}

impl Rows {
    /// The images behind an operand whose outer loops, in the product's order, are `outer`, and whose channels are
    /// indices of the batch; `None` where it has not that form.
    pub fn of(problem: &Problem, access: &Access, outer: &[usize]) -> Option<Rows> {
        let form = Form::of(problem, access, outer)?;
        if form.channels.is_some() {
            return None;
        }
        let width = form.width.spatial(problem);
        let height = form.height.map_or(Spatial::NONE, |height| height.spatial(problem));
        let (images, image_stride) = Moves::along(form.images.as_ref(), problem);
        let mut taps = vec![(0, 0)];
        for &index in &form.taps {
            let size = problem.loops[index].size;
            let at = |(row, column), i| if form.tap(index) == Tap::Row { (i, column) } else { (row, i) };
            taps = taps.iter().flat_map(|&outer| (0..size).map(move |i| at(outer, i))).collect();
        }
        let mut stretches: Vec<Stretch> = Vec::new();
        for x in 0..width.positions {
            let columns = width.inside(x);
            match stretches.last_mut() {
                Some(last) if last.columns == columns => last.positions.end = x + 1,
                _ => stretches.push(Stretch { positions: x..x + 1, columns }),
            }
        }
        let (down, across) = (height.at.1 * height.stride, width.at.1 * width.stride);
        let offset = |row: usize, column: usize| row as isize * down + column as isize * across;
        let window = taps.into_iter().map(|(row, column)| WindowTap { row, column, offset: offset(row, column) });
        Some(Rows {
            positions_are_rows: form.positions_are_rows,
            origin: Image::origin_of(form.height.iter().chain([&form.width])),
            images,
            image_stride,
            height,
            width,
            window: window.collect(),
            runs: edged_runs(&stretches),
            stretches,
        })
    }

    /// Positions in a row of the result.
    pub fn row(&self) -> usize {
        self.width.positions
    }

    /// Rows of the result, of all images.
    pub fn lines(&self) -> usize {
        self.images * self.height.positions
    }

    /// Elements between what a tap reads for neighbouring positions.
    pub fn step(&self) -> isize {
        self.width.at.0 * self.width.stride
    }

    /// How windows share pixels, where positions and columns of a window both lie one pixel apart and a window's taps
    /// follow one another row by row.
    pub fn sliding(&self) -> Option<Sliding> {
        let (Spatial { at, offset, size, taps, .. }, backwards) = (self.width, self.width.at.1 < 0);
        let ordered = self.window.iter().enumerate().all(|(i, tap)| (tap.row, tap.column) == (i / taps, i % taps));
        (at.0 == 1 && at.1.abs() == 1 && ordered).then_some(Sliding { width: taps, backwards, offset, size })
    }

    /// Calls `visit` for each piece of the positions.
    pub fn pieces(&self, positions: Range<usize>, mut visit: impl FnMut(Piece)) {
        let row = self.width.positions;
        let mut start = positions.start - positions.start % row;
        while start < positions.end {
            for (stretch, Stretch { positions: own, .. }) in self.stretches.iter().enumerate() {
                let first = positions.start.max(start + own.start);
                let end = positions.end.min(start + own.end);
                if first < end {
                    visit(Piece { first, length: end - first, stretch });
                }
            }
            start += row;
        }
    }

    /// A row of the result, of all images.
    pub fn line(&self, line: usize) -> Line {
        let (image, y) = (line / self.height.positions, line % self.height.positions);
        let window = image as isize * self.image_stride + self.height.element(y) + self.width.element(0);
        let reach = (self.height.at.1 * (self.height.taps as isize - 1)).max(0) + 1;
        Line { rows: self.height.inside(y), window, below: window + reach * self.height.stride }
    }

    /// The positions of each row.
    pub fn runs(&self) -> &[EdgedRun] {
        &self.runs
    }

    /// What each tap reads for the first position of a piece, counted from the element of image 0 and coordinates zero;
    /// `None` beyond the image's edge.
    pub fn taps(&self, piece: Piece) -> impl Iterator<Item = Option<isize>> {
        let Line { rows, window, .. } = self.line(piece.first / self.width.positions);
        let columns = &self.stretches[piece.stretch].columns;
        let start = window + (piece.first % self.width.positions) as isize * self.step();
        self.window.iter().map(move |tap| {
            let inside = rows.contains(&tap.row) && columns.contains(&tap.column);
            inside.then(|| start + tap.offset)
        })
    }
}

/// See [`EdgedRun`].
fn edged_runs(stretches: &[Stretch]) -> Vec<EdgedRun> {
    let row = stretches.last().map_or(0, |last| last.positions.end);
    let at = |x: usize| &stretches[stretches.partition_point(|stretch| stretch.positions.end <= x)];
    let mut runs = Vec::new();
    let mut start = 0;
    while start < row {
        let inner = at((start + 1).min(row - 1));
        let end = row.min(inner.positions.end + 1);
        let columns = [at(start), inner, at(end - 1)].map(|stretch| stretch.columns.clone());
        runs.push(EdgedRun { positions: start..end, columns });
        start = end;
    }
    runs
}

impl Spatial {
    /// From coordinate zero to what a position's first tap reads, which may lie outside.
    fn element(&self, position: usize) -> isize {
        (self.at.0 * position as isize + self.offset) * self.stride
    }
}
