//! Pooling of channels-last images: all channels of a pixel at once. The same values as plane by plane, since each
//! channel meets its taps and windows in the same order.

use super::avg_pool2d::{Average, divisor};
use super::max_pool2d::{Maximum, beats};
use super::windows::Windows;
use crate::parallel;
use fovea_core::device::{CpuInput, Element, Threads};
use fovea_cpu::multiversion;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicI64, Ordering};

/// Images whose channels are neighbours, `[N, C, H, W]`.
#[derive(Clone, Copy)]
pub(super) struct Pixels<'a, T> {
    values: &'a [T],
    offset: usize,
    /// Elements between images, rows and columns.
    strides: [usize; 3],
    channels: usize,
}

impl<'a, T: Element> Pixels<'a, T> {
    /// `None` where the channels of a pixel lie apart.
    pub fn of(input: &CpuInput<'a>) -> Option<Pixels<'a, T>> {
        if !input.layout.is_channels_last() {
            return None;
        }
        let [image, _, row, column] = [0, 1, 2, 3].map(|d| input.layout.strides[d] as usize);
        let (strides, channels) = ([image, row, column], input.layout.shape[1]);
        Some(Pixels { values: input.elements(), offset: input.layout.offset, strides, channels })
    }

    /// All channels of a pixel.
    #[inline(always)]
    fn at(&self, image: usize, row: usize, column: usize) -> &'a [T] {
        let [i, r, c] = self.strides;
        let start = self.offset + image * i + row * r + column * c;
        &self.values[start..start + self.channels]
    }

    /// Elements in a row of windows, and what computing them touches.
    fn row_of(&self, windows: &Windows) -> (usize, usize) {
        let row = windows.output[1] * self.channels;
        (row, row * windows.size[0] * windows.size[1])
    }
}

/// Row `index` of all rows of windows: image and row in it.
fn place(windows: &Windows, index: usize) -> (usize, usize) {
    (index / windows.output[0], index % windows.output[0])
}

/// Maxima, and where they were found; either may be empty. Both are dense.
pub(super) fn maxima<T: Maximum>(
    x: Pixels<'_, T>,
    windows: &Windows,
    out: &mut [T],
    found: &mut [i32],
    threads: &dyn Threads,
) {
    let (row, work) = x.row_of(windows);
    parallel::each_pair(threads, (out, row), (found, row), work, |index, out, found| {
        let at = place(windows, index);
        if found.is_empty() {
            maxima_row(x, windows, at, out);
        } else if out.is_empty() {
            found_row(x, windows, at, &mut vec![T::LOWEST; row], found);
        } else {
            found_row(x, windows, at, out, found);
        }
    });
}

