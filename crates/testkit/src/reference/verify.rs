//! What every plan must satisfy, checked step by step before it runs.

use fovea_core::op::Monoid;
use fovea_core::plan::{Home, LoopNest, Operand, Plan, SlotId, Step};
use fovea_core::{DType, Error, Layout, Result};

/// The alignment that arena offsets must have.
const ALIGNMENT: usize = 256;

/// The slots that a step writes.
pub fn written(step: &Step) -> Vec<SlotId> {
    match step {
        Step::Loop(n) => n.stores.iter().map(|s| s.slot).chain(n.reductions.items.iter().map(|r| r.slot)).collect(),
        Step::Contract { out, .. } => vec![*out],
        Step::Kernel(kernel) => kernel.outputs.iter().flatten().copied().collect(),
    }
}

/// The views through which a step reads.
pub fn read(step: &Step) -> Vec<(SlotId, Layout)> {
    match step {
        Step::Loop(nest) => nest
            .operands
            .iter()
            .filter_map(|o| match *o {
                Operand::Tensor { slot, strides, offset } => {
                    Some((slot, Layout { shape: nest.shape, strides, offset }))
                }
                _ => None,
            })
            .collect(),
        Step::Contract { a, b, .. } => vec![(a.slot, a.layout), (b.slot, b.layout)],
        Step::Kernel(kernel) => kernel.inputs.iter().map(|v| (v.slot, v.layout)).collect(),
    }
}

/// Checks a plan: every read is of a slot that still holds what was written to it, inside its bounds; steps read what
/// they write only in place; donations are of externals that nobody reads later; no step is without a result, and no
/// result without a reader.
pub fn verify(plan: &Plan) -> Result<()> {
    let bytes = |slot: SlotId| plan.slots[slot].elements * plan.slots[slot].dtype.size();
    for (i, slot) in plan.slots.iter().enumerate() {
        match slot.home {
            Home::Arena(start) if start % ALIGNMENT != 0 || start + bytes(i) > plan.arena_bytes => {
                return wrong("an arena slot lies outside the arena or at a bad offset");
            }
            Home::External(e) if e >= plan.externals => return wrong("a slot of an external that doesn't exist"),
            Home::Output(o) if o >= plan.outputs => return wrong("a slot of an output that doesn't exist"),
            _ => {}
        }
    }
    // Which slots hold the bytes that they were given.
    let mut holds: Vec<bool> = plan.slots.iter().map(|s| matches!(s.home, Home::External(_))).collect();
    for (index, step) in plan.steps.iter().enumerate() {
        let named = |what: &str| wrong(&format!("step {index} ({}): {what}", plan.labels[index]));
        for (slot, layout) in read(step) {
            if !inside(&layout, plan.slots[slot].elements) {
                return named("a read reaches outside its slot");
            }
            if !holds[slot] && layout.shape.size() > 0 {
                return named(&format!("slot {slot} is read but doesn't hold its value (any more)"));
            }
        }
        if let Step::Loop(nest) = step {
            check_nest(plan, nest).or_else(|e| named(&e.fields().message))?;
        }
        let writes = written(step);
        if writes.is_empty() {
            return named("nothing is written");
        }
        for &slot in &writes {
            if matches!(plan.slots[slot].home, Home::External(_)) {
                return named("an external is written");
            }
            let in_place = |other: SlotId| other == slot && matches!(step, Step::Loop(_));
            if read(step).iter().any(|&(r, l)| l.shape.size() > 0 && overlap(plan, r, slot) && !in_place(r)) {
                return named("an operand shares memory with a result");
            }
            for (other, holds) in holds.iter_mut().enumerate() {
                if other != slot && overlap(plan, other, slot) {
                    *holds = false;
                }
            }
            holds[slot] = true;
        }
    }
    for band in &plan.bands {
        let steps = || plan.steps[band.steps()].iter();
        let touched: Vec<SlotId> =
            steps().flat_map(|s| written(s).into_iter().chain(read(s).into_iter().map(|r| r.0))).collect();
        for slot in steps().flat_map(written) {
            if touched.iter().any(|&other| other != slot && overlap(plan, other, slot)) {
                return wrong(&format!("slot {slot} shares memory with another one of its band"));
            }
        }
    }
    let mut read_by_any = vec![false; plan.slots.len()];
    for (slot, _) in plan.steps.iter().flat_map(read) {
        read_by_any[slot] = true;
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let needed = |slot: SlotId| read_by_any[slot] || matches!(plan.slots[slot].home, Home::Output(_));
        if let Some(slot) = written(step).into_iter().find(|&slot| !needed(slot)) {
            return wrong(&format!("step {index} ({}): nothing reads slot {slot}", plan.labels[index]));
        }
    }
    for (slot, holds) in plan.slots.iter().zip(&holds) {
        if matches!(slot.home, Home::Output(_)) && !holds && slot.elements > 0 {
            return wrong("an output is never written or is written over");
        }
    }
    donations(plan)
}

