//! A loop nest's iteration space with dimensions merged as far as every access allows.

use fovea_core::DType;
use fovea_core::plan::{LoopNest, Operand};
use fovea_core::shape::Strides;

use crate::wgsl::scalar::{Input, emit};
use crate::wgsl::{Source, index, stored};

/// The merged dimensions, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub sizes: Vec<usize>,
    pub reduced: Vec<bool>,
    /// Strides of each operand (all 0 for numbers).
    pub operands: Vec<Vec<isize>>,
    /// Strides of each store.
    pub stores: Vec<Vec<isize>>,
    /// Row-major strides of the unmerged shape: where an element stands in the nest.
    pub position: Vec<isize>,
}

impl Space {
    pub fn new(nest: &LoopNest) -> Space {
        const NONE: Strides = [0; fovea_core::shape::MAX_RANK];
        let position = nest.shape.strides();
        let operands = nest.operands.iter().map(|o| match o {
            Operand::Tensor { strides, .. } => strides,
            Operand::Scalar(_) | Operand::Key(_) => &NONE,
        });
        let all: Vec<&Strides> = operands.chain(nest.stores.iter().map(|s| &s.strides)).chain([&position]).collect();
        let mut sizes: Vec<usize> = Vec::new();
        let mut reduced: Vec<bool> = Vec::new();
        let mut merged: Vec<Vec<isize>> = vec![Vec::new(); all.len()];
        for (d, &size) in nest.shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let is_reduced = nest.reductions.axes.contains(&d);
            let joins = reduced.last() == Some(&is_reduced)
                && all.iter().zip(&merged).all(|(strides, m)| m.last() == Some(&(strides[d] * size as isize)));
            if joins {
                *sizes.last_mut().expect("a dimension to join") *= size;
                for (strides, m) in all.iter().zip(&mut merged) {
                    *m.last_mut().expect("a dimension to join") = strides[d];
                }
            } else {
                sizes.push(size);
                reduced.push(is_reduced);
                for (strides, m) in all.iter().zip(&mut merged) {
                    m.push(strides[d]);
                }
            }
        }
        let position = merged.pop().expect("position was chained last");
        let stores = merged.split_off(nest.operands.len());
        Space { sizes, reduced, operands: merged, stores, position }
    }

    /// Product of the sizes of the kept (or reduced) dimensions.
    pub fn extent(&self, reduced: bool) -> usize {
        self.pick(reduced, &self.sizes).product()
    }

    /// The entries of `values` at the kept (or reduced) dimensions.
    pub fn pick<'a, T: Copy>(&'a self, reduced: bool, values: &'a [T]) -> impl Iterator<Item = T> + 'a {
        values.iter().zip(&self.reduced).filter(move |(_, r)| **r == reduced).map(|(v, _)| *v)
    }
}

/// Slots that computing `outputs` of a nest reads, each once.
pub(crate) fn slots_read(nest: &LoopNest, outputs: &[usize]) -> Vec<usize> {
    let live = crate::wgsl::scalar::live(&nest.program, outputs);
    let mut slots = Vec::new();
    for (i, operand) in nest.operands.iter().enumerate() {
        if let Operand::Tensor { slot, .. } = operand
            && live[i]
            && !slots.contains(slot)
        {
            slots.push(*slot);
        }
    }
    slots
}

/// The dtype of the values in an operand's slot as the program sees it.
fn operand_dtype(nest: &LoopNest, operand: usize) -> DType {
    nest.program.inputs[operand]
}

/// Writes the evaluation of a nest's program at one point and returns an expression for each output in `outputs`.
pub(crate) fn evaluate(
    source: &mut Source,
    nest: &LoopNest,
    space: &Space,
    coordinates: &[String],
    position: &str,
    outputs: &[usize],
) -> Vec<String> {
    let live = crate::wgsl::scalar::live(&nest.program, outputs);
    let inputs: Vec<Input> = nest
        .operands
        .iter()
        .enumerate()
        .map(|(i, operand)| match operand {
            Operand::Tensor { slot, offset, .. } if live[i] => {
                let buffer = source.bind(*slot, operand_dtype(nest, i));
                let at = index::offset(&source.start(*offset), coordinates, &space.operands[i]);
                Input::Word(format!("{buffer}[{at}]"))
            }
            Operand::Tensor { .. } => Input::Word(String::new()),
            Operand::Scalar(datum) => Input::Number(*datum),
            Operand::Key(datum) => Input::Key(*datum),
        })
        .collect();
    emit(source, &nest.program, &|i| inputs[i].clone(), position, outputs)
}

/// Writes the stores in `stores`, whose values (by output) are given.
pub(crate) fn write_stores(
    source: &mut Source,
    nest: &LoopNest,
    space: &Space,
    coordinates: &[String],
    stores: &[usize],
    value_of: &dyn Fn(usize) -> String,
) {
    for &s in stores {
        let store = &nest.stores[s];
        let dtype = nest.program.output_dtype(store.output);
        let buffer = source.bind(store.slot, dtype);
        let at = index::offset(&source.start(store.offset), coordinates, &space.stores[s]);
        source.line(format!("{buffer}[{at}] = {};", stored(&value_of(store.output), dtype)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fovea_core::Shape;
    use fovea_core::plan::{Reduce, Reductions, Store};
    use fovea_core::scalar::build;

    fn strides(s: &[isize]) -> Strides {
        let mut out = [0; fovea_core::shape::MAX_RANK];
        out[..s.len()].copy_from_slice(s);
        out
    }

    #[test]
    fn merges_what_every_access_allows() {
        let program = build(&[DType::F32, DType::F32], |x| vec![&x[0] + &x[1]]);
        let nest = LoopNest {
            shape: Shape::from([2, 1, 3, 4, 5]),
            operands: vec![
                Operand::Tensor { slot: 0, strides: strides(&[60, 0, 20, 5, 1]), offset: 0 },
                Operand::Tensor { slot: 1, strides: strides(&[0, 0, 1, 0, 0]), offset: 0 },
            ],
            program,
            stores: vec![Store { output: 0, slot: 2, strides: strides(&[60, 60, 20, 5, 1]), offset: 0 }],
            reductions: Reductions::default(),
        };
        let space = Space::new(&nest);
        assert_eq!(space.sizes, [2, 3, 20]);
        assert_eq!(space.operands[1], [0, 1, 0]);
        assert_eq!(space.position, [60, 20, 1]);
        let reduced = LoopNest {
            reductions: Reductions {
                axes: vec![0, 3, 4],
                items: vec![Reduce { output: 0, monoid: fovea_core::op::Monoid::Sum, slot: 3 }],
            },
            stores: Vec::new(),
            ..nest
        };
        let space = Space::new(&reduced);
        assert_eq!((space.extent(false), space.extent(true)), (3, 40));
        assert_eq!(space.pick(true, &space.sizes).collect::<Vec<_>>(), [2, 20]);
    }
}
