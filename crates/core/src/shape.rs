//! Shapes of up to eight dimensions and strided layouts over them.

use crate::error::{Error, Result};
use std::fmt;
use std::ops::Deref;

/// The largest rank a tensor may have.
pub const MAX_RANK: usize = 8;

/// Dimensions of a tensor, outermost first; dereferences to a slice.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    rank: u8,
    dims: [usize; MAX_RANK],
}

impl Shape {
    pub const SCALAR: Shape = Shape { rank: 0, dims: [0; MAX_RANK] };

    /// Panics past rank 8; use [`Shape::checked`] on anything a caller gave.
    pub fn new(dims: &[usize]) -> Shape {
        assert!(dims.len() <= MAX_RANK, "rank {} exceeds {MAX_RANK}", dims.len());
        let mut out = [0; MAX_RANK];
        out[..dims.len()].copy_from_slice(dims);
        Shape { rank: dims.len() as u8, dims: out }
    }

    /// As [`Shape::new`], refusing ranks past 8 and element counts past 2^53 (what JavaScript counts exactly).
    pub fn checked(dims: &[usize]) -> Result<Shape> {
        if dims.len() > MAX_RANK {
            return Err(Error::shape(format!("rank {} exceeds the largest rank {MAX_RANK}", dims.len()))
                .expected(format!("at most {MAX_RANK} dimensions"))
                .received(format!("{dims:?}")));
        }
        let mut total = 1u64;
        for &d in dims.iter().filter(|d| **d != 0) {
            total = total.checked_mul(d as u64).filter(|t| *t <= 1 << 53).ok_or_else(|| {
                Error::shape(format!("shape {dims:?} has more than 2^53 elements")).received(format!("{dims:?}"))
            })?;
        }
        Ok(Shape::new(dims))
    }

    pub fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The number of elements; 1 for a scalar.
    pub fn size(&self) -> usize {
        self.iter().product()
    }

    pub fn push(&mut self, dim: usize) {
        assert!(self.rank() < MAX_RANK);
        self.dims[self.rank()] = dim;
        self.rank += 1;
    }

    /// Dimension `axis` replaced by `dim`.
    pub fn with(&self, axis: usize, dim: usize) -> Shape {
        let mut out = *self;
        assert!(axis < self.rank());
        out.dims[axis] = dim;
        out
    }

