//! Images as the broadcast operand of a convolution: a box of padded rows, channels last, copied once for a block of
//! positions and read by every tap from there. Nothing is unrolled: neighbouring taps share the box's elements.
//!
//! A convolution knows two kinds of loops over its images: *positions* (image, row, column of the result) and *taps*
//! (row and column of the window, channel). Forwards and towards the input, positions are rows of the product and
//! taps are summed; towards the weight it is the other way round.

use super::axes::{Axes, Axis, MAX_CHECKS};
use super::operand::loops_of;
use super::problem::{Access, Problem};
use super::vector::Float;
use fovea_core::contraction::Role;

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
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Whether positions are rows of the product, or terms of its sum.
    pub positions_are_rows: bool,
    /// The operand's element of image 0, coordinates zero and channel 0, at batch index 0.
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
}

/// Positions that lie in one row of the result: `length` of them, from index `start` of those asked for. The first
/// one's box element of tap 0 and channel 0 is `offset`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub start: usize,
    pub length: usize,
    pub offset: isize,
}

/// Boxes larger than this don't pay: they would not stay in a cache.
const MOST_BYTES: usize = 2 << 20;
/// What a box should take, so that it stays in the second-level cache beside the other operand.
const BOX_BYTES: usize = 256 << 10;

impl Image {
    /// The image behind an operand whose outer loops, in the product's order, are `outer`; `None` where it has not the
    /// form of a convolution's, or gains nothing from it.
    pub fn of(problem: &Problem, access: &Access, outer: &[usize], element: usize) -> Option<Image> {
        let sum: Vec<usize> = loops_of(problem, Role::Sum);
        let sizes = |i: usize| problem.loops[i].size;
        let extent = |list: &[usize]| list.iter().map(|&i| sizes(i)).product::<usize>();
        if problem.empty || extent(outer) * extent(&sum) == 0 {
            return None;
        }
        // Which loops of one kind a dimension moves with, but for those of one index.
        let of = |d: usize, list: &[usize]| -> Vec<usize> {
            list.iter().copied().filter(|&i| sizes(i) > 1 && access.dims[d].coefficients[i] != 0).collect()
        };
        let mut spatial = Vec::new();
        let mut plain = Vec::new();
        for d in 0..access.dims.len() {
            let (rows, terms) = (of(d, outer), of(d, &sum));
            match (rows.len(), terms.len(), checked(problem, access, d)) {
                (0, 0, false) => {}
                (1, 0, false) => plain.push((d, rows[0], true)),
                (0, 1, false) => plain.push((d, terms[0], false)),
                (0 | 1, 0 | 1, _) => spatial.push((d, rows.first().copied(), terms.first().copied())),
                _ => return None,
            }
            let batched = (0..problem.loops.len())
                .any(|i| problem.loops[i].role == Role::Batch && access.dims[d].coefficients[i] != 0);
            if batched && spatial.last().is_some_and(|s| s.0 == d) {
                return None;
            }
        }
        if spatial.is_empty() || spatial.len() > 2 {
            return None;
        }
        let among =
            |rows: bool| -> usize { spatial.iter().filter_map(|s| if rows { s.1 } else { s.2 }).map(sizes).product() };
        let positions_are_rows = among(true) >= among(false);
        let kinds =
            |s: &(usize, Option<usize>, Option<usize>)| if positions_are_rows { (s.1, s.2) } else { (s.2, s.1) };
        // Rows before columns, as the product's loops have them.
        let (positions, taps) = if positions_are_rows { (outer, &sum[..]) } else { (&sum[..], outer) };
        let rank = |list: &[usize], i: Option<usize>| i.and_then(|i| list.iter().position(|&l| l == i));
        spatial.sort_by_key(|s| {
            let (position, tap) = kinds(s);
            (rank(positions, position), rank(taps, tap))
        });
        let describe = |s: &(usize, Option<usize>, Option<usize>)| {
            let dim = &access.dims[s.0];
            let (position, tap) = kinds(s);
            let of = |i: Option<usize>| i.map_or((0, 1), |i| (dim.coefficients[i], sizes(i)));
            let ((a, positions), (b, taps)) = (of(position), of(tap));
            Spatial { at: (a, b), offset: dim.offset, positions, taps, size: dim.size as isize, stride: dim.stride }
        };
        let width = describe(spatial.last()?);
        let height = if spatial.len() == 2 { describe(&spatial[0]) } else { Spatial::NONE };
        let mut images = None;
        let mut channels = None;
        for &(d, index, in_rows) in &plain {
            let slot = if in_rows == positions_are_rows { &mut images } else { &mut channels };
            if slot.replace((d, index)).is_some() {
                return None;
            }
        }
        // Every loop must have been seen, in the order images, rows, columns; rows, columns, channels or any.
        let expected: Vec<usize> =
            images.iter().map(|i| i.1).chain(spatial.iter().filter_map(|s| kinds(s).0)).collect();
        let present: Vec<usize> = positions.iter().copied().filter(|&i| sizes(i) > 1).collect();
        let seen = taps
            .iter()
            .copied()
            .filter(|&i| sizes(i) > 1)
            .all(|i| channels.is_some_and(|c| c.1 == i) || spatial.iter().any(|s| kinds(s).1 == Some(i)));
        if expected != present || !seen {
            return None;
        }
        let (image_count, image_stride) =
            images.map_or((1, 0), |(d, i)| (sizes(i), access.dims[d].coefficients[i] * access.dims[d].stride));
        let (channel_count, channel_stride) =
            channels.map_or((1, 1), |(d, i)| (sizes(i), access.dims[d].coefficients[i] * access.dims[d].stride));
        // Pixels a multiple of 512 bytes apart would share few sets of the cache.
        let pixel = if (channel_count * element).is_multiple_of(512) { channel_count + 16 } else { channel_count };
        let line = (width.reach(0, width.positions).1 * pixel).next_multiple_of(16);
        let axis = |i: usize| {
            let stride = if channels.is_some_and(|c| c.1 == i) {
                1
            } else if spatial.len() == 2 && kinds(&spatial[0]).1 == Some(i) {
                height.at.1 * line as isize
            } else {
                width.at.1 * pixel as isize
            };
            Axis { size: sizes(i), stride, coords: [0; MAX_CHECKS] }
        };
        let taps = Axes::new(taps.iter().copied().filter(|&i| sizes(i) > 1).map(axis));
        // The kernels step by one along channels.
        if taps.innermost().stride != 1 {
            return None;
        }
        // Nor do they step backwards along positions.
        if width.at.0 < 0 || (width.at.0 == 0 && width.positions > 1) {
            return None;
        }
        let others = (0..access.dims.len()).filter(|d| spatial.iter().all(|s| s.0 != *d));
        let origin = access.start + others.map(|d| access.dims[d].offset * access.dims[d].stride).sum::<isize>();
        Some(Image {
            positions_are_rows,
            origin,
            images: image_count,
            image_stride,
            height,
            width,
            channels: channel_count,
            channel_stride,
            pixel,
            line,
            taps,
        })
    }

