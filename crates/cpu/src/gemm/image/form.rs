//! Which operands have the form of a convolution's images, and how their boxes are laid out.

use super::{Image, Spatial};
use crate::gemm::axes::{Axes, Axis, MAX_CHECKS};
use crate::gemm::operand::{TileSize, loops_of};
use crate::gemm::problem::{Access, Dim, Problem};
use fovea_core::contraction::Role;

/// Boxes larger than this don't pay: they would not stay in a cache.
const MOST_BYTES: usize = 2 << 20;
/// What a box should take, so that it stays in the second-level cache beside the other operand.
const BOX_BYTES: usize = 384 << 10;

/// Most blocks of terms that a box is for.
const MOST_BLOCKS: usize = 8;

/// How a dimension of the operand moves: with the index of one loop over positions, of one over taps, or both. Loops
/// of a single index move nothing.
#[derive(Clone, Copy)]
pub(super) struct Moves<'a> {
    dim: &'a Dim,
    position: Option<usize>,
    tap: Option<usize>,
    /// A row or column of the image, rather than the number of an image or channel.
    spatial: bool,
}

impl Moves<'_> {
    /// Number of indices and elements between them, along a dimension that isn't spatial.
    pub fn along(moves: Option<&Moves<'_>>, problem: &Problem) -> (usize, isize) {
        moves.map_or((1, 1), |moves| {
            let index = moves.position.or(moves.tap).expect("it moves with one of them");
            (problem.loops[index].size, moves.dim.coefficients[index] * moves.dim.stride)
        })
    }

    pub fn spatial(&self, problem: &Problem) -> Spatial {
        let of = |i: Option<usize>| i.map_or((0, 1), |i| (self.dim.coefficients[i], problem.loops[i].size));
        let ((a, positions), (b, taps)) = (of(self.position), of(self.tap));
        let Dim { offset, size, stride, .. } = *self.dim;
        Spatial { at: (a, b), offset, positions, taps, size: size as isize, stride }
    }
}

/// What a loop over taps moves along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tap {
    Row,
    Column,
    Channel,
}

/// An operand as images: what each of its dimensions is.
pub(super) struct Form<'a> {
    pub positions_are_rows: bool,
    pub images: Option<Moves<'a>>,
    pub height: Option<Moves<'a>>,
    pub width: Moves<'a>,
    pub channels: Option<Moves<'a>>,
    /// Loops over taps, in the product's order.
    pub taps: Vec<usize>,
}

impl Image {
    /// The image behind an operand whose outer loops, in the product's order, are `outer`; `None` where it has not the
    /// form of a convolution's, or gains nothing from it.
    pub fn of(problem: &Problem, access: &Access, outer: &[usize], tile: TileSize) -> Option<Image> {
        let form = Form::of(problem, access, outer)?;
        let channels = Moves::along(form.channels.as_ref(), problem);
        // Pixels a multiple of 512 bytes apart would share few sets of the cache.
        let pixel = if (channels.0 * tile.element).is_multiple_of(512) { channels.0 + 16 } else { channels.0 };
        let image = Image::new(problem, &form, channels, pixel, tile)?;
        // The kernels step by one along channels.
        (image.taps.innermost().stride == 1).then_some(image)
    }

    /// As [`Image::of`], for an operand whose channels are not summed but are indices of the batch, `stride` elements
    /// apart: `count` of them in a box.
    pub fn of_lanes(
        problem: &Problem,
        access: &Access,
        outer: &[usize],
        tile: TileSize,
        (count, stride): (usize, isize),
    ) -> Option<Image> {
        let form = Form::of(problem, access, outer)?;
        let image = Image::new(problem, &form, (count, stride), count, tile)?;
        form.channels.is_none().then_some(image)
    }

    fn new(
        problem: &Problem,
        form: &Form<'_>,
        (channels, channel_stride): (usize, isize),
        pixel: usize,
        tile: TileSize,
    ) -> Option<Image> {
        let width = form.width.spatial(problem);
        let height = form.height.map_or(Spatial::NONE, |height| height.spatial(problem));
        let (images, image_stride) = Moves::along(form.images.as_ref(), problem);
        let line = (width.reach(0, width.positions).1 * pixel).next_multiple_of(16);
        let taps = Axes::new(form.taps.iter().map(|&index| {
            let stride = match form.tap(index) {
                Tap::Channel => 1,
                Tap::Row => height.at.1 * line as isize,
                Tap::Column => width.at.1 * pixel as isize,
            };
            Axis { size: problem.loops[index].size, stride, coords: [0; MAX_CHECKS] }
        }));
        let in_rows = form.taps.first().is_some_and(|&index| form.tap(index) == Tap::Row);
        let row_taps = || form.taps[1..].iter().map(|&index| problem.loops[index].size).product();
        // The kernels don't step backwards along positions.
        if width.at.0 < 0 || (width.at.0 == 0 && width.positions > 1) {
            return None;
        }
        let spatial = form.height.iter().chain([&form.width]);
        let mut image = Image {
            positions_are_rows: form.positions_are_rows,
            block: tile.block,
            origin: Image::origin_of(spatial),
            images,
            image_stride,
            height,
            width,
            channels,
            channel_stride,
            pixel,
            line,
            taps,
            row_taps: in_rows.then(row_taps),
        };
        let most = BOX_BYTES / tile.element;
        if image.positions_are_rows {
            image.block = image.rows_for(most);
        } else {
            // Whole blocks of terms.
            let fits = |blocks: &usize| image.elements(blocks * tile.block) <= most;
            image.block = (2..=MOST_BLOCKS).take_while(fits).last().unwrap_or(1) * tile.block;
        }
        (image.elements(image.block) * tile.element <= MOST_BYTES).then_some(image)
    }