    /// NumPy's broadcasting of two shapes; `None` where they don't fit.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let mut dims = [0; MAX_RANK];
        for i in 0..rank {
            let a = if i + self.rank() >= rank { self[i + self.rank() - rank] } else { 1 };
            let b = if i + other.rank() >= rank { other[i + other.rank() - rank] } else { 1 };
            dims[i] = match (a, b) {
                (a, b) if a == b => a,
                (1, b) => b,
                (a, 1) => a,
                _ => return None,
            };
        }
        Some(Shape::new(&dims[..rank]))
    }

    /// The shape after reducing `axes` (sorted), which stay as 1 with `keep_dim`.
    pub fn reduced(&self, axes: &[usize], keep_dim: bool) -> Shape {
        let mut out = Shape::SCALAR;
        for (i, &d) in self.iter().enumerate() {
            match (axes.contains(&i), keep_dim) {
                (false, _) => out.push(d),
                (true, true) => out.push(1),
                (true, false) => {}
            }
        }
        out
    }

    /// Row-major strides.
    pub fn strides(&self) -> Strides {
        let mut strides = [0isize; MAX_RANK];
        let mut step = 1isize;
        for i in (0..self.rank()).rev() {
            strides[i] = step;
            step *= self[i].max(1) as isize;
        }
        strides
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.dims[..self.rank as usize]
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Shape {
        Shape::new(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Shape {
        Shape::new(&dims)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Shape {
        let mut shape = Shape::SCALAR;
        for d in dims {
            shape.push(d);
        }
        shape
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Element steps between neighbours along each dimension; unused entries are 0.
pub type Strides = [isize; MAX_RANK];

/// Where each element of a logical shape lies in a buffer, counted in elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Layout {
    pub shape: Shape,
    pub strides: Strides,
    pub offset: usize,
}

impl Layout {
    pub fn contiguous(shape: Shape) -> Layout {
        Layout { shape, strides: shape.strides(), offset: 0 }
    }

    /// Row-major with no gaps, wherever it starts. Dimensions of size one and empty shapes never matter.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1isize;
        if self.shape.size() == 0 {
            return true;
        }
        for i in (0..self.shape.rank()).rev() {
            if self.shape[i] != 1 {
                if self.strides[i] != step {
                    return false;
                }
                step *= self.shape[i] as isize;
            }
        }
        true
    }

    /// The layout seen through broadcasting to `shape` (strides of 0 along the grown dimensions).
    pub fn broadcast_to(&self, shape: Shape) -> Option<Layout> {
        let grown = shape.rank().checked_sub(self.shape.rank())?;
        let mut strides = [0isize; MAX_RANK];
        for i in 0..self.shape.rank() {
            if self.shape[i] == shape[i + grown] {
                strides[i + grown] = if self.shape[i] == 1 { 0 } else { self.strides[i] };
            } else if self.shape[i] != 1 {
                return None;
            }
        }
        Some(Layout { shape, strides, offset: self.offset })
    }

    pub fn permute(&self, axes: &[usize]) -> Layout {
        let mut strides = [0isize; MAX_RANK];
        for (to, &from) in axes.iter().enumerate() {
            strides[to] = self.strides[from];
        }
        Layout { shape: axes.iter().map(|&a| self.shape[a]).collect(), strides, offset: self.offset }
    }

    /// Whether these are images `[N, C, H, W]` of several channels that are neighbours in memory, pixels apart.
    pub fn is_channels_last(&self) -> bool {
        let Ok([_, channels, _, _]) = <[usize; 4]>::try_from(&*self.shape) else { return false };
        let apart = |d: usize| self.shape[d] == 1 || self.strides[d] >= channels as isize;
        channels > 1 && self.strides[1] == 1 && [0, 2, 3].into_iter().all(apart) && !self.is_contiguous()
    }

    /// The same elements under another shape, or `None` where that needs a copy.
    pub fn reshape(&self, shape: Shape) -> Option<Layout> {
        if self.shape.size() == 0 || self.is_contiguous() {
            return Some(Layout { offset: self.offset, ..Layout::contiguous(shape) });
        }
        // Walk groups of old and new dimensions that cover the same number of elements.
        let old: Vec<(usize, isize)> =
            (0..self.shape.rank()).filter(|&i| self.shape[i] != 1).map(|i| (self.shape[i], self.strides[i])).collect();
        let mut strides = [0isize; MAX_RANK];
        let (mut o, mut n) = (0, 0);
        while o < old.len() {
            let (o0, n0) = (o, n);
            let (mut old_size, mut new_size) = (old[o].0, 1);
            o += 1;
            while n < shape.rank() && (new_size < old_size || shape[n] == 1) {
                new_size *= shape[n];
                n += 1;
            }
            while old_size < new_size {
                old_size *= old.get(o)?.0;
                o += 1;
                while n < shape.rank() && new_size < old_size {
                    new_size *= shape[n];
                    n += 1;
                }
            }
            if old_size != new_size {
                return None;
            }
            for i in o0..o - 1 {
                if old[i].1 != old[i + 1].1 * old[i + 1].0 as isize {
                    return None;
                }
            }
            let mut step = old[o - 1].1;
            for i in (n0..n).rev() {
                strides[i] = step;
                step *= shape[i] as isize;
            }
        }
        Some(Layout { shape, strides, offset: self.offset })
    }

    /// `shape.size()` elements starting at `start`, stepping by `step` (negative steps walk back) along `axis`.
    pub fn slice(&self, axis: usize, start: usize, step: isize, length: usize) -> Layout {
        let mut out = *self;
        if length > 0 {
            out.offset = (self.offset as isize + start as isize * self.strides[axis]) as usize;
        }
        out.strides[axis] = self.strides[axis] * step;
        out.shape = self.shape.with(axis, length);
        out
    }

    /// One past the largest buffer index that the layout touches.
    pub fn end(&self) -> usize {
        if self.shape.size() == 0 {
            return self.offset;
        }
        let reach: isize = (0..self.shape.rank()).map(|i| self.strides[i].max(0) * (self.shape[i] as isize - 1)).sum();
        (self.offset as isize + reach) as usize + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_of_views() {
        let base = Layout::contiguous(Shape::from([4, 6]));
        let t = base.permute(&[1, 0]);
        assert!(t.reshape(Shape::from([24])).is_none());
        assert_eq!(t.reshape(Shape::from([2, 3, 4])).unwrap().strides[..3], [3, 1, 6]);
        assert_eq!(t.reshape(Shape::from([6, 2, 2])).unwrap().strides[..3], [1, 12, 6]);
        let rows = base.slice(0, 0, 2, 2);
        assert!(rows.reshape(Shape::from([12])).is_none());
        assert_eq!(rows.reshape(Shape::from([2, 2, 3])).unwrap().strides[..3], [12, 3, 1]);
    }

    #[test]
    fn broadcasting() {
        let a = Shape::from([4, 1, 3]);
        assert_eq!(a.broadcast(&Shape::from([5, 1])), Some(Shape::from([4, 5, 3])));
        assert_eq!(a.broadcast(&Shape::from([2, 1, 3])), None);
        assert_eq!(Shape::from([0, 1]).broadcast(&Shape::from([1, 3])), Some(Shape::from([0, 3])));
    }
}
