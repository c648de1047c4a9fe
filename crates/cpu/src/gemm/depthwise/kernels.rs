//! Kernels of depthwise convolutions: vectors of channels that are neighbours in every operand.

use crate::gemm::vector::{Vector, prefetch};

/// The most taps whose sums over positions are computed together: as many pointers as stay in registers.
pub(in crate::gemm) const TAPS: usize = 9;

/// Positions by which operands are asked for in advance: neighbours lie too far apart for the processor to foresee.
const AHEAD: isize = 32;

/// What a tap reads: the element for the first position, and the distance to its neighbours'.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Tap<T> {
    pub at: *const T,
    pub step: isize,
}

/// One call: `out[p][c] = Σ_t taps[t][p][c] · weights[t][c]`, summed from the first t to the last.
pub(in crate::gemm) struct PixelTile<'a, T> {
    /// Neighbouring positions.
    pub pixels: usize,
    /// Vectors of channels, 1 or 2, and the first channel.
    pub vectors: usize,
    pub channel: usize,
    pub taps: &'a [Tap<T>],
    pub weights: *const T,
    /// Elements between the weights of neighbouring taps.
    pub weight_step: usize,
    pub out: *mut T,
    pub out_step: isize,
    /// What is asked for in advance for the first position: as much as a tap reads. It may lie anywhere.
    pub ahead: Tap<T>,
}

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
    let &PixelTile { channel, ahead, .. } = call;
    // SAFETY: each tap has N vectors for each of M positions, the weights for each tap, the result for each position.
    unsafe {
        let mut sums = [[V::zero(); N]; M];
        let mut weights = call.weights.add(channel);
        for tap in call.taps {
            let at = tap.at.add(channel);
            let factors: [V; N] = std::array::from_fn(|j| V::load(weights.add(j * V::LANES)));
            for (i, row) in sums.iter_mut().enumerate() {
                let pixel = at.offset(i as isize * tap.step);
                for (j, (sum, factor)) in row.iter_mut().zip(factors).enumerate() {
                    *sum = V::load(pixel.add(j * V::LANES)).multiply_add(factor, *sum);
                }
            }
            weights = weights.wrapping_add(call.weight_step);
        }
        for (i, row) in sums.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                prefetch(ahead.at.wrapping_offset(i as isize * ahead.step).wrapping_add(channel + j * V::LANES));
                sum.store(call.out.offset(i as isize * call.out_step).add(channel + j * V::LANES));
            }
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
