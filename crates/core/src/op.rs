//! The op contract: an op is written once; kernels, gradients, TypeScript, docs and tests derive from it.

use crate::attributes::{AttrReader, AttrSchema, Attributes};
use crate::contraction::Contraction;
use crate::device::CpuArgs;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::graph::{Backward, Build, Val};
use crate::sample::{DynSample, Sample};
use crate::scalar::Program;
use crate::shape::{Layout, Shape};
use smallvec::SmallVec;
use std::any::Any;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Dtype and shape of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TensorType {
    pub dtype: DType,
    pub shape: Shape,
}

impl TensorType {
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> TensorType {
        TensorType { dtype, shape: shape.into() }
    }

    pub fn bytes(&self) -> usize {
        self.shape.size() * self.dtype.size()
    }
}

/// Types of an op's outputs.
pub type OutTypes = SmallVec<[TensorType; 1]>;

/// How the elements of one reduced group combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Monoid {
    Sum,
    Prod,
    /// NaN wins.
    Max,
    Min,
    /// Index of the first maximum in row-major order of the reduced axes; NaN counts as the largest. Result i32.
    ArgMax,
    ArgMin,
}

/// Pieces copied side by side into one result (pad, concat). Pieces don't overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assemble {
    /// Value of what no piece covers, as f64 bits; `None` when the pieces cover everything.
    pub fill: Option<u64>,
    /// Where each input starts in the result, for each dimension.
    pub starts: Vec<Shape>,
}

/// What kind of work an op is: all that the scheduler knows of it.
#[derive(Clone, Debug)]
pub enum Work {
    /// Strides only; see [`Op::view`].
    View,
    /// A scalar program with one output over inputs broadcast to the result's shape.
    Elementwise(Arc<Program>),
    /// Input 0 reduced along `axes` (sorted, distinct).
    Reduction {
        axes: SmallVec<[usize; 4]>,
        monoid: Monoid,
    },
    Contraction(Contraction),
    Assemble(Assemble),
    /// Hand-written for each device; see [`Op::cpu`] and [`Op::gpu`].
    Kernel,
    /// Recorded as the ops of [`Op::decompose`]; never a node itself.
    Composite,
}

/// Which inputs and outputs the gradient reads, as bit masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    pub inputs: u32,
    pub outputs: u32,
}

impl Saved {
    pub const NONE: Saved = Saved { inputs: 0, outputs: 0 };
    pub const INPUTS: Saved = Saved { inputs: u32::MAX, outputs: 0 };
    pub const OUTPUTS: Saved = Saved { inputs: 0, outputs: u32::MAX };

    pub const fn inputs(mask: u32) -> Saved {
        Saved { inputs: mask, outputs: 0 }
    }
}

/// A WGSL compute kernel for one call: entry point `main`, storage bindings 0.. for inputs then outputs, all
/// `read_write`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WgslKernel {
    pub source: String,
    pub workgroups: [u32; 3],
}

/// The inputs an op takes.
#[derive(Clone, Copy, Debug)]
pub struct InputSchema {
    pub name: &'static str,
    pub doc: &'static str,
    /// May be left out; the op then has an attribute of type [`Given`](crate::attributes::Given) and gets only the
    /// inputs that are given.
    pub optional: bool,
    /// Takes any number of tensors from here on.
    pub variadic: bool,
}

impl InputSchema {
    pub const fn required(name: &'static str, doc: &'static str) -> InputSchema {
        InputSchema { name, doc, optional: false, variadic: false }
    }
    pub const fn optional(name: &'static str, doc: &'static str) -> InputSchema {
        InputSchema { name, doc, optional: true, variadic: false }
    }
    pub const fn variadic(name: &'static str, doc: &'static str) -> InputSchema {
        InputSchema { name, doc, optional: false, variadic: true }
    }
}

/// An op. `self` holds the attributes: typed, hashed, documented; they become the TypeScript options.
pub trait Op: Attributes {
    /// `conv2d`; every other spelling derives from it.
    const NAME: &'static str;
    /// One sentence, the formula, shapes and source; goes into the docs and TypeScript.
    const DOC: &'static str;
    const INPUTS: &'static [InputSchema];
    /// Whether every call is a [`Work::View`].
    const VIEW: bool = false;
    /// Whether every call is a [`Work::Composite`].
    const COMPOSITE: bool = false;
    /// Whether the CPU's kernel writes images channels-last where all its inputs lie so and its outputs are asked for
    /// so; else outputs are row-major.
    const CHANNELS_LAST: bool = false;

    /// Types of the outputs, or the error of a wrong call.
    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes>;

    fn work(&self, inputs: &[TensorType]) -> Work;

    /// For [`Work::View`]: the result's layout over the input's buffer, or `None` where the input must be copied to
    /// a contiguous buffer first.
    fn view(&self, _input: &Layout) -> Option<Layout> {
        None
    }

