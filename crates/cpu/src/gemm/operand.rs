//! Which operand is broadcast and which is read as vectors, in which order of loops, and how each is packed.

use super::axes::{Axes, Axis, MAX_CHECKS, Place};
use super::depthwise::Depthwise;
use super::gemv::Gemv;
use super::image::Image;
use super::lanes::Lanes;
use super::problem::{Access, Problem};
use super::staging::Staging;
use super::stencil::Stencil;
use crate::loops::copy_strided;
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

/// How micro-kernels get at the broadcast operand.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// Packed by blocks.
    Packed,
    /// Where it lies: rows so many elements apart, terms side by side.
    InPlace(usize),
    /// From boxes of the images that it is, see [`Image`].
    Boxes(Box<Image>),
}

/// How micro-kernels get at the other operand, of which they read vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vectors {
    /// Packed by blocks into panels.
    Packed,
    /// Where they lie.
    InPlace,
    /// From panels of the whole operand, which is staged as such.
    Panels,
}

/// What computes a product.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Tiles of rows and vectors of columns, by the readings.
    Tiles,
    /// Many batch indices at a time.
    Lanes(Lanes),
    /// The same with the operands read where they lie.
    Depthwise(Depthwise),
    /// Few rows along the positions of planes.
    Stencil(Stencil),
    /// Few rows along those of a matrix.
    Gemv(Gemv),
}

/// A matrix product for each batch index, ready to run: `m` runs along the broadcast operand, `n` along vectors.
#[derive(Clone, Debug)]
pub(super) struct Product {
    /// The contraction's `b` is the broadcast operand.
    pub swapped: bool,
    /// It computes the whole result, not a part of it.
    pub whole: bool,
    pub batches: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub left: Operand,
    pub right: Operand,
    /// How the broadcast operand is read.
    pub reading: Reading,
    pub vectors: Vectors,
    pub way: Way,
    /// How each of the contraction's operands is copied before it is read, and the result after it is computed.
    pub staged: [Option<Staging>; 2],
    pub staged_out: Option<Staging>,
    /// Where the result starts, and how it lies.
    pub out: isize,
    pub out_batch: Axes,
    pub out_rows: Axes,
    pub out_cols: Axes,
}

/// Rows at a multiple of so many bytes use few sets of a first-level cache.
const SHARED_SETS: isize = 1024;

