//! Elementwise nests: one invocation for each element of the iteration space.

use crate::space::{Space, evaluate, write_stores};
use crate::wgsl::{Dispatch, Source, index};
use fovea_core::DType;
use fovea_core::plan::{LoopNest, SlotId};

const INVOCATIONS: u32 = 256;

/// A kernel that does the stores in `stores` of a nest.
pub(crate) fn stores(nest: &LoopNest, stores: &[usize]) -> Dispatch {
    let space = Space::new(nest);
    let elements: usize = space.sizes.iter().product();
    let mut outputs: Vec<usize> = stores.iter().map(|&s| nest.stores[s].output).collect();
    outputs.sort_unstable();
    outputs.dedup();

    let mut source = Source::default();
    source.line(format!("let i = group * {INVOCATIONS}u + lane;"));
    source.line(format!("if (i >= {elements}u) {{ return; }}"));
    let coordinates = index::coordinates(&mut source, "i", &space.sizes);
    let values = evaluate(&mut source, nest, &space, &coordinates, "i", &outputs);
    let value_of = |output: usize| values[outputs.iter().position(|&o| o == output).expect("evaluated")].clone();
    write_stores(&mut source, nest, &space, &coordinates, stores, &value_of);
    source.finish(elements.div_ceil(INVOCATIONS as usize) as u64, INVOCATIONS)
}

/// A kernel that sets `elements` f32 elements of a slot to `value`.
pub(crate) fn fill(slot: SlotId, elements: usize, value: f32) -> Dispatch {
    let mut source = Source::default();
    let buffer = source.bind(slot, DType::F32);
    source.line(format!("let i = group * {INVOCATIONS}u + lane;"));
    source.line(format!("if (i < {elements}u) {{ {buffer}[i] = {value:e}f; }}"));
    source.finish(elements.div_ceil(INVOCATIONS as usize) as u64, INVOCATIONS)
}
