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
    /// Row and column in the window of each tap, in the product's order.
    taps: Vec<(usize, usize)>,
    /// Positions of a row by what their windows reach.
    stretches: Vec<Stretch>,
}

/// Neighbouring positions whose windows have the same columns in the image.
#[derive(Clone, Debug)]
struct Stretch {
    positions: Range<usize>,
    columns: Range<usize>,
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
        Some(Rows {
            positions_are_rows: form.positions_are_rows,
            origin: Image::origin_of(form.height.iter().chain([&form.width])),
            images,
            image_stride,
            height,
            width,
            taps,
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

    /// What the row of windows below reads first for a piece's position and this one doesn't, if the image goes on there.
    pub fn ahead(&self, piece: Piece) -> isize {
        let (line, x) = (piece.first / self.width.positions, piece.first % self.width.positions);
        let (image, y) = (line / self.height.positions, line % self.height.positions);
        let reach = (self.height.at.1 * (self.height.taps as isize - 1)).max(0) + 1;
        let below = self.height.element(y) + reach * self.height.stride;
        image as isize * self.image_stride + below + self.width.element(x)
    }

    /// What each tap reads for the first position of a piece, counted from the element of image 0 and coordinates zero;
    /// `None` beyond the image's edge.
    pub fn taps(&self, piece: Piece) -> impl Iterator<Item = Option<isize>> {
        let (line, x) = (piece.first / self.width.positions, piece.first % self.width.positions);
        let (image, y) = (line / self.height.positions, line % self.height.positions);
        let columns = &self.stretches[piece.stretch].columns;
        let rows = self.height.inside(y);
        let start = image as isize * self.image_stride + self.height.element(y) + self.width.element(x);
        let (down, across) = (self.height.at.1 * self.height.stride, self.width.at.1 * self.width.stride);
        self.taps.iter().map(move |&(i, j)| {
            let inside = rows.contains(&i) && columns.contains(&j);
            inside.then(|| start + i as isize * down + j as isize * across)
        })
    }
}

impl Spatial {
    /// From coordinate zero to what a position's first tap reads, which may lie outside.
    fn element(&self, position: usize) -> isize {
        (self.at.0 * position as isize + self.offset) * self.stride
    }
}