fn donations(plan: &Plan) -> Result<()> {
    for &(output, external) in &plan.donations {
        let is = |slot: SlotId, home: Home| plan.slots[slot].home == home;
        let first = plan.steps.iter().position(|s| written(s).iter().any(|&w| is(w, Home::Output(output))));
        let Some(first) = first else { return wrong("a donation to an output that nothing writes") };
        let reads = |s: &Step| read(s).iter().any(|r| is(r.0, Home::External(external)));
        if plan.steps[first + 1..].iter().any(reads) {
            return wrong("a donated external is read after it was overwritten");
        }
        let Step::Loop(nest) = &plan.steps[first] else { return wrong("a donation to a step that is no loop") };
        let stores = nest.stores.iter().filter(|s| is(s.slot, Home::Output(output)));
        for store in stores {
            for operand in &nest.operands {
                if let Operand::Tensor { slot, strides, offset } = operand
                    && is(*slot, Home::External(external))
                    && (*offset != store.offset
                        || (0..nest.shape.rank()).any(|d| nest.shape[d] > 1 && strides[d] != store.strides[d]))
                {
                    return wrong("a donated external is read at another element than the one written");
                }
            }
        }
        if plan.donations.iter().filter(|d| d.1 == external || d.0 == output).count() > 1 {
            return wrong("an external is donated twice, or an output takes two");
        }
    }
    Ok(())
}

fn check_nest(plan: &Plan, nest: &LoopNest) -> Result<()> {
    let program = &nest.program;
    if nest.operands.len() != program.inputs.len() {
        return wrong("operands and program inputs differ in number");
    }
    for (operand, &dtype) in nest.operands.iter().zip(&program.inputs) {
        if let Operand::Tensor { slot, .. } = operand
            && plan.slots[*slot].dtype != dtype
        {
            return wrong("an operand has another dtype than the program input");
        }
    }
    let values = program.inputs.len() + program.instrs.len();
    for (i, instr) in program.instrs.iter().enumerate() {
        let limit = program.inputs.len() + i;
        if instr.args[..instr.prim.arity()].iter().any(|&a| a as usize >= limit) {
            return wrong("an instruction reads a later one");
        }
    }
    if program.outputs.iter().any(|&o| o as usize >= values) {
        return wrong("a program output doesn't exist");
    }
    for store in &nest.stores {
        let layout = Layout { shape: nest.shape, strides: store.strides, offset: store.offset };
        if !inside(&layout, plan.slots[store.slot].elements) {
            return wrong("a store reaches outside its slot");
        }
        if plan.slots[store.slot].dtype != program.output_dtype(store.output) {
            return wrong("a store has another dtype than its value");
        }
    }
    let axes = &nest.reductions.axes;
    if !axes.windows(2).all(|w| w[0] < w[1]) || axes.iter().any(|&a| a >= nest.shape.rank()) {
        return wrong("reduced axes are unsorted or out of range");
    }
    for item in &nest.reductions.items {
        let kept = nest.shape.reduced(axes, false).size();
        let dtype = match item.monoid {
            Monoid::ArgMax | Monoid::ArgMin => DType::I32,
            _ => program.output_dtype(item.output),
        };
        if plan.slots[item.slot].elements != kept || plan.slots[item.slot].dtype != dtype {
            return wrong("a reduction's slot has another size or dtype than its result");
        }
    }
    Ok(())
}

/// Whether every index that the layout yields lies in a buffer of `elements`.
fn inside(layout: &Layout, elements: usize) -> bool {
    let reach = |sign: isize| -> isize {
        (0..layout.shape.rank()).map(|d| (layout.strides[d] * sign).max(0) * (layout.shape[d] as isize - 1)).sum()
    };
    layout.shape.size() == 0 || (layout.end() <= elements && reach(-1) <= layout.offset as isize)
}

fn overlap(plan: &Plan, a: SlotId, b: SlotId) -> bool {
    let bytes = |s: SlotId| plan.slots[s].elements * plan.slots[s].dtype.size();
    match (plan.slots[a].home, plan.slots[b].home) {
        (Home::Arena(x), Home::Arena(y)) => x < y + bytes(b) && y < x + bytes(a),
        (x, y) => x == y,
    }
}

fn wrong<T>(what: &str) -> Result<T> {
    Err(Error::internal(format!("a wrong plan: {what}")))
}
