//! Which operand is broadcast and which is read as vectors, in which order of loops, and how each is packed.

use super::axes::{Axes, Axis, MAX_CHECKS, Place};
use super::image::Image;
use super::problem::{Access, Problem};
use fovea_core::contraction::Role;
use fovea_core::{Error, Result};

/// One operand of a prepared product: `outer` × `sum`, for each index of `batch`.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub start: Place,
    /// Sizes that the checked coordinates must stay below.
    pub limits: Vec<isize>,
    pub batch: Axes,
    pub outer: Axes,
    pub sum: Axes,
    /// Packed along `outer`, where neighbours are neighbours in memory, or along `sum`.
    pub across: bool,
}

/// A matrix product for each batch index, ready to run: `m` runs along the broadcast operand, `n` along vectors.
#[derive(Clone, Debug)]
pub(super) struct Product {
    /// The contraction's `b` is the broadcast operand.
    pub swapped: bool,
    pub batches: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub left: Operand,
    pub right: Operand,
    /// Where the broadcast operand is read from boxes of its images instead of packed.
    pub image: Option<Image>,
    /// Where the result starts, and how it lies.
    pub out: isize,
    pub out_batch: Axes,
    pub out_rows: Axes,
    pub out_cols: Axes,
}

/// Sizes of the kernel that the choice weighs with.
#[derive(Clone, Copy)]
pub(super) struct TileSize {
    pub rows: usize,
    pub lanes: usize,
    pub block: usize,
    /// Bytes of an element.
    pub element: usize,
}

impl Product {
    /// All ways to run the problem. No choice among them changes a bit.
    pub fn ways(problem: &Problem, tile: TileSize) -> Result<Vec<Product>> {
        let mut ways = Vec::with_capacity(16);
        for swapped in [false, true] {
            for by_operand in [(false, false), (true, false), (false, true), (true, true)] {
                let packed = Product::new(problem, swapped, by_operand)?;
                ways.extend(packed.with_image(problem, by_operand.0, tile));
                ways.push(packed);
            }
        }
        Ok(ways)
    }

    /// The cheapest of the ways, by a rough count of cycles.
    pub fn choose(problem: &Problem, tile: TileSize) -> Result<Product> {
        let ways = Product::ways(problem, tile)?.into_iter().map(|product| (product.cost(tile), product));
        let cheapest = ways.min_by(|(a, _), (b, _)| a.total_cmp(b));
        cheapest.map(|(_, product)| product).ok_or_else(|| Error::internal("no way to run a contraction"))
    }

    fn new(problem: &Problem, swapped: bool, by_operand: (bool, bool)) -> Result<Product> {
        let (left, right) = if swapped { (&problem.b, &problem.a) } else { (&problem.a, &problem.b) };
        let (row_role, col_role) = if swapped { (Role::Col, Role::Row) } else { (Role::Row, Role::Col) };
        let rows = order(problem, row_role, by_operand.0.then_some(left));
        let cols = order(problem, col_role, by_operand.1.then_some(right));
        let batch = order(problem, Role::Batch, None);
        let out = |loops: &[usize]| {
            let axis = |&i: &usize| {
                let l = problem.loops[i];
                Axis { size: l.size, stride: l.out, coords: [0; MAX_CHECKS] }
            };
            Axes::new(loops.iter().map(axis))
        };
        Ok(Product {
            swapped,
            batches: problem.extent(Role::Batch),
            m: problem.extent(row_role),
            n: problem.extent(col_role),
            k: problem.extent(Role::Sum),
            left: Operand::new(problem, left, &batch, &rows)?,
            right: Operand::new(problem, right, &batch, &cols)?,
            image: None,
            out: problem.out,
            out_batch: out(&batch),
            out_rows: out(&rows),
            out_cols: out(&cols),
        })
    }

    /// The same with the broadcast operand read from boxes of its images, where it has such.
    fn with_image(&self, problem: &Problem, by_operand: bool, tile: TileSize) -> Option<Product> {
        let (left, role) = if self.swapped { (&problem.b, Role::Col) } else { (&problem.a, Role::Row) };
        let image = Image::of(problem, left, &order(problem, role, by_operand.then_some(left)), tile)?;
        Some(Product { image: Some(image), ..self.clone() })
    }

    /// How rows come in stretches that a tile can't cross.
    pub fn row_stretch(&self) -> Option<usize> {
        let image = self.image.as_ref()?;
        Some(if image.positions_are_rows { image.row() } else { image.taps.innermost().size })
    }