    fn saved(&self) -> Saved {
        Saved::NONE
    }

    /// The dtype that plain numbers take where no input is a tensor, so that none is rounded on its way; f32 if `None`.
    fn number_dtype(&self) -> Option<DType> {
        None
    }

    /// Records the gradients of the inputs that are wanted, as graph ops.
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()>;

    /// The same in plainer ops: what a [`Work::Composite`] records, what a hand-written kernel's gradient is
    /// differentiated through.
    fn decompose(&self, _cx: &mut Build<'_>, _inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        Ok(None)
    }

    /// For [`Work::Kernel`]: computes the wanted outputs. Inputs come with strides, outputs are row-major.
    fn cpu(&self, _args: &mut CpuArgs<'_>) -> Result<()> {
        Err(Error::internal(format!("{} has no CPU kernel", Self::NAME)))
    }

    fn gpu(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> Option<WgslKernel> {
        None
    }

    /// Inputs and attributes that drive every test: at least six, among them a ragged one, a broadcast one where the
    /// op broadcasts, a zero-sized one and one that isn't contiguous.
    fn samples() -> Vec<Sample<Self>>;
}

/// An [`Op`] with its type erased: what a node holds.
pub trait DynOp: Send + Sync + Debug {
    fn name(&self) -> &'static str;
    /// Equal for equal ops.
    fn key(&self) -> u64;
    fn same(&self, other: &dyn DynOp) -> bool;
    fn as_any(&self) -> &dyn Any;
    fn is_view(&self) -> bool;
    fn is_composite(&self) -> bool;
    fn keeps_channels_last(&self) -> bool {
        false
    }
    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes>;
    fn work(&self, inputs: &[TensorType]) -> Work;
    fn view(&self, input: &Layout) -> Option<Layout>;
    fn saved(&self) -> Saved;
    fn number_dtype(&self) -> Option<DType> {
        None
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()>;
    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>>;
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()>;
    fn gpu(&self, inputs: &[TensorType], outputs: &[TensorType]) -> Option<WgslKernel>;
}

impl<T: Op> DynOp for T {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn key(&self) -> u64 {
        let mut hasher = rustc_hash::FxHasher::default();
        (T::NAME.as_ptr() as usize).hash(&mut hasher);
        self.hash(&mut hasher);
        hasher.finish()
    }
    fn same(&self, other: &dyn DynOp) -> bool {
        other.as_any().downcast_ref::<T>().is_some_and(|o| o == self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn is_view(&self) -> bool {
        T::VIEW
    }
    fn keeps_channels_last(&self) -> bool {
        T::CHANNELS_LAST
    }
    fn is_composite(&self) -> bool {
        T::COMPOSITE
    }
    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Op::infer(self, inputs)
    }
    fn work(&self, inputs: &[TensorType]) -> Work {
        Op::work(self, inputs)
    }
    fn view(&self, input: &Layout) -> Option<Layout> {
        Op::view(self, input)
    }
    fn saved(&self) -> Saved {
        Op::saved(self)
    }
    fn number_dtype(&self) -> Option<DType> {
        Op::number_dtype(self)
    }
    fn vjp(&self, cx: &mut Backward<'_>) -> Result<()> {
        Op::vjp(self, cx)
    }
    fn decompose(&self, cx: &mut Build<'_>, inputs: &[Val]) -> Result<Option<Vec<Val>>> {
        Op::decompose(self, cx, inputs)
    }
    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        Op::cpu(self, args)
    }
    fn gpu(&self, inputs: &[TensorType], outputs: &[TensorType]) -> Option<WgslKernel> {
        Op::gpu(self, inputs, outputs)
    }
}

/// Reads the attributes of a call.
pub type Parse = Box<dyn Fn(&mut AttrReader<'_>) -> Result<Arc<dyn DynOp>> + Send + Sync>;

/// The record that the op list holds of each op.
pub struct OpDef {
    pub name: &'static str,
    pub doc: &'static str,
    pub inputs: &'static [InputSchema],
    pub attributes: Vec<AttrSchema>,
    pub parse: Parse,
    pub samples: Box<dyn Fn() -> Vec<DynSample> + Send + Sync>,
}

impl OpDef {
    pub fn of<T: Op>() -> OpDef {
        OpDef {
            name: T::NAME,
            doc: T::DOC,
            inputs: T::INPUTS,
            attributes: T::schema(),
            parse: Box::new(|reader| Ok(Arc::new(T::parse(reader)?))),
            samples: Box::new(|| {
                T::samples()
                    .into_iter()
                    .map(|s| DynSample {
                        name: s.name,
                        attributes: s.op.encode(),
                        op: Arc::new(s.op),
                        inputs: s.inputs,
                        tolerance: s.tolerance,
                        differentiable: s.differentiable,
                    })
                    .collect()
            }),
        }
    }
}