/// With more tiles of rows than this, vectors are packed.
const FEW_TILES: usize = 2;

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
        use Order::{ChannelsLast, Operand as ByOperand, Result as ByResult};
        for swapped in [false, true] {
            for orders in [(ByResult, ByResult), (ByOperand, ByResult), (ByResult, ByOperand), (ByOperand, ByOperand)] {
                let packed = Product::new(problem, swapped, orders)?;
                if let Some(boxes) = packed.with_boxes(problem, orders.0, tile) {
                    ways.extend(boxes.with_right_in_place(tile));
                    ways.push(boxes);
                }
                ways.extend(packed.with_lanes(problem, orders.0, tile));
                ways.extend(packed.with_depthwise(problem, orders.0, tile));
                ways.extend(packed.with_few_rows(problem, orders.1, tile));
                let in_place = packed.in_place(tile);
                for way in in_place.into_iter().chain([packed]) {
                    ways.extend(way.with_right_in_place(tile));
                    ways.push(way);
                }
            }
            for orders in [(ChannelsLast, ByResult), (ChannelsLast, ByOperand)] {
                if let Some(boxes) = Product::new(problem, swapped, orders)?.with_boxes(problem, orders.0, tile) {
                    ways.extend(boxes.with_right_in_place(tile));
                    ways.push(boxes);
                }
            }
        }
        let tiles = ways.iter().filter(|way| matches!(way.way, Way::Tiles) && way.vectors == Vectors::Packed);
        let panels: Vec<Product> = tiles.filter_map(|way| way.with_panels(problem, tile)).collect();
        ways.extend(panels);
        let staged: Vec<Product> = ways.iter().filter_map(Product::with_staged_result).collect();
        ways.extend(staged);
        Ok(ways)
    }

    /// The cheapest of the ways, by a rough count of cycles.
    pub fn choose(problem: &Problem, tile: TileSize) -> Result<Product> {
        let ways = Product::ways(problem, tile)?.into_iter().map(|product| (product.cost(tile), product));
        let cheapest = ways.min_by(|(a, _), (b, _)| a.total_cmp(b));
        cheapest.map(|(_, product)| product).ok_or_else(|| Error::internal("no way to run a contraction"))
    }

    fn new(problem: &Problem, swapped: bool, orders: (Order, Order)) -> Result<Product> {
        let (left, right) = if swapped { (&problem.b, &problem.a) } else { (&problem.a, &problem.b) };
        let (row_role, col_role) = if swapped { (Role::Col, Role::Row) } else { (Role::Row, Role::Col) };
        let rows = orders.0.of(problem, row_role, left);
        let cols = orders.1.of(problem, col_role, right);
        let batch = Order::Result.of(problem, Role::Batch, left);
        let out = |loops: &[usize]| {
            let axis = |&i: &usize| {
                let l = problem.loops[i];
                Axis { size: l.size, stride: l.out, coords: [0; MAX_CHECKS] }
            };
            Axes::new(loops.iter().map(axis))
        };
        Ok(Product {
            swapped,
            whole: problem.whole,
            batches: problem.extent(Role::Batch),
            m: problem.extent(row_role),
            n: problem.extent(col_role),
            k: problem.extent(Role::Sum),
            left: Operand::new(problem, left, &batch, &rows)?,
            right: Operand::new(problem, right, &batch, &cols)?,
            reading: Reading::Packed,
            vectors: Vectors::Packed,
            way: Way::Tiles,
            staged: problem.staged.each_ref().map(|staged| staged.as_ref().map(|(staging, _)| staging.clone())),
            staged_out: None,
            out: problem.out,
            out_batch: out(&batch),
            out_rows: out(&rows),
            out_cols: out(&cols),
        })
    }

    /// The same with the broadcast operand read from boxes of its images, where it has such.
    fn with_boxes(&self, problem: &Problem, order: Order, tile: TileSize) -> Option<Product> {
        let (left, role) = if self.swapped { (&problem.b, Role::Col) } else { (&problem.a, Role::Row) };
        let image = Image::of(problem, left, &order.of(problem, role, left), tile)?;
        Some(Product { reading: Reading::Boxes(Box::new(image)), ..self.clone() })
    }

    /// The same computed for many batch indices at a time, where it is a depthwise convolution.
    fn with_lanes(&self, problem: &Problem, order: Order, tile: TileSize) -> Option<Product> {
        let (left, role) = if self.swapped { (&problem.b, Role::Col) } else { (&problem.a, Role::Row) };
        let lanes = Lanes::of(self, problem, left, &order.of(problem, role, left), tile)?;
        Some(Product { way: Way::Lanes(lanes), ..self.clone() })
    }

    /// The same read where it lies, channels last.
    fn with_depthwise(&self, problem: &Problem, order: Order, tile: TileSize) -> Option<Product> {
        let (left, role) = if self.swapped { (&problem.b, Role::Col) } else { (&problem.a, Role::Row) };
        let depthwise = Depthwise::of(self, problem, left, &order.of(problem, role, left), tile)?;
        Some(Product { way: Way::Depthwise(depthwise), ..self.clone() })
    }

    /// The same along the rows of a matrix, or the positions of its vectors' images, where it has few rows.
    fn with_few_rows(&self, problem: &Problem, order: Order, tile: TileSize) -> Option<Product> {
        let (right, role) = if self.swapped { (&problem.a, Role::Row) } else { (&problem.b, Role::Col) };
        let outer = order.of(problem, role, right);
        let stencil = || Stencil::of(self, problem, right, &outer, tile).map(Way::Stencil);
        let way = Gemv::of(self, tile).map(Way::Gemv).or_else(stencil)?;
        Some(Product { way, ..self.clone() })
    }

    /// Copies the broadcast operand, whose batch index starts at `base`: `target[k * m + i]`.
    ///
    /// # Safety
    /// The operand lies in its buffer; the target has room.
    pub unsafe fn copy_terms<T: Copy>(&self, base: *const T, target: *mut T) {
        let Operand { start, outer, sum, .. } = &self.left;
        let base = base.wrapping_offset(start.offset);
        outer.runs(0, self.m, |rows| {
            sum.runs(0, self.k, |terms| {
                let source = base.wrapping_offset(rows.place.offset + terms.place.offset);
                let target = target.wrapping_add(terms.start * self.m + rows.start);
                let (to, from) = ((self.m as isize, 1), (sum.innermost().stride, outer.innermost().stride));
                let sizes = (terms.length, rows.length);
                // SAFETY: by contract.
                unsafe { copy_strided(size_of::<T>(), target.cast(), to, source.cast(), from, sizes) };
            });
        });
    }

    /// The same with the broadcast operand read where it lies, if it lies as packed rows do.
    fn in_place(&self, tile: TileSize) -> Option<Product> {
        let Operand { limits, outer, sum, .. } = &self.left;
        let (rows, terms) = (outer.only()?, sum.only()?);
        // Rows so far apart that they share sets of the cache would drive each other out.
        let apart = (rows.stride * tile.element as isize) % SHARED_SETS != 0 || self.m == 1;
        let plain = limits.is_empty() && terms.stride == 1 && rows.stride > 0 && apart;
        plain.then(|| Product { reading: Reading::InPlace(rows.stride as usize), ..self.clone() })
    }

    /// The same with the vectors read where they lie, if whole ones do: for products of few rows, and where they lie as
    /// a packed panel does.
    fn with_right_in_place(&self, tile: TileSize) -> Option<Product> {
        let plain = self.right.is_plain() && self.n.is_multiple_of(tile.lanes);
        let few = self.m <= FEW_TILES * tile.rows;
        let in_place = plain && (few || self.right_is_panel(tile));
        in_place.then(|| Product { vectors: Vectors::InPlace, ..self.clone() })
    }

    /// Whether all columns of a term lie side by side, terms one after another: one panel.
    pub fn right_is_panel(&self, tile: TileSize) -> bool {
        let dense = self.right.sum.only().is_some_and(|terms| terms.stride == self.n as isize);
        dense && (self.n == tile.lanes || self.n == 2 * tile.lanes)
    }

    /// The same with all panels of the vectors made at once, where they would be copied anyway.
    fn with_panels(&self, problem: &Problem, tile: TileSize) -> Option<Product> {
        let (index, role) = if self.swapped { (0, Role::Row) } else { (1, Role::Col) };
        let (_, access) = problem.staged[index].as_ref()?;
        let staging = Staging::of_panels(problem, access, role, 2 * tile.lanes)?;
        let mut panels = Product { vectors: Vectors::Panels, ..self.clone() };
        panels.staged[index] = Some(staging);
        Some(panels)
    }

    /// The same with the result computed row-major and copied to its place, where its neighbours lie apart.
    fn with_staged_result(&self) -> Option<Product> {
        if self.out_cols.innermost().stride == 1 || self.out_rows.innermost().stride == 1 || !self.whole {
            return None;
        }
        let axes = || self.out_batch.all().iter().chain(self.out_rows.all()).chain(self.out_cols.all());
        let staging = Staging::of_result(self.out, &axes().map(|axis| (axis.size, axis.stride)).collect::<Vec<_>>())?;
        let row_major = |axes: &Axes, step: usize| {
            let mut step = step as isize;
            let mut dense: Vec<Axis> = axes.all().to_vec();
            for axis in dense.iter_mut().rev() {
                axis.stride = step;
                step *= axis.size as isize;
            }
            Axes::new(dense)
        };
        Some(Product {
            staged_out: Some(staging),
            out: 0,
            out_batch: row_major(&self.out_batch, self.m * self.n),
            out_rows: row_major(&self.out_rows, self.n),
            out_cols: row_major(&self.out_cols, 1),
            ..self.clone()
        })
    }

    /// The images whose boxes are read.
    pub fn image(&self) -> Option<&Image> {
        match &self.reading {
            Reading::Boxes(image) => Some(image),
            _ => None,
        }
    }

    /// How rows come in stretches that a tile can't cross.
    pub fn row_stretch(&self) -> Option<usize> {
        let image = self.image()?;
        Some(if image.positions_are_rows { image.row() } else { image.taps.innermost().size })
    }
}

