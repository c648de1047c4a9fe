//! Images as the broadcast operand of a convolution: a box of padded rows, channels last, copied once for a block of
//! positions and read by every tap from there. Nothing is unrolled: neighbouring taps share the box's elements.
//!
//! A convolution knows two kinds of loops over its images: *positions* (image, row, column of the result) and *taps*
//! (row and column of the window, channel). Forwards and towards the input, positions are rows of the product and
//! taps are summed; towards the weight it is the other way round.

mod form;
mod planes;
mod rows;

use form::Moves;
pub(super) use planes::Planes;
pub(super) use rows::{Rows, Sliding, WindowTap};

use super::axes::Axes;
use super::vector::Float;
use crate::loops::copy_strided;
use std::ops::Range;

/// A spatial dimension: coordinates `position · at.0 + tap · at.1 + offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Spatial {
    /// Coefficients of the position's and the tap's index.
    at: (isize, isize),
    offset: isize,
    positions: usize,
    taps: usize,
    /// Of the operand.
    size: isize,
    stride: isize,
}

impl Spatial {
    /// One row or column, of an operand that has none.
    const NONE: Spatial = Spatial { at: (0, 0), offset: 0, positions: 1, taps: 1, size: 1, stride: 0 };

    /// First coordinate and number of coordinates that positions `first..first + count` touch.
    fn reach(&self, first: usize, count: usize) -> (isize, usize) {
        let (step, last) = (self.at.0, count.max(1) as isize - 1);
        let window = self.at.1 * (self.taps as isize - 1);
        let start = self.offset + step * first as isize;
        let low = start + (step * last).min(0) + window.min(0);
        let high = start + (step * last).max(0) + window.max(0);
        (low, (high - low + 1) as usize)
    }

    /// The taps of a position that lie in the image.
    fn inside(&self, position: usize) -> Range<usize> {
        let start = self.at.0 * position as isize + self.offset;
        let inside = |tap: &usize| (0..self.size).contains(&(start + self.at.1 * *tap as isize));
        // Coordinates change in one direction, so that these are neighbours.
        let first = (0..self.taps).find(inside).unwrap_or(self.taps);
        first..(first..self.taps).find(|tap| !inside(tap)).unwrap_or(self.taps)
    }
}

/// From so many channels on pixels are copied from planes in blocks that are turned in registers.
const TURNED: usize = 8;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Whether positions are rows of the product, or terms of its sum.
    pub positions_are_rows: bool,
    /// Positions that a box is for.
    pub block: usize,
    /// From the operand's first index to its element of image 0, coordinates zero and channel 0.
    pub origin: isize,
    images: usize,
    image_stride: isize,
    height: Spatial,
    width: Spatial,
    channels: usize,
    channel_stride: isize,
    /// Elements between neighbouring pixels and rows of the box.
    pixel: usize,
    line: usize,
    /// Taps as they lie in the box, in the order of the product's loops.
    pub taps: Axes,
    /// Taps in a row of the window, where its rows follow one another in that order.
    row_taps: Option<usize>,
}

/// Positions that lie in one row of the result: `length` of them, from index `start` of those asked for. The first
/// one's box element of tap 0 and channel 0 is `offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub start: usize,
    pub length: usize,
    pub offset: isize,
    /// Of the result's image.
    row: usize,
}

impl Line {
    /// The part of it that lies among some of the positions asked for, whose elements are `step` apart.
    pub fn within(&self, positions: Range<usize>, step: usize) -> Option<Line> {
        let from = self.start.max(positions.start);
        let to = (self.start + self.length).min(positions.end);
        let offset = self.offset + ((from - self.start.min(from)) * step) as isize;
        (from < to).then(|| Line { start: from - positions.start, length: to - from, offset, ..*self })
    }
}

impl Image {
    /// Elements between the box's elements of neighbouring positions.
    pub fn step(&self) -> usize {
        self.width.at.0.unsigned_abs() * self.pixel
    }

    /// Elements between the box's elements of neighbouring taps of a stretch.
    pub fn tap_step(&self) -> isize {
        self.taps.innermost().stride
    }

    /// The same image of the channels from `first` on, at most as many as it has of `all`, and where its channel 0 is.
    pub fn of_channels(&self, first: usize, all: usize) -> (Image, isize) {
        let image = Image { channels: self.channels.min(all - first), ..self.clone() };
        (image, first as isize * self.channel_stride)
    }

    /// Positions in one row of the result.
    pub fn row(&self) -> usize {
        self.width.positions
    }

