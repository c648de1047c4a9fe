//! Turning a nest into kernels that bind no more storage buffers than every device allows.

use crate::adapters::STORAGE_BUFFERS;
use crate::space::slots_read;
use crate::wgsl::{Dispatch, scalar};
use crate::{loops, reductions};
use fovea_core::DType;
use fovea_core::plan::{LoopNest, Operand, Reductions, SlotId, Store};
use fovea_core::scalar::{Instr, Program, ValueId};

/// Elements of an iteration space at most, so that indices stay far from overflow.
const MOST_ELEMENTS: usize = 1 << 31;

/// Makes slots that live until a step is done.
pub(crate) type Temporary<'a> = dyn FnMut(usize, DType) -> SlotId + 'a;

/// Kernels for a nest, or `None` where it can't run on the device.
pub(crate) fn nest(nest: &LoopNest, temporary: &mut Temporary<'_>) -> Option<Vec<Dispatch>> {
    let kept: usize =
        (0..nest.shape.rank()).filter(|d| !nest.reductions.axes.contains(d)).map(|d| nest.shape[d]).product();
    if kept == 0 || nest.shape.size() == 0 && nest.reductions.items.is_empty() {
        return Some(Vec::new());
    }
    if !scalar::is_native(&nest.program) || nest.shape.size() > MOST_ELEMENTS {
        return None;
    }
    let items: Vec<usize> = (0..nest.reductions.items.len()).collect();
    let stores: Vec<usize> = if nest.shape.size() == 0 { Vec::new() } else { (0..nest.stores.len()).collect() };
    if bindings(nest, &items, &stores) <= STORAGE_BUFFERS as usize {
        return Some(vec_of(nest, &items, &stores, temporary));
    }
    if let Some((first, rest)) = cut(nest, &items, &stores, temporary) {
        let mut out = self::nest(&first, temporary)?;
        out.extend(self::nest(&rest, temporary)?);
        return Some(out);
    }
    // Reductions only read, so they may go before the stores, and one by one.
    let mut out = Vec::new();
    if !items.is_empty() && items.len() + stores.len() > 1 {
        for &item in &items {
            out.extend(self::nest(&part(nest, &[item], &[]), temporary)?);
        }
        if !stores.is_empty() {
            out.extend(self::nest(&part(nest, &[], &stores), temporary)?);
        }
        return Some(out);
    }
    // Stores may go one by one where none writes what another reads.
    let read = slots_read(nest, &(0..nest.program.outputs.len()).collect::<Vec<_>>());
    if stores.len() > 1 && nest.stores.iter().all(|s| !read.contains(&s.slot)) {
        for &s in &stores {
            out.extend(self::nest(&part(nest, &[], &[s]), temporary)?);
        }
        return Some(out);
    }
    None
}

fn vec_of(nest: &LoopNest, items: &[usize], stores: &[usize], temporary: &mut Temporary<'_>) -> Vec<Dispatch> {
    if items.is_empty() {
        vec![loops::stores(nest, stores)]
    } else {
        reductions::reduce(nest, items, stores, temporary)
    }
}

/// The nest with these reductions and stores alone, and a program of what they need.
fn part(nest: &LoopNest, items: &[usize], stores: &[usize]) -> LoopNest {
    let mut out = LoopNest {
        stores: stores.iter().map(|&s| nest.stores[s]).collect(),
        reductions: Reductions::default(),
        ..nest.clone()
    };
    if !items.is_empty() {
        out.reductions.axes.clone_from(&nest.reductions.axes);
        out.reductions.items = items.iter().map(|&i| nest.reductions.items[i]).collect();
    }
    let mut outputs: Vec<ValueId> = Vec::new();
    let indices =
        out.stores.iter_mut().map(|s| &mut s.output).chain(out.reductions.items.iter_mut().map(|r| &mut r.output));
    for index in indices {
        let value = nest.program.outputs[*index];
        *index = outputs.iter().position(|o| *o == value).unwrap_or_else(|| {
            outputs.push(value);
            outputs.len() - 1
        });
    }
    out.program.outputs = outputs;
    out.program = out.program.simplified();
    out
}

