//! Windows over planes: sizes, their errors, and planes of strided values.

use fovea_core::device::{CpuInput, Element};
use fovea_core::{Error, Layout, Result, Shape, TensorType};
use std::ops::Range;

/// Windows in a row from which on tap by tap is faster, measured with 3×3 windows.
const WIDE: usize = 24;

/// Windows over a plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Height and width of the plane.
    pub input: [usize; 2],
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Windows along each dimension.
    pub output: [usize; 2],
}

/// Height and width of `ty`'s planes, a float of rank 3 or 4.
pub(super) fn planes(ty: &TensorType, name: &str) -> Result<[usize; 2]> {
    if !ty.dtype.is_float() {
        return Err(Error::dtype(format!("pooling takes f32 or f64, {name} is {}; cast it with to('f32')", ty.dtype))
            .at(name)
            .expected("f32 or f64")
            .received(ty.dtype.name()));
    }
    match *ty.shape {
        [_, h, w] | [_, _, h, w] => Ok([h, w]),
        _ => Err(Error::shape(format!("{name} must be [N, C, H, W] or [C, H, W], got shape {}", ty.shape))
            .at(name)
            .expected("3 or 4 dimensions")
            .received(ty.shape.to_string())),
    }
}

/// `shape` with the last two dimensions replaced.
pub(super) fn with_planes(shape: Shape, [height, width]: [usize; 2]) -> Shape {
    let rank = shape.rank();
    shape.with(rank - 2, height).with(rank - 1, width)
}

impl Windows {
    /// `stride` 0 stands for the window's size.
    pub fn new(input: [usize; 2], size: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Windows> {
        let mut windows = Windows { input, size, stride, padding, output: [0; 2] };
        for d in 0..2 {
            if size[d] == 0 {
                return Err(Error::argument(format!("kernel_size must be at least 1, got {size:?}"))
                    .at("kernel_size")
                    .expected("1 or more")
                    .received(format!("{size:?}")));
            }
            if stride[d] == 0 {
                windows.stride[d] = size[d];
            }
            if padding[d] > size[d] / 2 {
                return Err(Error::argument(format!(
                    "padding must be at most half of kernel_size, got padding {padding:?} for kernel_size {size:?}"
                ))
                .at("padding")
                .expected(format!("at most {:?}", size.map(|s| s / 2)))
                .received(format!("{padding:?}")));
            }
            let padded = input[d] + 2 * padding[d];
            if size[d] > padded || input[d] == 0 {
                return Err(Error::shape(format!(
                    "a window of {size:?} does not fit into planes of {input:?} with padding {padding:?}"
                ))
                .at("kernel_size")
                .expected(format!("at most {padded} along {}", ["height", "width"][d]))
                .received(size[d].to_string()));
            }
            windows.output[d] = (padded - size[d]) / windows.stride[d] + 1;
        }
        Ok(windows)
    }

    /// The part of window `at` along dimension `d` that lies in the plane.
    pub fn range(&self, d: usize, at: usize) -> Range<usize> {
        let start = at * self.stride[d];
        start.saturating_sub(self.padding[d])..(start + self.size[d] - self.padding[d]).min(self.input[d])
    }

    /// The windows of a row whose tap number `tap` lies in the plane.
    pub fn with_tap(&self, tap: usize) -> Range<usize> {
        let ([_, stride], [_, padding]) = (self.stride, self.padding);
        let first = padding.saturating_sub(tap).div_ceil(stride);
        let end = (self.input[1] + padding).saturating_sub(tap).div_ceil(stride).min(self.output[1]);
        first.min(end)..end
    }

    /// The column of tap number `tap` of window `window`.
    pub fn column(&self, window: usize, tap: usize) -> usize {
        window * self.stride[1] + tap - self.padding[1]
    }

    /// Whether going through the rows of the result tap by tap pays, rather than window by window.
    pub fn are_wide(&self) -> bool {
        self.output[1] >= WIDE
    }

    /// Whether windows are two by two and touch without overlap.
    pub fn are_twos(&self) -> bool {
        self.size == [2, 2] && self.stride == [2, 2] && self.padding == [0, 0]
    }

    /// Rows `row..row + count` of a plane.
    pub fn rows<'p, T>(&self, plane: &'p [T], row: usize, count: usize) -> &'p [T] {
        &plane[row * self.input[1]..(row + count) * self.input[1]]
    }

    pub fn inputs(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub fn outputs(&self) -> usize {
        self.output[0] * self.output[1]
    }
}

/// `count` elements of `row` from `start` in steps of `stride`, copied to `buffer` where they are not neighbours.
pub(super) fn taps<'b, T: Element>(
    row: &'b [T],
    start: usize,
    stride: usize,
    count: usize,
    buffer: &'b mut Vec<T>,
) -> &'b [T] {
    let row = &row[start..];
    match stride {
        _ if count == 0 => &[],
        1 => &row[..count],
        2 => {
            // The last pair may lack its second half.
            buffer.clear();
            buffer.extend(row.as_chunks::<2>().0.iter().take(count).map(|pair| pair[0]));
            buffer.extend((buffer.len() < count).then(|| row[2 * (count - 1)]));
            buffer
        }
        _ => {
            buffer.clear();
            buffer.extend(row.iter().step_by(stride).take(count));
            buffer
        }
    }
}

/// The planes of a value, counted in row-major order of its leading dimensions.
pub(super) struct Planes<'a, T> {
    values: &'a [T],
    layout: Layout,
    /// Planes are row-major, without gaps.
    whole: bool,
}

impl<'a, T: Element> Planes<'a, T> {
    pub fn of(input: &CpuInput<'a>) -> Planes<'a, T> {
        let (shape, strides) = (input.layout.shape, input.layout.strides);
        let [rows, cols] = [shape.rank() - 2, shape.rank() - 1];
        let whole = strides[cols] == 1 && strides[rows] == shape[cols] as isize;
        Planes { values: input.elements(), layout: input.layout, whole }
    }

    /// Plane `index` in row-major order, copied to `buffer` where it lies otherwise.
    pub fn get<'b>(&self, index: usize, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        let Layout { shape, strides, offset } = &self.layout;
        let [rows, cols] = [shape.rank() - 2, shape.rank() - 1];
        let mut start = *offset as isize;
        let mut rest = index;
        for d in (0..rows).rev() {
            start += (rest % shape[d]) as isize * strides[d];
            rest /= shape[d];
        }
        if self.whole {
            return &self.values[start as usize..start as usize + shape[rows] * shape[cols]];
        }
        buffer.clear();
        for row in 0..shape[rows] as isize {
            let start = start + row * strides[rows];
            buffer.extend((0..shape[cols] as isize).map(|col| self.values[(start + col * strides[cols]) as usize]));
        }
        buffer
    }
}
