//! Images as the operand that is read as vectors along positions: boxes of padded planes, one for each channel. Where
//! positions lie several pixels apart, a plane is split by the remainders, so that neighbouring positions are
//! neighbours in each part.

use super::form::{Form, Tap};
use super::{Image, Moves, Spatial};
use crate::gemm::operand::TileSize;
use crate::gemm::problem::{Access, Problem};
use crate::gemm::vector::Float;
use crate::loops::copy_strided;

/// What the boxes of a block of rows should take, so that they stay in the second-level cache.
const BOX_BYTES: usize = 384 << 10;

/// How positions and taps along one dimension map to a part of the box and an index in it.
#[derive(Clone, Copy, Debug)]
struct Split {
    spatial: Spatial,
    /// The smallest coordinate that position 0 touches.
    low: isize,
    /// Parts: pixels between neighbouring positions.
    parts: usize,
    /// The largest index that a tap adds to a position's.
    reach: usize,
}

impl Split {
    fn of(spatial: Spatial) -> Split {
        let parts = spatial.at.0.unsigned_abs().max(1);
        let (low, width) = spatial.reach(0, 1);
        Split { spatial, low, parts, reach: (width - 1) / parts }
    }

    /// Part and index of a tap, for position 0.
    fn tap(&self, tap: usize) -> (usize, usize) {
        let at = (self.spatial.offset + self.spatial.at.1 * tap as isize - self.low) as usize;
        (at % self.parts, at / self.parts)
    }

    /// Of indices `0..count` in a part, counted from position `first`, those whose coordinate lies in the image; and the
    /// coordinate of index 0.
    fn inside(&self, part: usize, first: usize, count: usize) -> (std::ops::Range<usize>, isize) {
        let step = self.parts as isize;
        let start = self.low + first as isize * self.spatial.at.0 + part as isize;
        let from = (-start).max(0).div_euclid(step) + isize::from((-start).max(0) % step != 0);
        let to = (self.spatial.size - start).max(0).div_euclid(step)
            + isize::from((self.spatial.size - start).max(0) % step != 0);
        let clamp = |i: isize| i.clamp(0, count as isize) as usize;
        (clamp(from)..clamp(to).max(clamp(from)), start)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::gemm) struct Planes {
    /// From the operand's first index to its element of image 0, coordinates zero and channel 0.
    pub origin: isize,
    pub images: usize,
    image_stride: isize,
    height: Split,
    width: Split,
    channels: usize,
    channel_stride: isize,
    /// Result rows that a box is for, and elements between its lines.
    pub rows: usize,
    pub pitch: usize,
    /// Loops over taps in the product's order: what each moves, and its size.
    taps: Vec<(Tap, usize)>,
}

impl Planes {
    /// The planes behind an operand whose positions are the loops `outer`; `None` where it has not the form of a
    /// convolution's images, or its positions are the terms of the sum.
    pub fn of(problem: &Problem, access: &Access, outer: &[usize], tile: TileSize) -> Option<Planes> {
        let form = Form::of(problem, access, outer)?;
        let width = Split::of(form.width.spatial(problem));
        let height = Split::of(form.height.map_or(Spatial::NONE, |height| height.spatial(problem)));
        let forwards = [width, height].iter().all(|split| split.spatial.at.0 > 0 || split.spatial.positions == 1);
        if !form.positions_are_rows || !forwards {
            return None;
        }
        let (images, image_stride) = Moves::along(form.images.as_ref(), problem);
        let (channels, channel_stride) = Moves::along(form.channels.as_ref(), problem);
        let taps = form.taps.iter().map(|&index| (form.tap(index), problem.loops[index].size));
        let mut planes = Planes {
            origin: Image::origin_of(form.height.iter().chain([&form.width])),
            images,
            image_stride,
            height,
            width,
            channels,
            channel_stride,
            rows: 1,
            pitch: width.spatial.positions + width.reach,
            taps: taps.collect(),
        };
        while planes.rows < height.spatial.positions && planes.elements(planes.rows + 1) * tile.element <= BOX_BYTES {
            planes.rows += 1;
        }
        Some(planes)
    }

