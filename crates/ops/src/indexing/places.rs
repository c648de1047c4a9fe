//! Places that an index tensor names, and strided values cut into slices.

use fovea_core::device::{CpuInput, Element};
use fovea_core::{DType, Error, Result, Shape, TensorType};

/// An index tensor must be of integers.
pub(crate) fn check_index_type(ty: &TensorType, name: &str) -> Result<()> {
    if matches!(ty.dtype, DType::I32 | DType::I64) {
        return Ok(());
    }
    Err(Error::dtype(format!("{name} must be i32 or i64, got {}; cast it with to('i32')", ty.dtype))
        .at(name)
        .expected("i32 or i64")
        .received(ty.dtype.name()))
}

/// `index` as a place in `0..size`, or the error that it is none; it was found at `position` of a row-major `shape`.
pub(crate) fn checked_index(name: &str, index: i64, size: usize, shape: Shape, position: usize) -> Result<usize> {
    if let Some(place) = usize::try_from(index).ok().filter(|&place| place < size) {
        return Ok(place);
    }
    let mut place = [0; fovea_core::shape::MAX_RANK];
    let mut rest = position;
    for d in (0..shape.rank()).rev() {
        place[d] = rest % shape[d];
        rest /= shape[d];
    }
    let place = &place[..shape.rank()];
    let expected = if size == 0 { "no index: the dimension is empty".to_owned() } else { format!("0 to {}", size - 1) };
    Err(Error::argument(format!("{name} {index} at position {place:?} is out of range for a dimension of size {size}"))
        .at(name)
        .expected(expected)
        .received(index.to_string()))
}

/// Offsets of all indices into `shape` under `strides`, in row-major order.
pub(crate) fn offsets(shape: &[usize], strides: &[isize]) -> Vec<isize> {
    let mut offsets = Vec::with_capacity(shape.iter().product());
    offsets.push(0);
    for (&size, &stride) in shape.iter().zip(strides) {
        let outer = std::mem::take(&mut offsets);
        offsets.reserve(outer.len() * size);
        for start in outer {
            offsets.extend((0..size as isize).map(|i| start + i * stride));
        }
    }
    offsets
}

/// The indices in row-major order, each checked to lie in `0..size`.
pub(super) fn places(input: &CpuInput<'_>, name: &str, size: usize) -> Result<Vec<usize>> {
    match input.dtype {
        DType::I64 => checked::<i64>(input, name, size),
        _ => checked::<i32>(input, name, size),
    }
}

fn checked<T: Element + Into<i64>>(input: &CpuInput<'_>, name: &str, size: usize) -> Result<Vec<usize>> {
    let (values, layout) = (input.elements::<T>(), input.layout);
    let mut places = Vec::with_capacity(layout.shape.size());
    let mut put = |value: T| {
        places.push(checked_index(name, value.into(), size, layout.shape, places.len())?);
        Ok(())
    };
    match input.contiguous::<T>() {
        Some(values) => values.iter().try_for_each(|&v| put(v))?,
        None => {
            let start = layout.offset as isize;
            let rank = layout.shape.rank();
            offsets(&layout.shape, &layout.strides[..rank])
                .iter()
                .try_for_each(|o| put(values[(start + o) as usize]))?;
        }
    }
    Ok(places)
}

/// A value seen as slices of its last dimensions, behind `outer` dimensions and one that is indexed.
pub(super) struct Slices<'a, T> {
    values: &'a [T],
    /// Where each index of the outer dimensions starts.
    outer: Vec<isize>,
    step: isize,
    length: usize,
    /// Offsets within a slice; `None` where its elements are neighbours.
    within: Option<Vec<isize>>,
}

/// One slice.
pub(super) struct Slice<'s, T> {
    values: &'s [T],
    start: isize,
    length: usize,
    within: Option<&'s [isize]>,
}

