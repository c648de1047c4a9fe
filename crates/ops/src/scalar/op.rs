//! The ops of the table, as the graph sees them.

use super::definition::{Brought, Definition, Refusal, Rule};
use super::programs::{Cache, Gradient, MOST_INPUTS, Reads, Typed};
use super::samples::samples;
use super::table::TABLE;
use fovea_core::device::CpuArgs;
use fovea_core::graph::{Backward, Build, Val};
use fovea_core::op::{DynOp, OpDef, OutTypes, Saved, TensorType, WgslKernel, Work};
use fovea_core::{DType, Error, Layout, Result, Shape};
use smallvec::{SmallVec, smallvec};
use std::any::Any;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A scalar op: one line of the table, its programs for each combination of dtypes, its gradients.
pub struct ScalarOp {
    pub def: &'static Definition,
    key: u64,
    cache: Cache,
    saved: Saved,
}

static OPS: LazyLock<Vec<Arc<ScalarOp>>> =
    LazyLock::new(|| TABLE.iter().enumerate().map(|(i, def)| Arc::new(ScalarOp::new(def, i as u64))).collect());

/// Every op of the table, in its order.
pub fn all() -> &'static [Arc<ScalarOp>] {
    &OPS
}

/// The op of this name; panics where the table has none.
pub fn named(name: &str) -> Arc<dyn DynOp> {
    match OPS.iter().find(|op| op.def.name == name) {
        Some(op) => op.clone(),
        None => panic!("the table has no op {name}"),
    }
}

impl ScalarOp {
    fn new(def: &'static Definition, number: u64) -> ScalarOp {
        let cache = Cache::new(def.inputs.len());
        let mut op = ScalarOp { def, key: 0x5ca1_a400_0000_0000 | number, cache, saved: Saved::NONE };
        op.saved = op.reads_of_gradients();
        op
    }

    pub fn definition(self: &Arc<ScalarOp>) -> OpDef {
        let (for_calls, for_samples) = (self.clone(), self.clone());
        OpDef {
            name: self.def.name,
            doc: self.def.doc,
            inputs: self.def.inputs,
            attributes: Vec::new(),
            parse: Box::new(move |_| Ok(for_calls.clone())),
            samples: Box::new(move || samples(&for_samples)),
        }
    }

    /// What the gradients read when all inputs are floats.
    fn reads_of_gradients(&self) -> Saved {
        let arity = self.def.inputs.len();
        let float = |i: usize| if self.def.rule == Rule::Select && i == 0 { DType::Bool } else { DType::F32 };
        let mut saved = Saved::NONE;
        let Ok(typed) = self.cache.get(self.def, (0..arity).map(|i| float(i).into())) else { return saved };
        for i in 0..arity {
            if let Gradient::Map(_, reads) = typed.gradient(self.def, i) {
                for read in reads {
                    match read {
                        Reads::Input(k) => saved.inputs |= 1 << k,
                        Reads::Output => saved.outputs |= 1,
                        Reads::Incoming => {}
                    }
                }
            }
        }
        saved
    }

    /// Whether a gradient flows to any of these operands, of which at least one is a float.
    pub fn has_gradient(&self, inputs: &[DType]) -> bool {
        let typed = self.cache.get(self.def, inputs.iter().map(|&d| d.into()));
        !inputs.contains(&DType::F32)
            || typed.is_ok_and(|t| (0..inputs.len()).any(|i| !matches!(t.gradient(self.def, i), Gradient::Zero)))
    }

    fn typed(&self, inputs: &[TensorType]) -> Result<&Typed> {
        let operands = if self.def.rule == Rule::Select { 1 } else { 0 }..inputs.len();
        let ranked = inputs[operands].iter().any(|t| t.shape.rank() > 0);
        let brought = inputs.iter().map(|t| Brought { dtype: t.dtype, weak: ranked && t.shape.rank() == 0 });
        self.cache.get(self.def, brought).map_err(|refusal| self.refused(refusal, inputs))
    }