    /// Positions in a row of the result, and rows in an image.
    pub fn positions(&self) -> (usize, usize) {
        (self.width.spatial.positions, self.height.spatial.positions)
    }

    fn lines(&self, rows: usize) -> usize {
        rows + self.height.reach
    }

    /// Elements of one channel's planes for so many rows.
    fn channel(&self, rows: usize) -> usize {
        self.height.parts * self.width.parts * self.lines(rows) * self.pitch
    }

    /// Elements of the boxes for so many rows of the result.
    pub fn elements(&self, rows: usize) -> usize {
        self.channels * self.channel(rows)
    }

    /// Cycles that copying costs for a position, roughly.
    pub fn cost(&self) -> f64 {
        let copied = self.elements(self.rows) as f64 / (self.rows * self.width.spatial.positions) as f64;
        copied * if self.width.spatial.stride == 1 && self.width.parts == 1 { 0.3 } else { 1.2 }
    }

    /// Where each term of the sum lies in the box for so many rows, counted from a position's element.
    pub fn offsets(&self, rows: usize, into: &mut Vec<usize>) {
        into.clear();
        into.push(0);
        for &(tap, size) in &self.taps {
            let at = |index: usize| match tap {
                Tap::Channel => index * self.channel(rows),
                Tap::Row => {
                    let (part, at) = self.height.tap(index);
                    part * self.width.parts * self.lines(rows) * self.pitch + at * self.pitch
                }
                Tap::Column => {
                    let (part, at) = self.width.tap(index);
                    part * self.lines(rows) * self.pitch + at
                }
            };
            let outer = std::mem::take(into);
            into.extend(outer.iter().flat_map(|&o| (0..size).map(move |index| o + at(index))));
        }
        // Dimensions without a loop over taps are at their first.
        let has = |wanted: Tap| self.taps.iter().any(|&(tap, _)| tap == wanted);
        let row = if has(Tap::Row) { (0, 0) } else { self.height.tap(0) };
        let column = if has(Tap::Column) { (0, 0) } else { self.width.tap(0) };
        let plane = self.lines(rows) * self.pitch;
        let start = (row.0 * self.width.parts + column.0) * plane + row.1 * self.pitch + column.1;
        into.iter_mut().for_each(|offset| *offset += start);
    }

    /// Copies the boxes for `rows` rows of the result, from row `first` of an image on.
    ///
    /// # Safety
    /// `base` is the operand's element of all indices zero and coordinates zero; every element with coordinates in
    /// range lies in its buffer; `target` has room for [`Planes::elements`] of `rows`.
    pub unsafe fn copy<T: Float>(&self, base: *const T, image: usize, first: usize, rows: usize, target: *mut T) {
        let source = base.wrapping_offset(image as isize * self.image_stride);
        let (lines, channel) = (self.lines(rows), self.channel(rows));
        let (h, w) = (self.height.spatial, self.width.spatial);
        // SAFETY: lines and columns are those of the boxes; sources have coordinates in range; zero bytes are zero.
        unsafe {
            target.write_bytes(0, self.elements(rows));
            for (down, across) in (0..self.height.parts).flat_map(|d| (0..self.width.parts).map(move |a| (d, a))) {
                let (inside, y) = self.height.inside(down, first, lines);
                let (columns, x) = self.width.inside(across, 0, self.pitch);
                let plane = target.add((down * self.width.parts + across) * lines * self.pitch);
                for line in inside {
                    let row = y + (line * self.height.parts) as isize;
                    let column = x + (columns.start * self.width.parts) as isize;
                    copy_strided(
                        size_of::<T>(),
                        plane.add(line * self.pitch + columns.start).cast(),
                        (1, channel as isize),
                        source.wrapping_offset(row * h.stride + column * w.stride).cast(),
                        (self.width.parts as isize * w.stride, self.channel_stride),
                        (columns.len(), self.channels),
                    );
                }
            }
        }
    }
}
