//! Kernels of depthwise convolutions: vectors of channels that are neighbours in every operand.

use crate::gemm::image::WindowTap;
use crate::gemm::vector::{Vector, prefetch, prefetch_write};
use std::ops::Range;

/// The most taps whose sums over positions are computed together: as many pointers as stay in registers.
pub(in crate::gemm) const TAPS: usize = 9;

/// Positions by which operands are asked for in advance: neighbours lie too far apart for the processor to foresee.
const AHEAD: isize = 32;

/// One call: `out[p][c] = Σ_t image[p · step + taps[t]][c] · weights[t][c]`, summed from the first t to the last, where
/// the image is zero outside of the window's reach.
pub(in crate::gemm) struct PixelTile<'a, T> {
    /// Neighbouring positions.
    pub pixels: usize,
    /// Vectors of channels, 1 or 2, and the first channel.
    pub vectors: usize,
    pub channel: usize,
    /// The window's taps, and its rows that lie in the image.
    pub taps: &'a [WindowTap],
    pub rows: &'a Range<usize>,
    pub reach: Reach<'a>,
    /// The first position's window, and elements between neighbouring positions' windows.
    pub image: *const T,
    pub step: isize,
    /// As many zeros as there are channels.
    pub zeros: *const T,
    pub weights: *const T,
    /// Elements between the weights of neighbouring taps.
    pub weight_step: usize,
    pub out: *mut T,
    pub out_step: isize,
    /// What is asked for in advance, to read and to write, for as many positions. It may lie anywhere.
    pub ahead: *const T,
    pub next: *const T,
}

/// The columns of windows that lie in the image.
#[derive(Clone, Debug)]
pub(in crate::gemm) enum Reach<'a> {
    /// Of the first position's window, of those between, and of the last one's.
    Windows([&'a Range<usize>; 3]),
    /// Of all windows together: whether the first pixel and the last are there; all between are. Taps are neighbours as
    /// positions are, [`SLIDING`] in each row, so that windows share pixels. For one vector.
    Sliding([bool; 2]),
}

/// Columns of windows that share pixels.
pub(in crate::gemm) const SLIDING: usize = 3;

/// One call: `sums[t][c] = Σ_p factors[p][c] · taps[t][p][c]`, summed from the first position to the last.
pub(in crate::gemm) struct TapTile<'a, T> {
    /// Taps that are summed, at most [`TAPS`].
    pub taps: usize,
    /// Channels, no fewer than a vector has lanes.
    pub channels: usize,
    pub spans: &'a [Span<T>],
    /// Elements between what a tap reads for neighbouring positions, and between their factors.
    pub step: isize,
    pub factor_step: isize,
    pub sums: *mut T,
    /// Elements between the sums of neighbouring taps.
    pub sum_step: usize,
    /// Add to what is there, or overwrite it.
    pub add: bool,
}

/// Neighbouring positions: their factors and what each tap reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Span<T> {
    pub length: usize,
    pub factors: *const T,
    pub taps: [*const T; TAPS],
}

/// # Safety
/// As the fields of [`PixelTile`] say, for `M` pixels of `N` vectors, and the instruction set of `V`.
#[inline(always)]
pub(in crate::gemm) unsafe fn pixel_tile<V: Vector, const M: usize, const N: usize>(call: &PixelTile<'_, V::Elem>) {
    // SAFETY: by contract.
    unsafe {
        match &call.reach {
            Reach::Windows(columns) => windows::<V, M, N>(call, columns),
            &Reach::Sliding(ends) if N == 1 => sliding::<V, M>(call, ends),
            Reach::Sliding(_) => unreachable!("{N} vectors of windows that share pixels"),
        }
    }
}

/// Asks for what comes next, a few of `M` positions for each of so many parts of the work.
struct Requests<'a, T, const M: usize> {
    call: &'a PixelTile<'a, T>,
    each: usize,
    asked: usize,
}

impl<'a, T, const M: usize> Requests<'a, T, M> {
    #[inline(always)]
    fn new(call: &'a PixelTile<'a, T>, parts: usize) -> Self {
        Requests { call, each: M.div_ceil(parts), asked: 0 }
    }

    #[inline(always)]
    fn ask<V: Vector, const N: usize>(&mut self) {
        let &PixelTile { channel, step, out_step, ahead, next, .. } = self.call;
        for i in self.asked..M.min(self.asked + self.each) {
            for j in 0..N {
                let vector = channel + j * V::LANES;
                prefetch(ahead.wrapping_offset(i as isize * step).wrapping_add(vector));
                prefetch_write(next.wrapping_offset(i as isize * out_step).wrapping_add(vector));
            }
        }
        self.asked += self.each;
    }
}