    /// Elements of the boxes of any `count` neighbouring positions, at most.
    pub fn elements(&self, count: usize) -> usize {
        let (rows, columns) = (self.height.positions, self.width.positions);
        let all = self.images * rows;
        let lines = (count.saturating_sub(1).div_ceil(columns) + 1).min(all);
        let images = (lines.saturating_sub(1).div_ceil(rows) + 1).min(self.images);
        let window = self.height.reach(0, 1).1;
        (lines * self.height.at.0.unsigned_abs().max(1) + images * window) * self.line
    }

    /// The taps of `all` that may read more than zeros at the positions of a line: those in the rows of the window that
    /// lie in the image.
    pub fn taps_inside(&self, line: &Line, all: usize) -> Range<usize> {
        let Some(taps) = self.row_taps else { return 0..all };
        let rows = self.height.inside(line.row);
        rows.start * taps..rows.end * taps
    }

    /// Cycles that copying the boxes costs for a position, roughly.
    pub fn cost(&self) -> f64 {
        let copied = self.elements(self.block) as f64 / self.block as f64;
        let turned = self.width.stride == 1 && self.channels >= TURNED;
        copied
            * if self.channel_stride == 1 {
                0.3
            } else if turned {
                0.6
            } else {
                1.5
            }
    }

    /// Copies the boxes of positions `first..first + count` to `target`, and lists their lines.
    ///
    /// # Safety
    /// `base` is the operand's element of all indices zero and coordinates zero, at one batch index; every element
    /// with coordinates in range lies in its buffer; `target` has room for [`Image::elements`] of `count`.
    pub unsafe fn copy<T: Float>(
        &self,
        base: *const T,
        first: usize,
        count: usize,
        target: *mut T,
        lines: &mut Vec<Line>,
    ) {
        lines.clear();
        let (rows, columns) = (self.height.positions, self.width.positions);
        let (low_x, width) = self.width.reach(0, columns);
        let (mut at, end) = (first, first + count);
        let mut memory = 0;
        while at < end {
            // The part of one image.
            let image = at / (rows * columns);
            let stop = end.min((image + 1) * rows * columns);
            let (row, last) = (at / columns % rows, (stop - 1) / columns % rows);
            let (low_y, height) = self.height.reach(row, last - row + 1);
            let source = base.wrapping_offset(image as isize * self.image_stride);
            for y in 0..height {
                // SAFETY: the caller's; the box has room for the line.
                unsafe {
                    self.copy_line(source, low_y + y as isize, (low_x, width), target.add(memory + y * self.line))
                };
            }
            while at < stop {
                let (y, x) = (at / columns % rows, at % columns);
                let length = (columns - x).min(stop - at);
                let down = self.height.offset + self.height.at.0 * y as isize - low_y;
                let right = self.width.offset + self.width.at.0 * x as isize - low_x;
                let offset = memory as isize + down * self.line as isize + right * self.pixel as isize;
                lines.push(Line { start: at - first, length, offset, row: y });
                at += length;
            }
            memory += height * self.line;
        }
    }

    /// Copies a row of an image, with zeros around it.
    ///
    /// # Safety
    /// As for [`Image::copy`].
    unsafe fn copy_line<T: Float>(&self, image: *const T, y: isize, (low, width): (isize, usize), target: *mut T) {
        let inside = |x: isize| (x - low).clamp(0, width as isize) as usize;
        let (from, to) = if (0..self.height.size).contains(&y) { (inside(0), inside(self.width.size)) } else { (0, 0) };
        let source = image.wrapping_offset(y * self.height.stride);
        let column = |x: usize| source.wrapping_offset((low + x as isize) * self.width.stride);
        // SAFETY: columns `from..to` lie in the image; the line holds `width` pixels; zero bytes are zero.
        unsafe {
            target.write_bytes(0, from * self.pixel);
            target.add(to * self.pixel).write_bytes(0, self.line - to * self.pixel);
            if self.channel_stride == 1 && self.width.stride == self.channels as isize && self.pixel == self.channels {
                let pixels = (to - from) * self.pixel;
                return std::ptr::copy_nonoverlapping(column(from), target.add(from * self.pixel), pixels);
            }
            copy_strided(
                size_of::<T>(),
                target.add(from * self.pixel).cast(),
                (self.pixel as isize, 1),
                column(from).cast(),
                (self.width.stride, self.channel_stride),
                (to - from, self.channels),
            );
        }
    }
}
