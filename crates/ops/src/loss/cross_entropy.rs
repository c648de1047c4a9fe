//! Cross-entropy of logits and class indices.

use super::programs::{Form, positions};
use super::target::CheckTarget;
use crate::indexing::check_index_type;
use crate::maps::Maps;
use crate::movement::Reshape;
use crate::normalization::log_softmax;
use crate::reduction::Reduce;
use fovea_core::attributes::{Float, Given};
use fovea_core::graph::primitives::Map;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{InputSchema, Monoid, OutTypes, Work};
use fovea_core::sample::{Domain, Sample, SampleInput};
use fovea_core::{DType, Error, Op, Result, Shape, TensorType, attributes};
use smallvec::{SmallVec, smallvec};

attributes! {
    /// `ℓ_n = −(1 − ε) · w_t · ln p_t − ε/C · Σ_c w_c · ln p_c` with `p = softmax(logits)`, t the target of n, weights w
    /// and smoothing ε; 0 where t is `ignore_index`. Their mean is `Σ ℓ_n / Σ w_t` over what is not ignored. Szegedy et
    /// al., CVPR 2016, https://arxiv.org/abs/1512.00567 (smoothing).
    ///
    /// Shapes: logits `[N, C, d…]` or `[C]`, target `[N, d…]` or `[]`, weight `[C]`; result `[]`, or target's shape
    /// without reduction.
    ///
    /// Gradient: as derived from the composition, (p − onehot(t)) · g for the plain case. Work: a composition of
    /// `log_softmax`, one elementwise step that compares the class with the target, and sums; all of it fuses.
    pub struct CrossEntropy {
        /// Share of the target that goes to all classes evenly, 0 to 1.
        label_smoothing: Float = Float(0.0),
        /// A target that counts nothing.
        ignore_index: Option<i64> = Some(-100),
        /// 0: none, 1: mean, 2: sum.
        reduction: i64 = 1,
        /// Which inputs are given.
        given: Given,
    }
}

const WEIGHT: usize = 2;

const NONE: i64 = 0;
const MEAN: i64 = 1;
const SUM: i64 = 2;

/// Where the classes lie among the logits' dimensions.
struct Places {
    classes: usize,
    dim: usize,
    /// The target's shape with a 1 for the classes.
    kept: Shape,
    /// The classes with a 1 for each dimension behind them.
    beside: Shape,
}

static QUOTIENT: Maps = Maps::new("quotient", 2, |v| &v[0] / &v[1]);

