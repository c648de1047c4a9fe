//! The iteration space of a nest in the order in which it is walked, with neighbouring dimensions merged.

use smallvec::SmallVec;

/// Element steps along the dimensions of a [`Space`].
pub type Steps = SmallVec<[isize; 8]>;

/// What the elements of the space touch in one buffer (or the position that they have).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Steps in elements, outermost first.
    pub steps: Steps,
    /// Element index of the first one.
    pub offset: isize,
    /// Bytes of an element.
    pub size: usize,
    /// Whether the element number `i` of the space's order lies at `offset + i`.
    pub linear: bool,
}

impl Access {
    pub fn new(steps: &[isize], offset: isize, size: usize) -> Access {
        Access { steps: steps.into(), offset, size, linear: false }
    }

    /// Whether every element is the same one.
    pub fn is_single(&self) -> bool {
        self.steps.iter().all(|&s| s == 0)
    }

    /// The step along the innermost dimension.
    pub fn inner(&self) -> isize {
        self.steps[self.steps.len() - 1]
    }
}

/// `rows` consecutive rows from `row` on, of each the columns `col..col + cols`. A row is one pass along the innermost
/// dimension; rows are numbered in the order of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    pub row: usize,
    pub rows: usize,
    pub col: usize,
    pub cols: usize,
}

/// A part of a rectangle in which an access moves by constant steps.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Element index of the first.
    pub start: isize,
    pub rows: usize,
    pub row_step: isize,
    pub cols: usize,
    pub col_step: isize,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Space {
    /// Sizes, outermost first; at least one dimension.
    pub dims: SmallVec<[usize; 8]>,
    pub accesses: Vec<Access>,
}

impl Space {
    /// Walks `shape` in `order` (outermost first; dimensions of size one may be left out). `accesses` have one step
    /// for each dimension of `shape`. Dimensions of different groups are never merged.
    pub fn new(shape: &[usize], order: &[usize], group: &dyn Fn(usize) -> u8, accesses: &[Access]) -> Space {
        let mut dims: SmallVec<[usize; 8]> = SmallVec::new();
        let mut groups: SmallVec<[u8; 8]> = SmallVec::new();
        let mut steps: Vec<Steps> = vec![Steps::new(); accesses.len()];
        for &axis in order.iter().filter(|&&axis| shape[axis] != 1) {
            let merges = groups.last() == Some(&group(axis))
                && accesses.iter().zip(&steps).all(|(a, s)| s[s.len() - 1] == a.steps[axis] * shape[axis] as isize);
            if merges {
                if let Some(last) = dims.last_mut() {
                    *last *= shape[axis];
                }
                for (a, s) in accesses.iter().zip(&mut steps) {
                    s.pop();
                    s.push(a.steps[axis]);
                }
            } else {
                dims.push(shape[axis]);
                groups.push(group(axis));
                for (a, s) in accesses.iter().zip(&mut steps) {
                    s.push(a.steps[axis]);
                }
            }
        }
        if dims.is_empty() {
            dims.push(1);
            steps.iter_mut().for_each(|s| s.push(0));
        }
        let accesses = accesses
            .iter()
            .zip(steps)
            .map(|(a, steps)| {
                let mut size = 1isize;
                let mut linear = true;
                for (&d, &s) in dims.iter().zip(&steps).rev() {
                    linear &= d == 1 || s == size;
                    size *= d as isize;
                }
                Access { steps, linear, ..a.clone() }
            })
            .collect();
        Space { dims, accesses }
    }

    /// Length of a row.
    pub fn cols(&self) -> usize {
        self.dims[self.dims.len() - 1]
    }

    pub fn rows(&self) -> usize {
        self.dims[..self.dims.len() - 1].iter().product()
    }

    /// Rows from `row` on that lie at equal distances, whatever the access.
    pub fn alike(&self, row: usize) -> usize {
        let height = self.dims.len().checked_sub(2).map_or(1, |last| self.dims[last]);
        height - row % height
    }

    /// The element that an access touches at the start of a rectangle.
    pub fn start(&self, access: &Access, rect: Rect) -> isize {
        if access.linear {
            return access.offset + (rect.row * self.cols() + rect.col) as isize;
        }
        let mut at = access.offset + rect.col as isize * access.inner();
        let mut row = rect.row;
        for i in (1..self.dims.len() - 1).rev() {
            if row == 0 {
                break;
            }
            at += (row % self.dims[i]) as isize * access.steps[i];
            row /= self.dims[i];
        }
        // What is left is below the outermost dimension's size.
        if self.dims.len() > 1 { at + row as isize * access.steps[0] } else { at }
    }

    /// Calls `body` for the pieces of a rectangle, in order.
    #[inline]
    pub fn pieces(&self, access: &Access, rect: Rect, mut body: impl FnMut(Piece)) {
        let cols = rect.cols;
        let col_step = access.inner();
        let last = self.dims.len().saturating_sub(2);
        if rect.rows == 1 || access.linear {
            let start = self.start(access, rect);
            let row_step = self.cols() as isize;
            return body(Piece { start, rows: rect.rows, row_step, cols, col_step });
        }
        let (height, row_step) = (self.dims[last], access.steps[last]);
        let (mut row, end) = (rect.row, rect.row + rect.rows);
        while row < end {
            let rows = (height - row % height).min(end - row);
            let start = self.start(access, Rect { row, ..rect });
            body(Piece { start, rows, row_step, cols, col_step });
            row += rows;
        }
    }

    /// The rectangles that cover the elements `start..start + n` of the order.
    pub fn range(&self, start: usize, n: usize) -> SmallVec<[Rect; 3]> {
        let cols = self.cols();
        let mut out = SmallVec::new();
        let (mut row, mut col, mut left) = (start / cols, start % cols, n);
        while left > 0 {
            let rect = if col == 0 && left >= cols {
                Rect { row, rows: left / cols, col, cols }
            } else {
                Rect { row, rows: 1, col, cols: left.min(cols - col) }
            };
            left -= rect.rows * rect.cols;
            row += rect.rows;
            col = 0;
            out.push(rect);
        }
        out
    }
}

/// The order of walking that keeps the smallest steps innermost; where accesses disagree, earlier ones win.
pub fn order_by_steps(axes: &[usize], accesses: &[Access]) -> SmallVec<[usize; 8]> {
    let outer_first = |a: usize, b: usize| {
        accesses.iter().find_map(|access| {
            let (x, y) = (access.steps[a].unsigned_abs(), access.steps[b].unsigned_abs());
            (x != 0 && y != 0 && x != y).then_some(x > y)
        })
    };
    let mut order: SmallVec<[usize; 8]> = SmallVec::new();
    for &axis in axes {
        // An insertion sort, since the comparison isn't transitive where accesses leave dimensions undecided.
        let mut at = order.len();
        for i in (0..order.len()).rev() {
            match outer_first(order[i], axis) {
                Some(true) => break,
                Some(false) => at = i,
                None => {}
            }
        }
        order.insert(at, axis);
    }
    order
}
