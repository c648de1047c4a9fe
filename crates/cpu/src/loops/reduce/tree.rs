//! The order in which the elements of one reduced group are combined.
//!
//! Dimensions of size one count for nothing. Neighbouring reduced dimensions are one; the innermost of these is the
//! run, of `length` elements, and there is one run for each index of the others. Element p of a run belongs to lane
//! p mod 16. The elements, run after run, are cut into chunks: pieces of [`CHUNK`] elements of a long run, or as many
//! whole short runs as fit. Within a chunk each lane combines its elements in order; lane i is then combined with lane
//! i + 8, i + 4, i + 2, i + 1. The chunks are combined in pairs of neighbours, level by level.
//!
//! All this follows from the nest's logical shape and axes, so every way to walk the memory gives the same bits.

use fovea_core::Shape;

/// Lanes of a chunk.
pub const LANES: usize = 16;
/// Most elements of a chunk; a multiple of [`LANES`].
pub const CHUNK: usize = 4096;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Elements of a run.
    pub length: usize,
    pub runs: usize,
    /// Runs of a chunk; 1 where runs are cut.
    pub runs_per_chunk: usize,
    /// Chunks of a run; 1 where chunks hold whole runs.
    pub pieces: usize,
    pub chunks: usize,
}

impl Tree {
    pub fn new(length: usize, runs: usize) -> Tree {
        if length > CHUNK {
            let pieces = length.div_ceil(CHUNK);
            return Tree { length, runs, runs_per_chunk: 1, pieces, chunks: runs * pieces };
        }
        let runs_per_chunk = (CHUNK / length.max(1)).clamp(1, runs.max(1));
        Tree { length, runs, runs_per_chunk, pieces: 1, chunks: runs.div_ceil(runs_per_chunk) }
    }

    /// Elements of a whole group.
    pub fn size(&self) -> usize {
        self.length * self.runs
    }

    /// The elements of a chunk, counted run after run.
    pub fn chunk(&self, chunk: usize) -> std::ops::Range<usize> {
        if self.pieces > 1 {
            let (run, piece) = (chunk / self.pieces, chunk % self.pieces);
            let start = piece * CHUNK;
            return run * self.length + start..run * self.length + self.length.min(start + CHUNK);
        }
        let start = chunk * self.runs_per_chunk;
        start * self.length..self.runs.min(start + self.runs_per_chunk) * self.length
    }

    /// The elements from `at` on that lie in one run, or in several whole ones, and are at most `most` (where a run is
    /// cut, at a multiple of the lanes), before `end`.
    pub fn stretch(&self, at: usize, end: usize, most: usize) -> usize {
        let position = at % self.length;
        if position == 0 && self.length <= most {
            return (most / self.length * self.length).min(end - at);
        }
        (most / LANES * LANES).min(self.length - position).min(end - at)
    }
}

/// The group of neighbouring reduced axes that each axis belongs to, from 1 on and growing inwards; 0 for kept ones.
/// Axes of size one have none.
pub fn groups(shape: &Shape, axes: &[usize]) -> Vec<u8> {
    let mut groups = vec![0; shape.rank()];
    let (mut group, mut open) = (0, false);
    for axis in (0..shape.rank()).filter(|&a| shape[a] != 1) {
        let reduced = axes.contains(&axis);
        if reduced {
            group += !open as u8;
            groups[axis] = group;
        }
        open = reduced;
    }
    groups
}
