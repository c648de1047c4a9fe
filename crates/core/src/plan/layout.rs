//! How materialised values lie: row-major, or channels-last where convolutions live.
//!
//! Convolutions write their results `[N, C, H, W]` with the channels of a pixel side by side, elementwise loops keep
//! what they read, and whoever needs another layout copies. No result depends on it (S13).

use super::ir::{LoopNest, Operand};
use crate::contraction::{Contraction, Role};
use crate::shape::{Layout, Shape};

/// Fewer channels than this don't fill the vectors that run along them.
const FEW_CHANNELS: usize = 12;

/// A dense layout of `[N, C, H, W]` in which channels are neighbours; `None` for other ranks.
fn channels_last(shape: Shape) -> Option<Layout> {
    let [n, c, h, w] = <[usize; 4]>::try_from(&*shape).ok()?;
    Some(Layout::contiguous(Shape::from([n, h, w, c])).permute(&[0, 3, 1, 2]))
}

/// Images channels-last where that is asked for; else row-major, as everything else.
pub(super) fn images(shape: Shape, last: bool) -> Layout {
    channels_last(shape).filter(|_| last).unwrap_or_else(|| Layout::contiguous(shape))
}

/// What the values stored by a loop look like: as an operand of the loop's whole shape that is channels-last.
pub(super) fn of_loop(nest: &LoopNest) -> Layout {
    let images = nest.operands.iter().any(|operand| match *operand {
        Operand::Tensor { strides, offset, .. } => Layout { shape: nest.shape, strides, offset }.is_channels_last(),
        _ => false,
    });
    self::images(nest.shape, images)
}

/// Lets a convolution write its result channels-last, by putting the loops over channels last; any other contraction
/// stays as it is. Returns the layout of its result of this shape.
pub(super) fn of_contraction(contraction: &mut Contraction, shape: Shape) -> Layout {
    let row_major = Layout::contiguous(shape);
    let role = |index: usize| contraction.loops[index].role;
    let slides = contraction.a.iter().any(|coord| {
        coord.terms.iter().any(|t| role(t.0) == Role::Row) && coord.terms.iter().any(|t| role(t.0) == Role::Sum)
    });
    let [images, groups, channels, height, width] = contraction.out[..] else { return row_major };
    let roles = [images, groups, channels, height, width].map(role);
    let is_image = roles == [Role::Row, Role::Batch, Role::Col, Role::Row, Role::Row];
    let Some(last) = channels_last(shape) else { return row_major };
    let size = |index: usize| contraction.loops[index].size;
    // Depthwise convolutions run along the groups.
    let neighbours = if size(channels) == 1 { size(groups) } else { size(channels) };
    if !slides || !is_image || neighbours < FEW_CHANNELS || size(groups) * size(channels) != shape[1] {
        return row_major;
    }
    contraction.out = vec![images, height, width, groups, channels];
    last
}

/// Lets a contraction write its result in the order in which a view shows it, where the view only permutes dimensions:
/// `turn` makes the view of a layout. Returns the layout of the result, of this shape; `None` for other views.
pub(super) fn as_viewed(
    contraction: &mut Contraction,
    shape: Shape,
    turn: impl Fn(&Layout) -> Option<Layout>,
) -> Option<Layout> {
    let row_major = Layout::contiguous(shape);
    let view = turn(&row_major)?;
    if view.shape.size() != shape.size() || view.offset != 0 || shape.size() == 0 {
        return None;
    }
    // The dimension of the view that a loop runs along: its step tells.
    let mut step = 1;
    let mut order = Vec::with_capacity(contraction.out.len());
    for &index in contraction.out.iter().rev() {
        let size = contraction.loops[index].size;
        let along = |d: &usize| size == 1 || (view.strides[*d] == step && view.shape[*d] == size);
        order.push(((0..view.shape.rank()).find(along)?, index));
        step *= size as isize;
    }
    // The layout whose view is row-major.
    let dense = view.shape.strides();
    let mut layout = row_major;
    for d in (0..shape.rank()).filter(|&d| shape[d] > 1) {
        let seen = (0..view.shape.rank()).find(|&v| view.shape[v] > 1 && view.strides[v] == row_major.strides[d])?;
        layout.strides[d] = dense[seen];
    }
    order.reverse();
    order.sort_by_key(|&(dim, _)| dim);
    contraction.out = order.into_iter().map(|(_, index)| index).collect();
    Some(layout)
}

/// Whether two stride sets visit the same elements in the same order (unit dimensions don't matter).
pub(super) fn same_walk(shape: &[usize], a: &[isize], b: &[isize]) -> bool {
    shape.iter().enumerate().all(|(i, &d)| d == 1 || a[i] == b[i])
}

/// Whether strides visit every element of a buffer of the shape's size once.
pub(super) fn is_dense(shape: &Shape, strides: &[isize]) -> bool {
    let row_major = Layout::contiguous(*shape);
    same_walk(shape, strides, &row_major.strides)
        || channels_last(*shape).is_some_and(|last| same_walk(shape, strides, &last.strides))
}
