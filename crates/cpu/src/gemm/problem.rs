//! Contractions over given layouts as linear forms: every divisor resolved, every loop with its strides.

use super::staging::Staging;
use fovea_core::contraction::{self, Contraction, Role};
use fovea_core::{Error, Layout, Result};

/// A coordinate along one dimension of an operand: `Σ coefficient[loop] · index[loop] + offset`.
#[derive(Clone, Debug)]
pub(super) struct Dim {
    pub coefficients: Vec<isize>,
    pub offset: isize,
    /// 1 once [`lower`] is done.
    divisor: isize,
    pub size: usize,
    /// Elements between neighbours along the dimension.
    pub stride: isize,
}

impl Dim {
    /// A coordinate that is its loop's index.
    pub fn plain(coefficients: Vec<isize>, size: usize, stride: isize) -> Dim {
        Dim { coefficients, offset: 0, divisor: 1, size, stride }
    }

    /// Whether the coordinate may lie outside the operand.
    pub fn is_checked(&self, loops: &[Loop]) -> bool {
        let (mut low, mut high) = (self.offset, self.offset);
        for (l, &c) in loops.iter().zip(&self.coefficients) {
            let reach = c * (l.size as isize - 1).max(0);
            low += reach.min(0);
            high += reach.max(0);
        }
        low < 0 || high >= self.size as isize
    }
}

/// How an operand is read.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub start: isize,
    pub dims: Vec<Dim>,
}

impl Access {
    /// Elements by which a step of `index` moves.
    pub fn stride(&self, index: usize) -> isize {
        self.dims.iter().map(|d| d.coefficients[index] * d.stride).sum()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Loop {
    pub size: usize,
    pub role: Role,
    /// Elements of the result by which a step moves; 0 for sums.
    pub out: isize,
}

/// A contraction without divisors that computes a strided part of the result.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub loops: Vec<Loop>,
    /// Where the part starts in the result.
    pub out: isize,
    pub a: Access,
    pub b: Access,
    /// The part is all of it.
    pub whole: bool,
    /// How each operand is copied before it is read, if it is, and the access before.
    pub staged: [Option<(Staging, Access)>; 2],
    /// No term of the sum lies in both operands: the part is zero.
    pub empty: bool,
}

impl Problem {
    pub fn extent(&self, role: Role) -> usize {
        let sizes: usize = self.loops.iter().filter(|l| l.role == role).map(|l| l.size).product();
        if self.empty && role == Role::Sum { 0 } else { sizes }
    }

    /// Copies operands first whose neighbours lie apart.
    fn with_staging(mut self) -> Problem {
        if let Some((staging, access)) = Staging::of_operand(&self, &self.a, Role::Row) {
            self.staged[0] = Some((staging, std::mem::replace(&mut self.a, access)));
        }
        if let Some((staging, access)) = Staging::of_operand(&self, &self.b, Role::Col) {
            self.staged[1] = Some((staging, std::mem::replace(&mut self.b, access)));
        }
        self
    }