    /// Elements between the box's elements of neighbouring positions.
    pub fn step(&self) -> usize {
        self.width.at.0.unsigned_abs() * self.pixel
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

    /// Whether the boxes of so many positions are small enough to pay.
    pub fn fits(&self, count: usize, element: usize) -> bool {
        self.elements(count) * element <= MOST_BYTES
    }

    /// Positions whose boxes take about as much as they should.
    pub fn block(&self, element: usize) -> usize {
        let row = self.row();
        let mut rows = 1;
        while rows < 64 && self.elements((rows + 1) * row) * element <= BOX_BYTES {
            rows += 1;
        }
        rows * row
    }

    /// Cycles that copying the boxes costs for an element of the product's left side, roughly.
    pub fn cost(&self, block: usize) -> f64 {
        let copied = self.elements(block) as f64 / block as f64;
        copied * if self.channel_stride == 1 { 0.3 } else { 1.5 }
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
                lines.push(Line { start: at - first, length, offset });
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
            if self.channel_stride == 1 {
                if self.width.stride == self.channels as isize && self.pixel == self.channels {
                    std::ptr::copy_nonoverlapping(
                        column(from),
                        target.add(from * self.pixel),
                        (to - from) * self.pixel,
                    );
                    return;
                }
                for x in from..to {
                    std::ptr::copy_nonoverlapping(column(x), target.add(x * self.pixel), self.channels);
                }
                return;
            }
            for c in 0..self.channels {
                let from_channel = |x: usize| column(x).wrapping_offset(c as isize * self.channel_stride);
                for x in from..to {
                    *target.add(x * self.pixel + c) = *from_channel(x);
                }
            }
        }
    }
}

/// Whether a coordinate may lie outside the operand.
fn checked(problem: &Problem, access: &Access, d: usize) -> bool {
    let dim = &access.dims[d];
    let (mut low, mut high) = (dim.offset, dim.offset);
    for (l, &c) in problem.loops.iter().zip(&dim.coefficients) {
        let reach = c * (l.size as isize - 1).max(0);
        low += reach.min(0);
        high += reach.max(0);
    }
    low < 0 || high >= dim.size as isize
}