    #[cold]
    fn refused(&self, refusal: Refusal, inputs: &[TensorType]) -> Error {
        let argument = self.def.inputs[refusal.argument].name;
        let received = inputs[refusal.argument].dtype;
        let expected = match self.def.rule {
            Rule::Select => "bool",
            Rule::Bits => "integers or bool",
            Rule::Shift => "integers",
            _ => "a number type",
        };
        Error::dtype(format!("{} takes no {received} as {argument}: {}", self.def.name, refusal.advice))
            .at(argument)
            .expected(expected)
            .received(received.name())
    }

    fn broadcast(&self, inputs: &[TensorType]) -> Result<Shape> {
        let mut shape = inputs[0].shape;
        for (i, input) in inputs.iter().enumerate().skip(1) {
            if input.shape == shape {
                continue;
            }
            shape = shape.broadcast(&input.shape).ok_or_else(|| self.apart(inputs, i, shape))?;
        }
        Ok(shape)
    }

    /// The error of input `at`, whose shape doesn't fit that of those before it.
    #[cold]
    fn apart(&self, inputs: &[TensorType], at: usize, before: Shape) -> Error {
        let name = |i: usize| self.def.inputs[i].name;
        let others = (0..at).map(name).collect::<Vec<_>>().join(" and ");
        let wrong = inputs[at].shape;
        Error::shape(format!(
            "{}: shape {before} of {others} and shape {wrong} of {} can't be broadcast together; dimensions counted \
             from the last must be equal or 1",
            self.def.name,
            name(at)
        ))
        .at(name(at))
        .expected(format!("a shape that broadcasts with {before}"))
        .received(wrong.to_string())
    }
}

impl fmt::Debug for ScalarOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.def.name)
    }
}

impl DynOp for ScalarOp {
    fn name(&self) -> &'static str {
        self.def.name
    }

    fn key(&self) -> u64 {
        self.key
    }

    fn same(&self, other: &dyn DynOp) -> bool {
        other.as_any().downcast_ref::<ScalarOp>().is_some_and(|o| std::ptr::eq(o.def, self.def))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn is_view(&self) -> bool {
        false
    }

    fn is_composite(&self) -> bool {
        false
    }

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        if inputs.len() != self.def.inputs.len() {
            return Err(Error::internal(format!("{} takes {} inputs", self.def.name, self.def.inputs.len())));
        }
        let dtype = self.typed(inputs)?.types.result;
        Ok(smallvec![TensorType { dtype, shape: self.broadcast(inputs)? }])
    }

    fn work(&self, inputs: &[TensorType]) -> Work {
        match self.typed(inputs) {
            Ok(typed) => Work::Elementwise(typed.program.clone()),
            // `infer` has refused these dtypes before.
            Err(error) => unreachable!("{error}"),
        }
    }

    fn view(&self, _: &Layout) -> Option<Layout> {
        None
    }

    fn saved(&self) -> Saved {
        self.saved
    }

    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        let Some(g) = cx.gradient(0) else { return Ok(()) };
        let types: SmallVec<[TensorType; MOST_INPUTS]> = (0..cx.inputs()).map(|i| cx.input_type(i)).collect();
        let typed = self.typed(&types)?;
        for i in 0..types.len() {
            if !cx.wants(i) {
                continue;
            }
            match typed.gradient(self.def, i) {
                Gradient::Zero => {}
                Gradient::Same => cx.set_reduced(i, g)?,
                Gradient::Map(map, reads) => {
                    let mut values: SmallVec<[Val; 4]> = SmallVec::new();
                    for read in reads {
                        values.push(match *read {
                            Reads::Input(k) => cx.input(k),
                            Reads::Output => cx.output(0),
                            Reads::Incoming => g,
                        });
                    }
                    let grad = cx.apply_dyn(map.clone(), &values)?;
                    cx.set_reduced(i, grad)?;
                }
            }
        }
        Ok(())
    }

    fn decompose(&self, _: &mut Build<'_>, _: &[Val]) -> Result<Option<Vec<Val>>> {
        Ok(None)
    }

    fn cpu(&self, _: &mut CpuArgs<'_>) -> Result<()> {
        Err(Error::internal("an elementwise op has no kernel of its own"))
    }

    fn gpu(&self, _: &[TensorType], _: &[TensorType]) -> Option<WgslKernel> {
        None
    }
}
