//! What the ways to run a product cost, roughly; the figures are of an AVX-512 machine and only their order matters.

use super::axes::Axis;
use super::operand::{Operand, Product, Reading, TileSize, Vectors, Way};

/// Cycles that starting a run costs, across and along, and an element of it with and without unit stride.
const RUN_ACROSS: f64 = 5.0;
const RUN_ALONG: f64 = 10.0;
/// The same where coordinates are checked.
const RUN_CHECKED: f64 = 60.0;
const UNIT: f64 = 0.2;
const STRIDED: f64 = 1.5;

impl Product {
    /// Cycles for one batch index.
    pub fn cost(&self, tile: TileSize) -> f64 {
        match &self.way {
            Way::Tiles => {}
            Way::Lanes(lanes) => return lanes.cost(self, tile),
            Way::Depthwise(depthwise) => return depthwise.cost(self, tile),
            Way::Stencil(stencil) => return stencil.cost(self, tile),
            Way::Gemv(gemv) => return gemv.cost(self, tile),
        }
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
        let left = match &self.reading {
            Reading::Boxes(image) => (if image.positions_are_rows { m } else { k }) * image.cost(),
            // Lines that come from further away.
            Reading::InPlace(_) => 0.05 * m * k,
            Reading::Packed if self.left.across => m * k * (0.1 + self.left.across_cost(tile.rows)),
            Reading::Packed => m * k * self.left.along_cost(),
        };
        let right = match self.vectors {
            Vectors::Panels => 0.0,
            Vectors::InPlace if self.right_is_panel(tile) => 0.1 * n * k,
            // Every tile fetches the lines anew.
            Vectors::InPlace => 0.1 * n * k * self.m.div_ceil(tile.rows) as f64,
            Vectors::Packed if self.right.across => n * k * self.right.across_cost(2 * tile.lanes),
            Vectors::Packed => n * k * (0.4 + self.right.along_cost()),
        };
        let inner = self.out_cols.innermost();
        let store = match (inner.stride, self.out_rows.innermost()) {
            (1, _) => 0.2 + 6.0 / inner.size as f64,
            (_, Axis { stride: 1, size, .. }) => 0.9 + 6.0 / *size as f64,
            _ => 2.5,
        };
        let copied = if self.staged_out.is_some() { 1.2 * m * n } else { 0.0 };
        multiply + left + right + copied + store * m * n * self.k.div_ceil(tile.block) as f64
    }
}

impl Operand {
    /// Cycles for an element when packed along `outer` into panels of `width`.
    pub fn across_cost(&self, width: usize) -> f64 {
        let inner = self.outer.innermost();
        let run = if self.limits.is_empty() { RUN_ACROSS } else { RUN_CHECKED };
        (if inner.stride == 1 { UNIT } else { 1.2 * STRIDED }) + run / inner.size.min(width) as f64
    }

    /// Cycles for an element when packed along `sum`.
    pub fn along_cost(&self) -> f64 {
        let inner = self.sum.innermost();
        let run = if self.limits.is_empty() { RUN_ALONG } else { RUN_CHECKED };
        (if inner.stride == 1 { UNIT } else { STRIDED }) + run / inner.size.min(256) as f64
    }
}