#[inline(always)]
fn maxima_of_row<T: Maximum>(x: Pixels<'_, T>, windows: &Windows, (image, p): (usize, usize), out: &mut [T]) {
    for (q, out) in out.chunks_exact_mut(x.channels).enumerate() {
        out.fill(T::LOWEST);
        for row in windows.range(0, p) {
            for column in windows.range(1, q) {
                let taps = x.at(image, row, column);
                out.iter_mut()
                    .zip(taps)
                    .for_each(|(best, &next)| *best = if beats(next, *best) { next } else { *best });
            }
        }
    }
}
multiversion!(fn maxima_row<T: Maximum>(x: Pixels<'_, T>, windows: &Windows, at: (usize, usize), out: &mut [T]) = maxima_of_row);

#[inline(always)]
fn found_of_row<T: Maximum>(
    x: Pixels<'_, T>,
    windows: &Windows,
    (image, p): (usize, usize),
    out: &mut [T],
    found: &mut [i32],
) {
    let columns = windows.input[1];
    let (rows, channels) = (windows.range(0, p), x.channels);
    for (q, (out, found)) in out.chunks_exact_mut(channels).zip(found.chunks_exact_mut(channels)).enumerate() {
        out.fill(T::LOWEST);
        found.fill((rows.start * columns + windows.range(1, q).start) as i32);
        for row in rows.clone() {
            for column in windows.range(1, q) {
                let index = (row * columns + column) as i32;
                let taps = x.at(image, row, column);
                for ((best, at), &next) in out.iter_mut().zip(found.iter_mut()).zip(taps) {
                    (*best, *at) = if beats(next, *best) { (next, index) } else { (*best, *at) };
                }
            }
        }
    }
}
multiversion!(fn found_row<T: Maximum>(x: Pixels<'_, T>, windows: &Windows, at: (usize, usize), out: &mut [T], found: &mut [i32]) = found_of_row);

/// Gradients put where the maxima were found; returns an index outside the planes, if there is one. `size` is the
/// height and width of `g`, `plane` the elements of a plane of `out`.
pub(super) fn put_back<T: Element + AddAssign>(
    g: Pixels<'_, T>,
    found: Pixels<'_, i32>,
    size: [usize; 2],
    plane: usize,
    out: &mut [T],
    threads: &dyn Threads,
) -> Option<i32> {
    let channels = g.channels;
    let wrong = AtomicI64::new(i64::MIN);
    let work = (plane + size[0] * size[1]) * channels;
    parallel::each(threads, out, plane * channels, work, |image, out| {
        out.fill(T::default());
        for (p, q) in (0..size[0]).flat_map(|p| (0..size[1]).map(move |q| (p, q))) {
            for (c, (&g, &index)) in g.at(image, p, q).iter().zip(found.at(image, p, q)).enumerate() {
                match usize::try_from(index).ok().and_then(|index| out.get_mut(index * channels + c)) {
                    Some(out) => *out += g,
                    None => wrong.store(i64::from(index), Ordering::Relaxed),
                }
            }
        }
    });
    i32::try_from(wrong.into_inner()).ok()
}

/// Averages into the dense `out`.
pub(super) fn averages<T: Average>(
    x: Pixels<'_, T>,
    windows: &Windows,
    include_pad: bool,
    out: &mut [T],
    threads: &dyn Threads,
) {
    let (row, work) = x.row_of(windows);
    parallel::each(threads, out, row, work, |index, out| {
        average_row(x, windows, include_pad, place(windows, index), out);
    });
}

#[inline(always)]
fn averages_of_row<T: Average>(
    x: Pixels<'_, T>,
    windows: &Windows,
    include_pad: bool,
    (image, p): (usize, usize),
    out: &mut [T],
) {
    for (q, out) in out.chunks_exact_mut(x.channels).enumerate() {
        out.fill(T::default());
        for row in windows.range(0, p) {
            for column in windows.range(1, q) {
                let taps = x.at(image, row, column);
                out.iter_mut().zip(taps).for_each(|(sum, &next)| *sum = *sum + next);
            }
        }
        let count = T::count(divisor(windows, include_pad, p, q));
        out.iter_mut().for_each(|sum| *sum = *sum / count);
    }
}
multiversion!(fn average_row<T: Average>(x: Pixels<'_, T>, windows: &Windows, include_pad: bool, at: (usize, usize), out: &mut [T]) = averages_of_row);

/// Gradients of averages spread over their windows, into the dense `out`.
pub(super) fn spread<T: Average>(
    g: Pixels<'_, T>,
    windows: &Windows,
    include_pad: bool,
    out: &mut [T],
    threads: &dyn Threads,
) {
    let image = windows.inputs() * g.channels;
    let work = image + windows.outputs() * windows.size[0] * windows.size[1] * g.channels;
    parallel::each(threads, out, image, work, |index, out| spread_image(g, windows, include_pad, index, out));
}

#[inline(always)]
fn spread_of_image<T: Average>(g: Pixels<'_, T>, windows: &Windows, include_pad: bool, image: usize, out: &mut [T]) {
    out.fill(T::default());
    let ([_, columns], channels) = (windows.input, g.channels);
    for (p, q) in (0..windows.output[0]).flat_map(|p| (0..windows.output[1]).map(move |q| (p, q))) {
        let count = T::count(divisor(windows, include_pad, p, q));
        for (row, column) in windows.range(0, p).flat_map(|row| windows.range(1, q).map(move |column| (row, column))) {
            let out = &mut out[(row * columns + column) * channels..][..channels];
            out.iter_mut().zip(g.at(image, p, q)).for_each(|(out, &g)| *out = *out + g / count);
        }
    }
}
multiversion!(fn spread_image<T: Average>(g: Pixels<'_, T>, windows: &Windows, include_pad: bool, image: usize, out: &mut [T]) = spread_of_image);