/// Outer loops may run in any order.
#[derive(Clone, Copy)]
enum Order {
    /// As they lie in the result.
    Result,
    /// As they lie in the operand.
    Operand,
    /// As they lie in the operand's boxes: those last that no window moves along.
    ChannelsLast,
}

impl Order {
    fn of(self, problem: &Problem, role: Role, operand: &Access) -> Vec<usize> {
        let mut loops: Vec<usize> = loops_of(problem, role);
        let sums = loops_of(problem, Role::Sum);
        let windowed = |i: usize| {
            let mut moved = operand.dims.iter().filter(|dim| dim.coefficients[i] != 0);
            moved.any(|dim| sums.iter().any(|&sum| dim.coefficients[sum] != 0))
        };
        let key = |&i: &usize| match self {
            Order::Result => (false, problem.loops[i].out.unsigned_abs()),
            Order::Operand => (false, operand.stride(i).unsigned_abs()),
            Order::ChannelsLast => (windowed(i), operand.stride(i).unsigned_abs()),
        };
        loops.sort_by_key(|i| std::cmp::Reverse(key(i)));
        loops
    }
}

pub(super) fn loops_of(problem: &Problem, role: Role) -> Vec<usize> {
    (0..problem.loops.len()).filter(|&i| problem.loops[i].role == role).collect()
}

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

    /// Whether it is a matrix in which neighbours along `outer` are neighbours.
    pub fn is_plain(&self) -> bool {
        let matrix = self.outer.only().zip(self.sum.only());
        self.limits.is_empty() && matrix.is_some_and(|(outer, sum)| outer.stride == 1 && sum.stride >= 0)
    }
}
