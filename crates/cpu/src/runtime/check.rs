//! What must hold before a plan's pointers are followed.

use fovea_core::plan::{Home, LoopNest, Operand, Plan, SlotId, Step, Store, View};
use fovea_core::{Error, Layout, Result};

/// The slots that a step writes.
pub(super) fn writes(step: &Step) -> Vec<SlotId> {
    match step {
        Step::Loop(nest) => {
            nest.stores.iter().map(|s| s.slot).chain(nest.reductions.items.iter().map(|r| r.slot)).collect()
        }
        Step::Contract { out, .. } => vec![*out],
        Step::Kernel(kernel) => kernel.outputs.iter().flatten().copied().collect(),
    }
}

/// The slots that a step reads.
fn reads(step: &Step) -> Vec<SlotId> {
    match step {
        Step::Loop(nest) => nest
            .operands
            .iter()
            .filter_map(|o| if let Operand::Tensor { slot, .. } = o { Some(*slot) } else { None })
            .collect(),
        Step::Contract { a, b, .. } => vec![a.slot, b.slot],
        Step::Kernel(kernel) => kernel.inputs.iter().map(|v| v.slot).collect(),
    }
}

/// Whether `output`, first written by step `first`, may lie in the buffer of `external`: nothing reads the external
/// later, and that step reads it only at the element that it writes.
pub(super) fn may_take_over(plan: &Plan, output: usize, external: usize, first: usize) -> bool {
    let is = |slot: SlotId, home: Home| plan.slots[slot].home == home;
    let read = |step: &Step| reads(step).into_iter().any(|s| is(s, Home::External(external)));
    if plan.steps[first + 1..].iter().any(read) {
        return false;
    }
    if !read(&plan.steps[first]) {
        return true;
    }
    let Step::Loop(LoopNest { shape, operands, stores, reductions, .. }) = &plan.steps[first] else { return false };
    let mut targets = stores.iter().filter(|s| is(s.slot, Home::Output(output)));
    let (Some(target), None) = (targets.next(), targets.next()) else { return false };
    !reductions.items.iter().any(|r| is(r.slot, Home::Output(output)))
        && operands.iter().all(|operand| match operand {
            Operand::Tensor { slot, strides, offset } if is(*slot, Home::External(external)) => {
                (0..shape.rank()).all(|d| shape[d] == 1 || strides[d] == target.strides[d])
                    && *offset == target.offset
                    && plan.slots[*slot].dtype == plan.slots[target.slot].dtype
            }
            _ => true,
        })
}

/// Refuses views that reach outside their slots, and kernels that would read what they write.
pub(super) fn check_views(plan: &Plan, step: &Step) -> Result<()> {
    let inside = |view: &View| {
        if fits(&view.layout, plan.slots[view.slot].elements) {
            return Ok(());
        }
        let elements = plan.slots[view.slot].elements;
        Err(Error::internal(format!("a view of {} reaches outside its slot of {elements} elements", view.layout.shape)))
    };
    match step {
        // A loop may work in place; its reads and writes only have to lie inside their slots.
        Step::Loop(nest) => {
            for operand in &nest.operands {
                if let Operand::Tensor { slot, strides, offset } = *operand {
                    inside(&View { slot, layout: Layout { shape: nest.shape, strides, offset } })?;
                }
            }
            for &Store { slot, strides, offset, .. } in &nest.stores {
                inside(&View { slot, layout: Layout { shape: nest.shape, strides, offset } })?;
            }
            let kept = nest.shape.reduced(&nest.reductions.axes, false).size();
            if nest.reductions.items.iter().any(|item| plan.slots[item.slot].elements < kept) {
                return Err(Error::internal("a reduction's result is larger than its slot"));
            }
            return Ok(());
        }
        Step::Contract { contraction, a, b, out } => {
            inside(a)?;
            inside(b)?;
            let elements = contraction.out.iter().map(|&l| contraction.loops[l].size).product::<usize>();
            if elements > plan.slots[*out].elements {
                return Err(Error::internal("a contraction's result is larger than its slot"));
            }
        }
        Step::Kernel(kernel) => {
            for (output, layout) in kernel.outputs.iter().zip(&kernel.output_layouts) {
                if output.is_some_and(|slot| !fits(layout, plan.slots[slot].elements)) {
                    return Err(Error::internal("a kernel's output is larger than its slot"));
                }
            }
        }
    }
    let written = writes(step);
    for (i, &w) in written.iter().enumerate() {
        if reads(step).iter().chain(&written[..i]).any(|&r| overlap(plan, r, w)) {
            return Err(Error::internal("a step's output shares memory with its inputs or another output"));
        }
    }
    Ok(())
}

fn overlap(plan: &Plan, a: SlotId, b: SlotId) -> bool {
    let bytes = |s: SlotId| plan.slots[s].elements * plan.slots[s].dtype.size();
    match (plan.slots[a].home, plan.slots[b].home) {
        (Home::Arena(x), Home::Arena(y)) => x < y + bytes(b) && y < x + bytes(a),
        (x, y) => x == y,
    }
}

/// Whether every index that the layout yields lies in a buffer of `elements`.
pub(super) fn fits(layout: &Layout, elements: usize) -> bool {
    let reach = |sign: isize| -> isize {
        (0..layout.shape.rank()).map(|i| (sign * layout.strides[i]).max(0) * (layout.shape[i] as isize - 1)).sum()
    };
    layout.shape.size() == 0 || (layout.end() <= elements && reach(-1) <= layout.offset as isize)
}