    /// Cycles for one batch index, roughly; the figures are of an AVX-512 machine and only their order matters.
    fn cost(&self, tile: TileSize) -> f64 {
        let (m, n, k) = (self.m as f64, self.n as f64, self.k as f64);
        let vectors = self.n.div_ceil(tile.lanes) as f64 / 2.0;
        // A short tile waits for the multiply-adds' latency.
        let cut = |rows: usize, whole: usize, rest: usize| {
            (rows / whole * 2 * whole) as f64 + if rest > 0 { (2 * rest).max(6) as f64 } else { 0.0 }
        };
        let heights = match self.row_stretch() {
            None => cut(self.m, tile.rows, self.m % tile.rows),
            Some(stretch) => {
                let pieces = stretch.div_ceil(tile.rows);
                let piece = stretch.div_ceil(pieces);
                m / stretch as f64 * pieces as f64 * (2 * piece).max(6) as f64
            }
        };
        let multiply = vectors * heights * k;
        let left = match &self.image {
            Some(image) => (if image.positions_are_rows { m } else { k }) * image.cost(),
            None if self.left.across => m * k * (0.1 + self.left.across_cost(tile.rows)),
            None => m * k * self.left.along_cost(),
        };
        let right = n
            * k
            * if self.right.across { self.right.across_cost(2 * tile.lanes) } else { 0.4 + self.right.along_cost() };
        let inner = self.out_cols.innermost();
        let store = if inner.stride == 1 { 0.2 + 6.0 / inner.size as f64 } else { 2.5 };
        multiply + left + right + store * m * n * self.k.div_ceil(tile.block) as f64
    }
}

/// Outer loops may run in any order: as they lie in the result, or as they lie in the operand.
fn order(problem: &Problem, role: Role, operand: Option<&Access>) -> Vec<usize> {
    let mut loops: Vec<usize> = loops_of(problem, role);
    let stride = |i: usize| operand.map_or(problem.loops[i].out, |o| o.stride(i)).unsigned_abs();
    loops.sort_by_key(|&i| std::cmp::Reverse(stride(i)));
    loops
}

pub(super) fn loops_of(problem: &Problem, role: Role) -> Vec<usize> {
    (0..problem.loops.len()).filter(|&i| problem.loops[i].role == role).collect()
}

/// Cycles that starting a run costs, across and along, and an element of it with and without unit stride.
const RUN_ACROSS: f64 = 5.0;
const RUN_ALONG: f64 = 10.0;
const UNIT: f64 = 0.2;
const STRIDED: f64 = 1.5;

impl Operand {
    fn new(problem: &Problem, access: &Access, batch: &[usize], outer: &[usize]) -> Result<Operand> {
        let mut start = Place { offset: access.start, ..Place::default() };
        let mut checked = Vec::new();
        for (d, dim) in access.dims.iter().enumerate() {
            start.offset += dim.offset * dim.stride;
            if dim.is_checked(&problem.loops) {
                if checked.len() == MAX_CHECKS {
                    return Err(Error::internal(format!("a contraction checks more than {MAX_CHECKS} coordinates")));
                }
                start.coords[checked.len()] = dim.offset;
                checked.push(d);
            }
        }
        let axes = |loops: &[usize]| {
            Axes::new(loops.iter().map(|&i| {
                let mut coords = [0; MAX_CHECKS];
                for (to, &d) in coords.iter_mut().zip(&checked) {
                    *to = access.dims[d].coefficients[i];
                }
                Axis { size: problem.loops[i].size, stride: access.stride(i), coords }
            }))
        };
        let sum = axes(&loops_of(problem, Role::Sum));
        let limits = checked.iter().map(|&d| access.dims[d].size as isize).collect();
        let mut operand = Operand { start, limits, batch: axes(batch), outer: axes(outer), sum, across: false };
        operand.across = operand.across_cost(32) <= operand.along_cost();
        Ok(operand)
    }

    /// Cycles for an element when packed along `outer` into panels of `width`.
    fn across_cost(&self, width: usize) -> f64 {
        let inner = self.outer.innermost();
        (if inner.stride == 1 { UNIT } else { 1.2 * STRIDED }) + RUN_ACROSS / inner.size.min(width) as f64
    }

    /// Cycles for an element when packed along `sum`.
    fn along_cost(&self) -> f64 {
        let inner = self.sum.innermost();
        (if inner.stride == 1 { UNIT } else { STRIDED }) + RUN_ALONG / inner.size.min(256) as f64
    }
}
