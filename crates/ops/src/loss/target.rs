//! Class indices that have been checked.

use crate::indexing::{checked_index, offsets};
use crate::parallel;
use fovea_core::attributes::{AttrReader, AttrSchema, Attributes};
use fovea_core::device::{CpuArgs, Element};
use fovea_core::graph::Backward;
use fovea_core::op::{InputSchema, OutTypes, WgslKernel, Work};
use fovea_core::sample::Sample;
use fovea_core::{DType, Error, Op, Result, TensorType};
use smallvec::smallvec;

/// The target itself; on the CPU an ArgumentError where an element is neither `ignore_index` nor in `0..classes`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckTarget {
    pub classes: usize,
    pub ignore_index: Option<i64>,
}

impl Attributes for CheckTarget {
    fn schema() -> Vec<AttrSchema> {
        Vec::new()
    }
    fn parse(_: &mut AttrReader<'_>) -> Result<CheckTarget> {
        Err(Error::internal("check_target is recorded by losses only"))
    }
    fn encode(&self) -> Vec<f64> {
        Vec::new()
    }
}

fn run<T: Element + Into<i64>>(args: &mut CpuArgs<'_>, op: &CheckTarget) -> Result<()> {
    let input = &args.inputs[0];
    let (values, layout) = (input.elements::<T>(), input.layout);
    let places = offsets(&layout.shape, &layout.strides[..layout.shape.rank()]);
    let value = |i: usize| values[(layout.offset as isize + places[i]) as usize];
    for i in 0..places.len() {
        let class: i64 = value(i).into();
        if Some(class) != op.ignore_index {
            checked_index("target", class, op.classes, layout.shape, i)?;
        }
    }
    let Some(out) = &mut args.outputs[0] else { return Ok(()) };
    parallel::each(args.threads, out.elements::<T>(), 1, 1, |i, out| out[0] = value(i));
    Ok(())
}

impl Op for CheckTarget {
    // The name of the op that records it, so that its error names what was called.
    const NAME: &'static str = "cross_entropy";
    const DOC: &'static str = "Class indices, checked.";
    const INPUTS: &'static [InputSchema] = &[InputSchema::required("target", "")];

    fn infer(&self, inputs: &[TensorType]) -> Result<OutTypes> {
        Ok(smallvec![inputs[0]])
    }

    fn work(&self, _: &[TensorType]) -> Work {
        Work::Kernel
    }

    fn vjp(&self, _: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }

    fn cpu(&self, args: &mut CpuArgs<'_>) -> Result<()> {
        match args.inputs[0].dtype {
            DType::I64 => run::<i64>(args, self),
            _ => run::<i32>(args, self),
        }
    }

    /// Indices are clamped. Both integer types are held as i32.
    fn gpu(&self, inputs: &[TensorType], _: &[TensorType]) -> Option<WgslKernel> {
        let size = inputs[0].shape.size();
        let last = self.classes.saturating_sub(1);
        let value = format!("clamp(target_index[i], 0i, {last}i)");
        let value = match self.ignore_index.map(i32::try_from) {
            Some(Ok(ignore)) => format!("select({value}, {ignore}i, target_index[i] == {ignore}i)"),
            _ => value,
        };
        let groups = size.div_ceil(GROUP).clamp(1, MOST_GROUPS);
        let step = groups * GROUP;
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> target_index: array<i32>;
@group(0) @binding(1) var<storage, read_write> checked: array<i32>;

@compute @workgroup_size({GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  for (var i = id.x; i < {size}u; i += {step}u) {{
    checked[i] = {value};
  }}
}}
"
        );
        Some(WgslKernel { source, workgroups: [groups as u32, 1, 1] })
    }

    fn samples() -> Vec<Sample<CheckTarget>> {
        Vec::new()
    }
}

/// Invocations of a workgroup.
const GROUP: usize = 64;
/// The most workgroups along one dimension that every adapter allows.
const MOST_GROUPS: usize = 65_535;
