//! What one element of the logits adds to the cross-entropy, made once for each form of the call.

use fovea_core::DType;
use fovea_core::graph::primitives::Map;
use fovea_core::scalar::{Expr, Prim, Program, build};
use std::sync::{Arc, OnceLock};

/// What a call has beside logits and target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub dtype: DType,
    /// Dtype of the target.
    pub index: DType,
    pub weighted: bool,
    pub smoothed: bool,
    pub ignoring: bool,
}

const FORMS: usize = 1 << 5;

impl Form {
    fn number(self) -> usize {
        let bits = [self.dtype == DType::F64, self.index == DType::I64, self.weighted, self.smoothed, self.ignoring];
        bits.iter().fold(0, |n, &bit| 2 * n + usize::from(bit))
    }

    /// Target, class, then the ignored target and the weight where there are any.
    fn operands(self, first: impl IntoIterator<Item = DType>) -> Vec<DType> {
        let mut inputs: Vec<DType> = first.into_iter().collect();
        inputs.extend([self.index, self.index]);
        inputs.extend(self.ignoring.then_some(self.index));
        inputs.extend(self.weighted.then_some(self.dtype));
        inputs
    }

    /// `value` times the weight, 0 for ignored targets. `v` are the operands from the target on.
    fn weigh(self, v: &[Expr], value: Expr) -> Expr {
        let value = if self.weighted { value * &v[v.len() - 1] } else { value };
        if self.ignoring { v[0].eq(&v[2]).select(&value.constant(0.0), &value) } else { value }
    }

    /// The loss: (ln p, −(1 − ε), −ε/C where smoothed, target, class, …).
    pub fn losses(self) -> Arc<Map> {
        static MAPS: [OnceLock<Arc<Map>>; FORMS] = [const { OnceLock::new() }; FORMS];
        let make = || {
            let floats = 2 + usize::from(self.smoothed);
            let inputs = self.operands(std::iter::repeat_n(self.dtype, floats));
            Map::new(
                "cross_entropy",
                build(&inputs, |v| {
                    let (floats, rest) = v.split_at(floats);
                    let log_p = &floats[0];
                    // Selected rather than multiplied: a class of probability 0 that is no target counts nothing.
                    let at_target = rest[0].eq(&rest[1]).select(&(log_p * &floats[1]), &log_p.constant(0.0));
                    let value = if self.smoothed { at_target + log_p * &floats[2] } else { at_target };
                    vec![self.weigh(rest, value)]
                }),
            )
        };
        MAPS[self.number()].get_or_init(make).clone()
    }

    /// The target's weight, at the target's class: (target, class, …).
    pub fn target_weights(self) -> Arc<Map> {
        static MAPS: [OnceLock<Arc<Map>>; FORMS] = [const { OnceLock::new() }; FORMS];
        let make = || {
            let program = build(&self.operands([]), |v| {
                let one = v[0].constant_of(1.0, self.dtype);
                vec![self.weigh(v, v[0].eq(&v[1]).select(&one, &one.constant(0.0)))]
            });
            Map::new("target weights", program)
        };
        MAPS[self.number()].get_or_init(make).clone()
    }

    /// 1 where a target counts, else 0: (target, ignored target).
    pub fn counted(self) -> Arc<Map> {
        static MAPS: [OnceLock<Arc<Map>>; FORMS] = [const { OnceLock::new() }; FORMS];
        let make = || {
            let inputs = [self.index; 2];
            Map::new("counted", build(&inputs, |v| vec![(!v[0].eq(&v[1])).cast(self.dtype)]))
        };
        MAPS[self.number()].get_or_init(make).clone()
    }
}

/// Each element's own position, for the number of each class.
pub(super) fn positions(index: DType) -> Arc<Program> {
    static PROGRAMS: [OnceLock<Arc<Program>>; 2] = [const { OnceLock::new() }; 2];
    PROGRAMS[usize::from(index == DType::I64)]
        .get_or_init(|| Arc::new(build(&[index], |v| vec![v[0].positional(Prim::Index, index)])))
        .clone()
}
