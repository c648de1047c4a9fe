//! Sums of products of two operands by labelled dimensions.

use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::contraction::{Access, Contraction, Coord, Loop, Role};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, Saved, Work};
use fovea_core::sample::Sample;
use fovea_core::{Error, Op, Result, Shape, TensorType};
use smallvec::{SmallVec, smallvec};

/// The label of each dimension; `None` for one of size 1 that takes no part.
pub type Labels = SmallVec<[Option<u8>; 4]>;

/// `out[…] = Σ a[…] · b[…]` over the labels that `out` lacks, as in Einstein's notation with labels for indices.
///
/// What `matmul` records: never called by name. Every label occurs in at least two of the three. Sums run in the order
/// of their labels, last fastest. The gradients are contractions of the same kind, in which only the three lists
/// change places, so that nothing is ever transposed in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Contract {
    pub a: Labels,
    pub b: Labels,
    pub out: Labels,
}

impl Attributes for Contract {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<Contract> {
        Err(Error::internal("contract is recorded by other ops only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

impl Contract {
    /// Sizes by label, `None` for labels that don't occur.
    fn sizes(&self, inputs: &[TensorType]) -> Result<SmallVec<[Option<usize>; 8]>> {
        let mut sizes: SmallVec<[Option<usize>; 8]> = SmallVec::new();
        for (labels, ty) in [&self.a, &self.b].into_iter().zip(inputs) {
            if labels.len() != ty.shape.rank() {
                return Err(Error::internal(format!("{labels:?} does not label a value of shape {}", ty.shape)));
            }
            for (label, &size) in labels.iter().zip(ty.shape.iter()) {
                let Some(label) = label.map(usize::from) else { continue };
                sizes.resize(sizes.len().max(label + 1), None);
                if *sizes[label].get_or_insert(size) != size {
                    return Err(Error::internal(format!("a contraction's dimension {label} has two sizes")));
                }
            }
        }
        Ok(sizes)
    }

    fn role(&self, label: u8) -> Option<Role> {
        let within = |labels: &Labels| labels.contains(&Some(label));
        match (within(&self.a), within(&self.b), within(&self.out)) {
            (true, true, true) => Some(Role::Batch),
            (true, false, true) => Some(Role::Row),
            (false, true, true) => Some(Role::Col),
            (true, true, false) => Some(Role::Sum),
            _ => None,
        }
    }

    fn contraction(&self, sizes: &[Option<usize>]) -> Contraction {
        let mut loops = Vec::new();
        let mut loop_of: SmallVec<[usize; 8]> = smallvec![0; sizes.len()];
        for (label, size) in sizes.iter().enumerate() {
            if let (Some(size), Some(role)) = (*size, self.role(label as u8)) {
                loop_of[label] = loops.len();
                loops.push(Loop { size, role });
            }
        }
        let nothing = || Coord { terms: vec![], offset: 0, divisor: 1 };
        let coord = |l: &Option<u8>| l.map_or_else(nothing, |l| Coord::index(loop_of[usize::from(l)]));
        let access = |labels: &Labels| -> Access { labels.iter().map(coord).collect() };
        let out = self.out.iter().flatten().map(|&l| loop_of[usize::from(l)]).collect();
        Contraction { a: access(&self.a), b: access(&self.b), out, loops }
    }
}

impl Op for Contract {
    const NAME: &'static str = "contract";
    const DOC: &'static str = "The sum of products of two values over shared dimensions.";
    const INPUTS: &'static [InputSchema] =
        &[InputSchema::required("a", "First factor."), InputSchema::required("b", "Second factor.")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        let sizes = self.sizes(inputs)?;
        let dims: SmallVec<[usize; 8]> =
            self.out.iter().map(|l| l.and_then(|l| sizes[usize::from(l)]).unwrap_or(1)).collect();
        Ok(smallvec![TensorType { dtype: inputs[0].dtype, shape: Shape::checked(&dims)? }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        Work::Contraction(self.contraction(&self.sizes(inputs).unwrap_or_default()))
    }

    fn saved(&self) -> Saved {
        Saved::INPUTS
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        if cx.wants(0) {
            let b = cx.input(1);
            let op = Contract { a: self.out.clone(), b: self.b.clone(), out: self.a.clone() };
            let grad = cx.apply(op, &[g, b])?;
            cx.set(0, grad);
        }
        if cx.wants(1) {
            let a = cx.input(0);
            let op = Contract { a: self.a.clone(), b: self.out.clone(), out: self.b.clone() };
            let grad = cx.apply(op, &[a, g])?;
            cx.set(1, grad);
        }
        Ok(())
    }

    fn samples() -> Vec<Sample<Contract>> {
        Vec::new()
    }
}