    /// Replaces index `i` of a loop by `step · i + first`, for `size` values of `i`.
    fn substitute(&self, index: usize, step: isize, first: isize, size: usize) -> Problem {
        let mut out = self.clone();
        out.out += out.loops[index].out * first;
        out.loops[index].out *= step;
        out.loops[index].size = size;
        for dim in out.a.dims.iter_mut().chain(&mut out.b.dims) {
            dim.offset += dim.coefficients[index] * first;
            dim.coefficients[index] *= step;
        }
        out
    }
}

/// The contraction as problems that together write every element of the result once.
pub(super) fn lower(c: &Contraction, a: &Layout, b: &Layout) -> Result<Vec<Problem>> {
    let mut loops: Vec<Loop> = c.loops.iter().map(|l| Loop { size: l.size, role: l.role, out: 0 }).collect();
    let mut step = 1;
    let mut written = vec![false; loops.len()];
    for &index in c.out.iter().rev() {
        let valid = loops.get(index).is_some_and(|l| l.role != Role::Sum);
        if !valid || std::mem::replace(&mut written[index], true) {
            return Err(Error::internal("a contraction's result has a dimension that is summed or repeated"));
        }
        loops[index].out = step;
        step *= loops[index].size as isize;
    }
    if loops.iter().zip(&written).any(|(l, w)| l.role != Role::Sum && !w) {
        return Err(Error::internal("a contraction's result lacks a loop"));
    }
    let a = access(c, &c.a, a, Role::Col)?;
    let b = access(c, &c.b, b, Role::Row)?;
    let mut out = Vec::new();
    resolve(Problem { loops, out: 0, a, b, whole: true, staged: [None, None], empty: false }, &mut out)?;
    let whole = out.len() == 1;
    out.iter_mut().for_each(|part| part.whole = whole);
    Ok(out.into_iter().map(Problem::with_staging).collect())
}

fn access(c: &Contraction, coords: &contraction::Access, layout: &Layout, absent: Role) -> Result<Access> {
    if coords.len() != layout.shape.rank() {
        let (given, rank) = (coords.len(), layout.shape.rank());
        return Err(Error::internal(format!("a contraction reads {given} coordinates of an operand of rank {rank}")));
    }
    let mut dims = Vec::with_capacity(coords.len());
    for (i, coord) in coords.iter().enumerate() {
        let mut coefficients = vec![0; c.loops.len()];
        for &(index, coefficient) in &coord.terms {
            if c.loops.get(index).is_none_or(|l| l.role == absent) {
                return Err(Error::internal("a contraction reads an operand by a loop that it does not have"));
            }
            coefficients[index] += coefficient;
        }
        dims.push(Dim {
            coefficients,
            offset: coord.offset,
            divisor: coord.divisor.max(1) as isize,
            size: layout.shape[i],
            stride: layout.strides[i],
        });
    }
    Ok(Access { start: layout.offset as isize, dims })
}

fn gcd(a: isize, b: isize) -> isize {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

/// Splits the problem by residues until every numerator is a multiple of its divisor, and divides. What is skipped
/// reads as zero, so that a strided convolution's gradient costs no more than the convolution.
fn resolve(mut problem: Problem, into: &mut Vec<Problem>) -> Result<()> {
    let all = |p: &Problem| p.a.dims.len() + p.b.dims.len();
    for at in 0..all(&problem) {
        let in_a = problem.a.dims.len();
        let dim = if at < in_a { &problem.a.dims[at] } else { &problem.b.dims[at - in_a] };
        let divisor = dim.divisor;
        if divisor == 1 {
            continue;
        }
        let open: Vec<usize> =
            (0..problem.loops.len()).filter(|&i| dim.coefficients[i] % divisor != 0 && !problem.empty).collect();
        let outer = open.iter().copied().find(|&i| problem.loops[i].role != Role::Sum);
        if let Some(index) = outer {
            let classes = divisor / gcd(dim.coefficients[index], divisor);
            let size = problem.loops[index].size as isize;
            for class in 0..classes.min(size) {
                let part = (size - class + classes - 1) / classes;
                resolve(problem.substitute(index, classes, class, part as usize), into)?;
            }
            return Ok(());
        }
        match open[..] {
            [] => problem.empty |= dim.offset % divisor != 0,
            [index] => {
                let (offset, coefficient) = (dim.offset, dim.coefficients[index]);
                let size = problem.loops[index].size as isize;
                let step = divisor / gcd(coefficient, divisor);
                match (0..step.min(size)).find(|k| (offset + coefficient * k) % divisor == 0) {
                    Some(first) => {
                        let part = (size - first + step - 1) / step;
                        problem = problem.substitute(index, step, first, part as usize);
                    }
                    None => problem.empty = true,
                }
            }
            _ => return Err(Error::internal("a divided coordinate of a contraction has two summed loops")),
        }
        let dim = if at < in_a { &mut problem.a.dims[at] } else { &mut problem.b.dims[at - in_a] };
        // Exact, unless the problem is empty and nothing is read.
        dim.offset = dim.offset.div_euclid(divisor);
        dim.coefficients.iter_mut().for_each(|c| *c = c.div_euclid(divisor));
        dim.divisor = 1;
    }
    into.push(problem);
    Ok(())
}