impl CrossEntropy {
    fn check(&self, inputs: &[TensorType]) -> Result<Places> {
        let (logits, target) = (&inputs[0], &inputs[1]);
        if !logits.dtype.is_float() {
            return Err(Error::dtype(format!("logits must be f32 or f64, got {}", logits.dtype))
                .at("logits")
                .expected("f32 or f64")
                .received(logits.dtype.name()));
        }
        if logits.shape.rank() == 0 {
            return Err(Error::shape("logits need a dimension of classes, got a scalar")
                .at("logits")
                .expected("[N, C, …] or [C]")
                .received("[]"));
        }
        let dim = usize::from(logits.shape.rank() > 1);
        let expected = logits.shape.reduced(&[dim], false);
        // Rows of zeros and ones, or probabilities, are what other libraries take as well.
        let mend = if target.shape == logits.shape {
            format!("; argmax({{ dim: {dim} }}) makes them of one-hot rows")
        } else if check_index_type(target, "target").is_err() && target.shape == expected {
            "; cast them with to('i32')".to_owned()
        } else {
            String::new()
        };
        let refused = |error: fn(String) -> Error| {
            error(format!(
                "target must be class indices, i32 or i64 {expected} for logits {}, got {} {}{mend}",
                logits.shape, target.dtype, target.shape
            ))
            .at("target")
            .expected(format!("i32 or i64 {expected}"))
            .received(format!("{} {}", target.dtype, target.shape))
        };
        if check_index_type(target, "target").is_err() {
            return Err(refused(Error::dtype));
        }
        if target.shape != expected {
            return Err(refused(Error::shape));
        }
        let classes = logits.shape[dim];
        if let Some(weight) = self.given.position(WEIGHT).map(|at| &inputs[at])
            && (*weight.shape != [classes] || weight.dtype != logits.dtype)
        {
            return Err(Error::shape(format!(
                "weight must be {} [{classes}], one number for each class, got {} {}",
                logits.dtype, weight.dtype, weight.shape
            ))
            .at("weight")
            .expected(format!("{} [{classes}]", logits.dtype))
            .received(format!("{} {}", weight.dtype, weight.shape)));
        }
        if !(0.0..=1.0).contains(&self.label_smoothing.0) {
            return Err(Error::argument(format!("label_smoothing must lie in 0 to 1, got {}", self.label_smoothing.0))
                .at("label_smoothing")
                .expected("0 to 1")
                .received(self.label_smoothing.0.to_string()));
        }
        if !(NONE..=SUM).contains(&self.reduction) {
            return Err(Error::argument(format!(
                "reduction must be 0 (none), 1 (mean) or 2 (sum), got {}",
                self.reduction
            ))
            .at("reduction")
            .expected("0, 1 or 2")
            .received(self.reduction.to_string()));
        }
        let kept = logits.shape.reduced(&[dim], true);
        let beside = [classes].into_iter().chain((dim + 1..logits.shape.rank()).map(|_| 1)).collect();
        Ok(Places { classes, dim, kept, beside })
    }
}

fn sum(cx: &mut Build<'_>, x: Val, axes: SmallVec<[usize; 4]>) -> Result<Val> {
    cx.apply(Reduce { axes, keep_dim: false, monoid: Monoid::Sum }, &[x])
}