    /// From an operand's first index to its element of coordinates zero.
    pub(super) fn origin_of<'m>(spatial: impl Iterator<Item = &'m Moves<'m>>) -> isize {
        -spatial.map(|moves| moves.dim.offset * moves.dim.stride).sum::<isize>()
    }

    /// Positions, in whole rows of the result, whose boxes take about so many elements.
    fn rows_for(&self, elements: usize) -> usize {
        let row = self.row();
        let mut rows = 1;
        while rows < 64 && self.elements((rows + 1) * row) <= elements {
            rows += 1;
        }
        rows * row
    }
}

impl<'a> Form<'a> {
    pub fn of(problem: &Problem, access: &'a Access, outer: &[usize]) -> Option<Form<'a>> {
        let size = |i: usize| problem.loops[i].size;
        let moving = |list: &[usize]| -> Vec<usize> { list.iter().copied().filter(|&i| size(i) > 1).collect() };
        let (rows, terms) = (moving(outer), moving(&loops_of(problem, Role::Sum)));
        if problem.loops.iter().any(|l| l.size == 0) || problem.empty {
            return None;
        }
        let mut spatial = Vec::new();
        let mut plain = Vec::new();
        for dim in &access.dims {
            let moves = dimension(problem, dim, &rows, &terms)?;
            if moves.spatial {
                spatial.push(moves);
            } else if moves.position.or(moves.tap).is_some() {
                plain.push(moves);
            }
        }
        // So far positions are rows of the product. There are more positions than taps.
        let extent = |of: fn(&Moves<'_>) -> Option<usize>| spatial.iter().filter_map(of).map(size).product::<usize>();
        let positions_are_rows = extent(|m| m.position) >= extent(|m| m.tap);
        if !positions_are_rows {
            spatial.iter_mut().chain(&mut plain).for_each(|m| std::mem::swap(&mut m.position, &mut m.tap));
        }
        let (positions, taps) = if positions_are_rows { (rows, terms) } else { (terms, rows) };
        // Rows before columns, as the product's loops have them.
        let rank = |list: &[usize], i: Option<usize>| i.and_then(|i| list.iter().position(|&l| l == i));
        // A window of one row: images and rows only move with positions, the outer of them counts images.
        if spatial.len() == 1 && plain.iter().filter(|m| m.position.is_some()).count() == 2 {
            let inner = (0..plain.len()).max_by_key(|&i| rank(&positions, plain[i].position));
            spatial.extend(inner.map(|i| plain.remove(i)));
        }
        spatial.sort_by_key(|m| (rank(&positions, m.position), rank(&taps, m.tap)));
        let (height, width) = match spatial[..] {
            [width] => (None, width),
            [height, width] => (Some(height), width),
            _ => return None,
        };
        let images = one(plain.iter().filter(|m| m.position.is_some()))?;
        let channels = one(plain.iter().filter(|m| m.tap.is_some()))?;
        // Every loop has its place: positions in the order images, rows, columns, and taps in any.
        let dims = || images.iter().chain(&height).chain([&width]).chain(&channels);
        let mut found: Vec<usize> = dims().filter_map(|m| m.tap).collect();
        let mut expected = taps.clone();
        found.sort_unstable();
        expected.sort_unstable();
        let complete = dims().filter_map(|m| m.position).eq(positions) && found == expected;
        complete.then_some(Form { positions_are_rows, images, height, width, channels, taps })
    }

    /// What loop `index`, one of `taps`, moves along.
    pub fn tap(&self, index: usize) -> Tap {
        let is = |moves: Option<Moves<'_>>| moves.is_some_and(|moves| moves.tap == Some(index));
        match () {
            () if is(self.channels) => Tap::Channel,
            () if is(self.height) => Tap::Row,
            () => Tap::Column,
        }
    }
}

/// `None` where the dimension moves with two loops of a kind, or an image's position depends on the batch index.
fn dimension<'a>(problem: &Problem, dim: &'a Dim, rows: &[usize], terms: &[usize]) -> Option<Moves<'a>> {
    let of = |list: &[usize]| one(list.iter().filter(|&&i| dim.coefficients[i] != 0));
    let (position, tap) = (of(rows)?, of(terms)?);
    let spatial = (position.is_some() && tap.is_some()) || dim.is_checked(&problem.loops);
    let batched = |i: usize| problem.loops[i].role == Role::Batch && dim.coefficients[i] != 0;
    if spatial && (0..problem.loops.len()).any(batched) {
        return None;
    }
    Some(Moves { dim, position, tap, spatial })
}

/// The only one, or none; `None` where there are several.
fn one<'t, T: Copy + 't>(mut of: impl Iterator<Item = &'t T>) -> Option<Option<T>> {
    let first = of.next().copied();
    of.next().is_none().then_some(first)
}
