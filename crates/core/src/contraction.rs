//! Contractions: `out[batch, row, col] = Σ_sum a · b` with affine, bounds-checked access to both operands.
//!
//! Matrix products and convolutions in all three directions are of this form; both runtimes run it on their GEMM
//! engine, reading operands through the access (virtual im2col), so that no column matrix is ever built.

/// What a loop index does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// In both operands and the result.
    Batch,
    /// In `a` and the result.
    Row,
    /// In `b` and the result.
    Col,
    /// In both operands, summed. The order of summation is that of the loops as listed, last fastest.
    Sum,
}

/// One loop index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loop {
    pub size: usize,
    pub role: Role,
}

/// The coordinate along one tensor dimension: `(Σ coefficient · index + offset) / divisor`.
/// A numerator that `divisor` doesn't divide, or a coordinate outside the dimension, reads as 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coord {
    /// (loop, coefficient) pairs: any batch loops, at most one loop that sums and one row or column.
    pub terms: Vec<(usize, isize)>,
    pub offset: isize,
    pub divisor: usize,
}

impl Coord {
    /// The coordinate is a loop index itself.
    pub fn index(index: usize) -> Coord {
        Coord { terms: vec![(index, 1)], offset: 0, divisor: 1 }
    }

    /// A coordinate that needs no bounds check.
    pub fn is_plain(&self) -> bool {
        self.terms.len() <= 1 && self.offset == 0 && self.divisor == 1 && self.terms.iter().all(|t| t.1 == 1)
    }
}

/// How one operand is read: a coordinate for each of its dimensions.
pub type Access = Vec<Coord>;

/// See the module's doc.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contraction {
    pub loops: Vec<Loop>,
    /// Access to input 0: batch, row and sum loops only.
    pub a: Access,
    /// Access to input 1: batch, col and sum loops only.
    pub b: Access,
    /// The loops of the (row-major) result, outermost first; neighbouring ones may form one of its dimensions.
    pub out: Vec<usize>,
}

impl Contraction {
    /// Product of the sizes of all loops with this role.
    pub fn extent(&self, role: Role) -> usize {
        self.loops.iter().filter(|l| l.role == role).map(|l| l.size).product()
    }

    /// Indices of the loops with this role, in order.
    pub fn loops_of(&self, role: Role) -> Vec<usize> {
        (0..self.loops.len()).filter(|&i| self.loops[i].role == role).collect()
    }

    /// Multiply-adds, those left out that read nothing because a divisor doesn't divide.
    pub fn multiply_adds(&self) -> usize {
        let divisors = self.a.iter().chain(&self.b).map(|coord| coord.divisor.max(1));
        self.loops.iter().map(|l| l.size).product::<usize>() / divisors.product::<usize>()
    }
}