impl<'a, T: Element> Slices<'a, T> {
    /// Slices along dimension `dim`.
    pub fn along(input: &CpuInput<'a>, dim: usize) -> Slices<'a, T> {
        Slices::behind(input, dim, dim + 1, input.layout.strides[dim])
    }

    /// Slices behind the first `leading` dimensions, which all count as outer ones.
    pub fn rows(input: &CpuInput<'a>, leading: usize) -> Slices<'a, T> {
        Slices::behind(input, leading, leading, 0)
    }

    fn behind(input: &CpuInput<'a>, outer: usize, inner: usize, step: isize) -> Slices<'a, T> {
        let layout = &input.layout;
        let rank = layout.shape.rank();
        let mut starts = offsets(&layout.shape[..outer], &layout.strides[..outer]);
        starts.iter_mut().for_each(|s| *s += layout.offset as isize);
        let (shape, strides) = (&layout.shape[inner..], &layout.strides[inner..rank]);
        let row_major = Shape::new(shape).strides();
        let neighbours = shape.iter().zip(strides.iter().zip(row_major)).all(|(&d, (&s, r))| d == 1 || s == r);
        Slices {
            values: input.elements(),
            outer: starts,
            step,
            length: shape.iter().product(),
            within: (!neighbours).then(|| offsets(shape, strides)),
        }
    }

    pub fn get(&self, outer: usize, index: usize) -> Slice<'_, T> {
        Slice {
            values: self.values,
            start: self.outer[outer] + index as isize * self.step,
            length: self.length,
            within: self.within.as_deref(),
        }
    }
}

impl<T: Element> Slice<'_, T> {
    /// Calls `body` with each element of `out` and of the slice.
    #[inline(always)]
    pub fn zip(&self, out: &mut [T], body: impl Fn(&mut T, T)) {
        match self.within {
            None => {
                let start = self.start as usize;
                out.iter_mut().zip(&self.values[start..start + self.length]).for_each(|(out, &v)| body(out, v));
            }
            Some(within) => {
                out.iter_mut().zip(within).for_each(|(out, o)| body(out, self.values[(self.start + o) as usize]));
            }
        }
    }
}

/// Runs a generic kernel for the dtype of an input that is only moved.
macro_rules! for_each_dtype {
    ($dtype:expr, $run:ident($($argument:expr),*)) => {
        match $dtype {
            fovea_core::DType::F32 => $run::<f32>($($argument),*),
            fovea_core::DType::F64 => $run::<f64>($($argument),*),
            fovea_core::DType::I32 => $run::<i32>($($argument),*),
            fovea_core::DType::I64 => $run::<i64>($($argument),*),
            fovea_core::DType::U8 | fovea_core::DType::Bool => $run::<u8>($($argument),*),
        }
    };
}
pub(crate) use for_each_dtype;

/// Numbers that are added; integers wrap.
pub(super) trait Accumulate: Element {
    fn plus(self, other: Self) -> Self;
}
macro_rules! accumulate {
    ($($t:ty: |$a:ident, $b:ident| $sum:expr),* $(,)?) => {$(
        impl Accumulate for $t {
            #[inline(always)]
            fn plus(self, other: $t) -> $t {
                let ($a, $b) = (self, other);
                $sum
            }
        }
    )*};
}
accumulate! {
    f32: |a, b| a + b,
    f64: |a, b| a + b,
    i32: |a, b| a.wrapping_add(b),
    i64: |a, b| a.wrapping_add(b),
    u8: |a, b| a.wrapping_add(b),
}

/// What is added to must be numbers.
pub(super) fn check_addable(ty: &TensorType, name: &str) -> Result<()> {
    if ty.dtype != DType::Bool {
        return Ok(());
    }
    Err(Error::dtype(format!("{name} is bool, which can't be added; cast it with to('i32')"))
        .at(name)
        .expected("a number type")
        .received("bool"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_views() {
        assert_eq!(offsets(&[], &[]), [0]);
        assert_eq!(offsets(&[2, 3], &[1, -2]), [0, -2, -4, 1, -1, -3]);
        assert!(offsets(&[2, 0, 3], &[3, 3, 1]).is_empty());
    }
}