impl Op for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    const DOC: &'static str = "Cross-entropy of logits and class indices: `−ln softmax(logits)[target]`, weighted, smoothed \
        and averaged.\n\nlogits are `[N, C, d…]` or `[C]`, target `[N, d…]` or `[]`. The mean divides by the targets' \
        weights. Throws an ArgumentError that names a target which is no class.";
    const INPUTS: &'static [InputSchema] = &[
        InputSchema::required("logits", "Scores before softmax, `[N, C, d…]` or `[C]`."),
        InputSchema::required("target", "Class indices, i32 or i64, `[N, d…]` or `[]`."),
        InputSchema::optional("weight", "Weight of each class, `[C]`."),
    ];
    const COMPOSITE: bool = true;

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        self.check(inputs)?;
        let shape = if self.reduction == NONE { inputs[1].shape } else { Shape::SCALAR };
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape }])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Composite
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Err(Error::internal("cross_entropy is recorded as its composition"))
    }

    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        let types: SmallVec<[TensorType; 3]> = inputs.iter().map(|&v| cx.ty(v)).collect();
        let places = self.check(&types)?;
        let TensorType { dtype, shape } = types[0];
        let form = Form {
            dtype,
            index: types[1].dtype,
            weighted: self.given.has(WEIGHT),
            smoothed: self.label_smoothing.0 != 0.0,
            ignoring: self.ignore_index.is_some(),
        };
        let check = CheckTarget { classes: places.classes, ignore_index: self.ignore_index };
        let target = cx.apply(check, &[inputs[1]])?;
        let target = cx.apply(Reshape::to(places.kept), &[target])?;
        let zero = cx.scalar(0.0, form.index);
        let classes = Map::with_shape("classes", positions(form.index), Some(places.beside));
        let mut rest: SmallVec<[Val; 4]> = smallvec![target, cx.apply_dyn(classes, &[zero])?];
        if let Some(ignore) = self.ignore_index {
            rest.push(cx.scalar(ignore as f64, form.index));
        }
        if let Some(at) = self.given.position(WEIGHT) {
            rest.push(cx.apply(Reshape::to(places.beside), &[inputs[at]])?);
        }
        let smoothing = self.label_smoothing.0;
        let mut operands: SmallVec<[Val; 8]> = smallvec![log_softmax(cx, inputs[0], places.dim)?];
        operands.push(cx.scalar(smoothing - 1.0, dtype));
        if form.smoothed {
            operands.push(cx.scalar(-smoothing / places.classes as f64, dtype));
        }
        operands.extend_from_slice(&rest);
        let losses = cx.apply_dyn(form.losses(), &operands)?;
        // First over the classes, so that nothing but a number is left of a row when the next one begins.
        let losses = sum(cx, losses, smallvec![places.dim])?;
        if self.reduction == NONE {
            return Ok(Some(vec![losses]));
        }
        let total = sum(cx, losses, (0..shape.rank() - 1).collect())?;
        let all: SmallVec<[usize; 4]> = (0..shape.rank()).collect();
        if self.reduction == SUM {
            return Ok(Some(vec![total]));
        }
        let count = match (form.weighted, form.ignoring) {
            (true, _) => Some(cx.apply_dyn(form.target_weights(), &rest)?),
            (false, true) => Some(cx.apply_dyn(form.counted(), &[rest[0], rest[2]])?),
            (false, false) => None,
        };
        let count = match count {
            Some(count) => sum(cx, count, all)?,
            None => cx.scalar(types[1].shape.size() as f64, dtype),
        };
        Ok(Some(vec![cx.apply_dyn(QUOTIENT.of(dtype), &[total, count])?]))
    }

    fn samples() -> Vec<Sample<CrossEntropy>> {
        let plain = CrossEntropy {
            label_smoothing: Float(0.0),
            ignore_index: Some(-100),
            reduction: MEAN,
            given: Given::first(2),
        };
        let smooth = CrossEntropy { label_smoothing: Float(0.1), ..plain.clone() };
        let of = |name, op: &CrossEntropy, logits: SampleInput, weighted: bool| {
            let (dim, shape) = (usize::from(logits.shape.rank() > 1), logits.shape);
            let classes = shape[dim];
            let target = SampleInput::of(DType::I64, shape.reduced(&[dim], false), Domain::Integers(0, classes as i64));
            let mut inputs = vec![logits.within(-4.0, 4.0), target];
            inputs.extend(weighted.then(|| SampleInput::float([classes]).within(0.5, 2.0)));
            Sample::new(name, CrossEntropy { given: Given::first(2 + u32::from(weighted)), ..op.clone() }, inputs)
        };
        let x = |shape: &[usize]| SampleInput::float(shape);
        let mut ignoring =
            of("ignored targets", &CrossEntropy { ignore_index: Some(1), ..smooth.clone() }, x(&[12, 3]), true);
        ignoring.inputs[1].dtype = Some(DType::I32);
        let mut views = of("views", &plain, x(&[6, 5, 4]), false);
        views.inputs = views.inputs.into_iter().map(SampleInput::reversed).collect();
        let every = CrossEntropy { ignore_index: None, ..plain.clone() };
        vec![
            of("classes", &plain, x(&[8, 10]), false),
            of("ragged", &plain, x(&[7, 37]), false),
            of("images", &plain, x(&[2, 5, 3, 4]), false),
            of("one item", &plain, x(&[6]), false),
            of("weights", &plain, x(&[8, 4]), true),
            of("smoothing", &smooth, x(&[8, 4]), false),
            of("smoothing, weights, images", &smooth, x(&[2, 5, 3]), true),
            of("nothing ignored", &every, x(&[8, 10]), false),
            of("sum", &CrossEntropy { reduction: SUM, ..plain.clone() }, x(&[8, 10]), false),
            of("without reduction", &CrossEntropy { reduction: NONE, ..smooth.clone() }, x(&[4, 3, 5]), true),
            of("zero-sized", &CrossEntropy { reduction: SUM, ..plain.clone() }, x(&[0, 5]), false),
            of("strided", &plain, x(&[6, 5]).strided(), false),
            ignoring,
            views,
        ]
    }
}