/// A tile tap by tap.
///
/// # Safety
/// As for [`pixel_tile`].
#[inline(always)]
unsafe fn windows<V: Vector, const M: usize, const N: usize>(
    call: &PixelTile<'_, V::Elem>,
    columns: &[&Range<usize>; 3],
) {
    let &PixelTile { channel, step, .. } = call;
    let mut requests = Requests::<_, M>::new(call, call.taps.len());
    // SAFETY: each tap has N vectors for each position whose window has it, as have the zeros; so have the weights for
    // each tap, the result for each position.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let (image, zeros) = (call.image.wrapping_add(channel), call.zeros.add(channel));
        let mut weights = call.weights.add(channel);
        for tap in call.taps {
            let at = image.wrapping_offset(tap.offset);
            let row = call.rows.contains(&tap.row);
            let [first, inner, last] = columns.map(|columns| row && columns.contains(&tap.column));
            let first = if first { at } else { zeros };
            let last = if last { at.wrapping_offset((M - 1) as isize * step) } else { zeros };
            let (inner, inner_step) = if inner { (at, step) } else { (zeros, 0) };
            let factors: [V; N] = std::array::from_fn(|j| V::load(weights.add(j * V::LANES)));
            for (i, row) in sums.iter_mut().enumerate() {
                let pixel = match i {
                    0 => first,
                    i if i == M - 1 => last,
                    i => inner.wrapping_offset(i as isize * inner_step),
                };
                for (j, (sum, factor)) in row.iter_mut().zip(factors).enumerate() {
                    *sum = V::load(pixel.add(j * V::LANES)).multiply_add(factor, *sum);
                }
            }
            weights = weights.wrapping_add(call.weight_step);
            requests.ask::<V, N>();
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                sum.store(call.out.offset(i as isize * call.out_step).add(channel + j * V::LANES));
            }
        }
    }
}

/// As [`windows`], for one vector of windows that share pixels: pixel by pixel of each row, since loading each for every
/// tap would take longer than what is done with it. Each sum's taps still follow in their order.
///
/// # Safety
/// As for [`pixel_tile`].
#[inline(always)]
unsafe fn sliding<V: Vector, const M: usize>(call: &PixelTile<'_, V::Elem>, [first, last]: [bool; 2]) {
    let &PixelTile { channel, step, weight_step, .. } = call;
    let mut requests = Requests::<_, M>::new(call, call.taps.len() / SLIDING);
    // SAFETY: the image has a vector for each pixel in reach, as have the zeros; so have the weights for each tap, the
    // result for each position.
    unsafe {
        let mut sums = [V::zero(); M];
        let (image, zeros) = (call.image.wrapping_add(channel), call.zeros.add(channel));
        let mut weights = call.weights.add(channel);
        for taps in call.taps.chunks_exact(SLIDING) {
            let at = image.wrapping_offset(taps[0].offset);
            let row = call.rows.contains(&taps[0].row);
            let (inner, inner_step) = if row { (at, step) } else { (zeros, 0) };
            let first = if row && first { at } else { zeros };
            let last = if row && last { at.wrapping_offset((M + 1) as isize * step) } else { zeros };
            let load = |x: usize| {
                V::load(match x {
                    0 => first,
                    x if x == M + 1 => last,
                    x => inner.wrapping_offset(x as isize * inner_step),
                })
            };
            let factors: [V; SLIDING] = std::array::from_fn(|tap| V::load(weights.wrapping_add(tap * weight_step)));
            let [mut before, mut here] = [load(0), load(1)];
            for (x, sum) in sums.iter_mut().enumerate() {
                let after = load(x + 2);
                *sum = before.multiply_add(factors[0], *sum);
                *sum = here.multiply_add(factors[1], *sum);
                *sum = after.multiply_add(factors[2], *sum);
                (before, here) = (here, after);
            }
            weights = weights.wrapping_add(SLIDING * weight_step);
            requests.ask::<V, 1>();
        }
        for (i, sum) in sums.iter().enumerate() {
            sum.store(call.out.offset(i as isize * call.out_step).add(channel));
        }
    }
}

/// # Safety
/// As the fields of [`TapTile`] say, for `M` taps, and the instruction set of `V`.
#[inline(always)]
pub(in crate::gemm) unsafe fn tap_tile<V: Vector, const M: usize>(call: &TapTile<'_, V::Elem>) {
    let &TapTile { step, factor_step, .. } = call;
    for first in (0..call.channels).step_by(V::LANES) {
        let vector = first.min(call.channels - V::LANES);
        // SAFETY: the vector lies in the channels of the factors and of what each tap reads. The sums of different
        // vectors lie apart.
        unsafe {
            let mut sums = [V::zero(); M];
            for span in call.spans {
                let taps: [*const V::Elem; M] = std::array::from_fn(|t| span.taps[t].add(vector));
                let (mut factors, mut at) = (span.factors.add(vector), 0);
                for _ in 0..span.length {
                    let factor = V::load(factors);
                    prefetch(factors.wrapping_offset(AHEAD * factor_step));
                    prefetch(taps[M - 1].wrapping_offset(at + AHEAD * step));
                    for (sum, tap) in sums.iter_mut().zip(taps) {
                        *sum = V::load(tap.wrapping_offset(at)).multiply_add(factor, *sum);
                    }
                    factors = factors.wrapping_offset(factor_step);
                    at += step;
                }
            }
            for (t, sum) in sums.iter().enumerate() {
                let target = call.sums.add(t * call.sum_step + first);
                let sum = if call.add { V::load(target).add(*sum) } else { *sum };
                sum.store(target);
            }
        }
    }
}
