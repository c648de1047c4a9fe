//! The op that reduces: axes and a monoid. Other ops' rules record it; callers see `sum`, `max` and the like.

use crate::maps::Maps;
use crate::movement::Reshape;
use crate::movement::dims::dimensions;
use crate::scalar::Cast;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::graph::primitives::Expand;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, Op, OutTypes, Saved, TensorType, Work};
use fovea_core::sample::Sample;
use fovea_core::scalar::Expr;
use fovea_core::{DType, Error, Result, Shape};
use smallvec::{SmallVec, smallvec};

/// The elements of each group along `axes` combined into one.
///
/// The result has the input's dtype; bool is refused. Of an empty group sums are 0 and products 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reduce {
    /// Sorted and distinct.
    pub axes: SmallVec<[usize; 4]>,
    /// Whether reduced dimensions stay as 1.
    pub keep_dim: bool,
    pub monoid: Monoid,
}

/// The axes that `dim` names (all where it names none), sorted.
pub fn axes(dim: Option<&[i64]>, rank: usize) -> Result<SmallVec<[usize; 4]>> {
    let Some(dim) = dim else { return Ok((0..rank).collect()) };
    let mut axes = dimensions(dim, rank, "dim")?;
    axes.sort_unstable();
    Ok(axes)
}

/// The shape that is left, and the number of elements in a group.
pub fn left(shape: Shape, dim: Option<&[i64]>, keep_dim: bool) -> Result<(Shape, usize)> {
    let axes = axes(dim, shape.rank())?;
    let count = axes.iter().map(|&a| shape[a]).product();
    Ok((shape.reduced(&axes, keep_dim), count))
}

/// Refuses groups without elements, for ops that have no value for them.
pub fn refuse_empty(name: &str, shape: Shape, dim: Option<&[i64]>) -> Result<()> {
    match axes(dim, shape.rank())?.iter().find(|&&a| shape[a] == 0) {
        None => Ok(()),
        Some(axis) => {
            Err(Error::shape(format!("{name} of no elements has no value: dimension {axis} of shape {shape} is 0"))
                .at("dim")
                .expected("dimensions with at least one element")
                .received(shape.to_string()))
        }
    }
}

/// Records a reduction of `x` over the dimensions that `dim` names.
pub fn reduce(cx: &mut Build<'_>, x: Val, dim: Option<&[i64]>, keep_dim: bool, monoid: Monoid) -> Result<Val> {
    let axes = axes(dim, cx.shape(x).rank())?;
    cx.apply(Reduce { axes, keep_dim, monoid }, &[x])
}

/// `x` as `dtype`, itself where it is that already.
pub fn cast(cx: &mut Build<'_>, x: Val, dtype: DType) -> Result<Val> {
    if cx.dtype(x) == dtype { Ok(x) } else { cx.apply(Cast { dtype }, &[x]) }
}

impl Attributes for Reduce {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Reduce> {
        Err(Error::internal("reduce is recorded by other ops only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Reduce {
    /// `val`, an output or its gradient, with reduced dimensions as 1.
    fn kept(&self, cx: &mut Build<'_>, val: Val, input: Shape) -> Result<Val> {
        let shape = input.reduced(&self.axes, true);
        if cx.shape(val) == shape { Ok(val) } else { cx.apply(Reshape::to(shape), &[val]) }
    }

    /// The sum over the same groups, reduced dimensions kept.
    fn groups(&self, cx: &mut Build<'_>, x: Val, monoid: Monoid) -> Result<Val> {
        cx.apply(Reduce { axes: self.axes.clone(), keep_dim: true, monoid }, &[x])
    }

    /// g / n where x is the group's extreme and n elements are, as in PyTorch's amax.
    fn extreme(&self, cx: &mut Backward<'_>, g: Val) -> Result<Val> {
        let TensorType { dtype, shape } = cx.input_type(0);
        let (x, y) = (cx.input(0), cx.output(0));
        let y = self.kept(cx, y, shape)?;
        let hit = cx.apply_dyn(HIT.of(dtype), &[x, y])?;
        let count = self.groups(cx, hit, Monoid::Sum)?;
        cx.apply_dyn(PART.of(dtype), &[g, hit, count])
    }

    /// g · (product of the group's other elements). p is the product of those that aren't 0, n the number of zeros:
    /// p / x without zeros; with a single one p there and 0 elsewhere; 0 with more.
    fn others(&self, cx: &mut Backward<'_>, g: Val) -> Result<Val> {
        let dtype = cx.input_type(0).dtype;
        let x = cx.input(0);
        let zero = cx.apply_dyn(ZERO.of(dtype), &[x])?;
        let filled = cx.apply_dyn(FILLED.of(dtype), &[x])?;
        let (p, n) = (self.groups(cx, filled, Monoid::Prod)?, self.groups(cx, zero, Monoid::Sum)?);
        cx.apply_dyn(OTHERS.of(dtype), &[g, x, filled, p, n])
    }
}

fn is_zero(x: &Expr) -> Expr {
    x.eq(&x.constant(0.0))
}

/// (x, y): 1 where they are equal, else 0.
static HIT: Maps = Maps::new("gradient", 2, |x| x[0].eq(&x[1]).cast(x[0].dtype()));
/// (g, hit, count): g · hit / count.
static PART: Maps = Maps::new("gradient", 3, |x| &x[0] * &x[1] / &x[2]);
/// 1 where x is 0, else 0.
static ZERO: Maps = Maps::new("gradient", 1, |x| is_zero(&x[0]).cast(x[0].dtype()));
/// x with ones for zeros.
static FILLED: Maps = Maps::new("gradient", 1, |x| is_zero(&x[0]).select(&x[0].constant(1.0), &x[0]));
/// (g, x, filled, p, n): g times the product of the others.
pub(super) static OTHERS: Maps = Maps::new("gradient", 5, |v| {
    let [g, x, filled, p, n] = v else { unreachable!("five inputs") };
    let none = p.constant(0.0);
    let only = is_zero(x).select(p, &none);
    let single = n.eq(&n.constant(1.0)).select(&only, &none);
    g * is_zero(n).select(&(p / filled), &single)
});

impl Op for Reduce {
    const NAME: &'static str = "reduce";
    const DOC: &'static str = "Groups along axes combined into one element each.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("x", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let TensorType { dtype, shape } = inputs[0];
        if dtype == DType::Bool {
            return Err(Error::internal("bool is cast before it is reduced"));
        }
        let dtype = if matches!(self.monoid, Monoid::ArgMax | Monoid::ArgMin) { DType::I32 } else { dtype };
        Ok(smallvec![TensorType { dtype, shape: shape.reduced(&self.axes, self.keep_dim) }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Reduction { axes: self.axes.clone(), monoid: self.monoid }
    }

    fn saved(&self) -> Saved {
        match self.monoid {
            Monoid::Sum | Monoid::ArgMax | Monoid::ArgMin => Saved::NONE,
            Monoid::Prod => Saved { inputs: 1, outputs: 0 },
            Monoid::Max | Monoid::Min => Saved { inputs: 1, outputs: 1 },
        }
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let shape = cx.input_type(0).shape;
        let g = self.kept(cx, g, shape)?;
        let grad = match self.monoid {
            Monoid::Sum => cx.apply(Expand { shape }, &[g])?,
            Monoid::Prod => self.others(cx, g)?,
            Monoid::Max | Monoid::Min => self.extreme(cx, g)?,
            Monoid::ArgMax | Monoid::ArgMin => return Ok(()),
        };
        cx.set(0, grad);
        Ok(())
    }

    fn samples() -> Vec<Sample<Reduce>> {
        Vec::new()
    }
}
