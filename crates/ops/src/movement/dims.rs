//! Dimensions as callers name them: negative ones count from the end.

use fovea_core::{Error, Result};
use smallvec::SmallVec;

/// `dim` counted from the start, or the error that there is no such dimension among `rank`.
pub fn dimension(dim: i64, rank: usize, argument: &str) -> Result<usize> {
    let from_start = if dim < 0 { dim + rank as i64 } else { dim };
    usize::try_from(from_start).ok().filter(|&d| d < rank).ok_or_else(|| {
        let expected = match rank {
            0 => "no dimension: the tensor is a scalar".to_owned(),
            _ => format!("an integer from -{rank} to {}", rank - 1),
        };
        Error::argument(format!("{argument} {dim} is no dimension of a tensor of rank {rank}"))
            .at(argument)
            .expected(expected)
            .received(dim.to_string())
    })
}

/// Distinct dimensions counted from the start, in the order given.
pub fn dimensions(dims: &[i64], rank: usize, argument: &str) -> Result<SmallVec<[usize; 4]>> {
    let mut out: SmallVec<[usize; 4]> = SmallVec::new();
    for &dim in dims {
        let d = dimension(dim, rank, argument)?;
        if out.contains(&d) {
            return Err(Error::argument(format!("{argument} names dimension {d} twice: {dims:?}"))
                .at(argument)
                .expected("distinct dimensions")
                .received(format!("{dims:?}")));
        }
        out.push(d);
    }
    Ok(out)
}