/// Storage buffers of one kernel that does all of this.
fn bindings(nest: &LoopNest, items: &[usize], stores: &[usize]) -> usize {
    let outputs: Vec<usize> = items
        .iter()
        .map(|&i| nest.reductions.items[i].output)
        .chain(stores.iter().map(|&s| nest.stores[s].output))
        .collect();
    let mut slots = slots_read(nest, &outputs);
    for &s in stores {
        if !slots.contains(&nest.stores[s].slot) {
            slots.push(nest.stores[s].slot);
        }
    }
    slots.len() + if items.is_empty() { 0 } else { reductions::result_bindings(nest, items) }
}

/// Cuts the program in two: the first nest computes a prefix of the instructions into temporaries, which the second
/// reads. The longest prefix that fits is taken, if that brings the rest closer to fitting.
fn cut(
    nest: &LoopNest,
    items: &[usize],
    stores: &[usize],
    temporary: &mut Temporary<'_>,
) -> Option<(LoopNest, LoopNest)> {
    if nest.shape.size() == 0 {
        return None;
    }
    let whole = bindings(nest, items, stores);
    let program = &nest.program;
    (1..=program.instrs.len()).rev().find_map(|at| {
        let frontier = frontier(program, at);
        let prefix = LoopNest {
            shape: nest.shape,
            operands: nest.operands.clone(),
            program: Program {
                inputs: program.inputs.clone(),
                instrs: program.instrs[..at].to_vec(),
                outputs: frontier.clone(),
            },
            stores: Vec::new(),
            reductions: Reductions::default(),
        };
        let read = slots_read(&prefix, &(0..frontier.len()).collect::<Vec<_>>()).len();
        if frontier.is_empty() || read + frontier.len() > STORAGE_BUFFERS as usize {
            return None;
        }
        // Slots that don't exist stand in for the temporaries until it is clear that they are needed.
        let trial: Vec<SlotId> = (0..frontier.len()).map(|i| SlotId::MAX - i).collect();
        if bindings(&suffix(nest, at, &frontier, &trial), items, stores) >= whole {
            return None;
        }
        let slots: Vec<SlotId> = frontier.iter().map(|&v| temporary(nest.shape.size(), program.dtype_of(v))).collect();
        let strides = nest.shape.strides();
        let stores =
            slots.iter().enumerate().map(|(output, &slot)| Store { output, slot, strides, offset: 0 }).collect();
        Some((LoopNest { stores, ..prefix }, suffix(nest, at, &frontier, &slots)))
    })
}

/// Values of the first `at` instructions that later ones or the outputs read.
fn frontier(program: &Program, at: usize) -> Vec<ValueId> {
    let inputs = program.inputs.len();
    let early = |v: &ValueId| (inputs..inputs + at).contains(&(*v as usize));
    let later = program.instrs[at..].iter().flat_map(|i| i.args[..i.prim.arity()].to_vec());
    let mut out: Vec<ValueId> = later.chain(program.outputs.iter().copied()).filter(early).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The nest of the instructions from `at` on, which reads the values of `frontier` from `slots`.
fn suffix(nest: &LoopNest, at: usize, frontier: &[ValueId], slots: &[SlotId]) -> LoopNest {
    let program = &nest.program;
    let inputs = program.inputs.len();
    let map = |v: ValueId| -> ValueId {
        let old = v as usize;
        let new = if old < inputs {
            old
        } else if old < inputs + at {
            inputs + frontier.iter().position(|&f| f == v).expect("in the frontier")
        } else {
            old - at + frontier.len()
        };
        new as ValueId
    };
    let rewrite = |instr: &Instr| {
        let mut args = [0; 3];
        for (to, from) in args.iter_mut().zip(&instr.args[..instr.prim.arity()]) {
            *to = map(*from);
        }
        Instr { args, ..*instr }
    };
    let strides = nest.shape.strides();
    LoopNest {
        shape: nest.shape,
        operands: nest
            .operands
            .iter()
            .copied()
            .chain(slots.iter().map(|&slot| Operand::Tensor { slot, strides, offset: 0 }))
            .collect(),
        program: Program {
            inputs: program.inputs.iter().copied().chain(frontier.iter().map(|&v| program.dtype_of(v))).collect(),
            instrs: program.instrs[at..].iter().map(rewrite).collect(),
            outputs: program.outputs.iter().map(|&o| map(o)).collect(),
        },
        stores: nest.stores.clone(),
        reductions: nest.reductions.clone(),
    }
}
