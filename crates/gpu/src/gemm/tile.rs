//! Tile configurations and their choice by shape.

/// A workgroup computes `rows` × `cols` results, `depth` terms of the sum at a time; an invocation holds
/// `micro_rows` × `micro_cols` of them in vec4 accumulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub rows: usize,
    pub cols: usize,
    pub depth: usize,
    pub micro_rows: usize,
    pub micro_cols: usize,
}

/// All within WebGPU's default limits: at most 256 invocations and 16 KiB of workgroup memory.
pub(crate) const TILES: [Tile; 5] = [
    Tile { rows: 128, cols: 128, depth: 8, micro_rows: 8, micro_cols: 8 },
    Tile { rows: 64, cols: 64, depth: 16, micro_rows: 4, micro_cols: 4 },
    Tile { rows: 32, cols: 32, depth: 16, micro_rows: 4, micro_cols: 4 },
    Tile { rows: 16, cols: 64, depth: 16, micro_rows: 4, micro_cols: 4 },
    Tile { rows: 64, cols: 16, depth: 16, micro_rows: 4, micro_cols: 4 },
];

/// Workgroups that keep a large GPU busy.
const ENOUGH_GROUPS: usize = 256;

/// The shortest sum worth a workgroup of its own, in depths of a tile.
const SHORTEST_SHARE: usize = 8;

impl Tile {
    pub fn invocations(self) -> usize {
        self.rows / self.micro_rows * (self.cols / self.micro_cols)
    }

    /// Workgroups that cover `batch` results of `rows` × `cols`.
    fn groups(self, batch: usize, rows: usize, cols: usize) -> usize {
        batch * rows.div_ceil(self.rows) * cols.div_ceil(self.cols)
    }

    /// Relative time of a tile size for these extents: arithmetic on the padded area, traffic into workgroup memory,
    /// and what idle processors cost.
    fn cost(self, batch: usize, rows: usize, cols: usize, sum: usize) -> f64 {
        let groups = self.groups(batch, rows, cols);
        let area = (groups * self.rows * self.cols) as f64;
        let traffic = 1.0 / self.rows as f64 + 1.0 / self.cols as f64;
        let most_splits = sum.div_ceil(self.depth * SHORTEST_SHARE).max(1);
        let idle = (ENOUGH_GROUPS as f64 / (groups * most_splits) as f64).max(1.0);
        area * (0.08 + traffic) * idle
    }

    pub fn choose(batch: usize, rows: usize, cols: usize, sum: usize) -> Tile {
        let cost = |t: &Tile| t.cost(batch, rows, cols, sum);
        TILES.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).expect("the table is not empty")
    }

    /// Into how many shares the sum is split so that there are enough workgroups.
    pub fn splits(self, batch: usize, rows: usize, cols: usize, sum: usize) -> usize {
        let groups = self.groups(batch, rows, cols).max(1);
        if groups >= ENOUGH_GROUPS / 2 {
            return 1;
        }
        ENOUGH_GROUPS.div_ceil(groups).min(sum / (self.depth * SHORTEST_SHARE)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_by_shape() {
        assert_eq!(Tile::choose(1, 4096, 4096, 4096).rows, 128);
        assert_eq!(Tile::choose(1, 32, 32, 1 << 16).rows, 32);
        let skinny = Tile::choose(1, 10, 1 << 16, 128);
        assert_eq!((skinny.rows, skinny.cols), (16, 64));
    }

    #[test]
    fn splits_long_sums_of_few_results() {
        let tile = Tile::choose(1, 16, 25, 128 * 28 * 28);
        assert!(tile.splits(1, 16, 25, 128 * 28 * 28) > 64);
        assert_eq!(TILES[1].splits(1, 4096, 4096, 4096), 1);
        assert_eq!(TILES[1].splits(1, 10, 10, 10), 1);
    }
}
