//! Runs of instructions that are compiled into one loop over a block.

use super::code::{Policy, cell_of};
use super::lower::{Lowering, Reach, Step};
use crate::jit::{Binary, Compare, Fold, Join, Lanes, Node, Segment, Store, Unary, Value, trace};
use crate::math::formulas;
use fovea_core::DType;
use fovea_core::device::Datum;
use fovea_core::scalar::Prim;
use std::collections::HashMap;

/// A segment while it grows: its nodes, and which of them the program's values are.
#[derive(Default)]
pub(super) struct Growing {
    pub(super) segment: Segment,
    values: HashMap<usize, Value>,
}

impl Growing {
    /// The node of a value of the segment.
    pub(super) fn node(&self, value: usize) -> Option<Value> {
        self.values.get(&value).copied()
    }
}

impl Lowering<'_> {
    /// Puts steps that can be compiled together into segments. All others go first, as far as they can.
    pub(super) fn group(&mut self) {
        let mut left = std::mem::take(&mut self.steps);
        let mut waiting = vec![false; self.dtypes.len()];
        left.iter().filter_map(|&step| self.writes(step)).for_each(|v| waiting[v] = true);
        let mut compiled = false;
        while !left.is_empty() {
            let (mut now, mut later) = (Vec::new(), Vec::new());
            for step in left {
                let free = match step {
                    Step::Gather(_) => true,
                    _ => !self.reads(step).into_iter().any(|v| waiting[v]),
                };
                if free && self.compiles(step) == compiled && !self.must_wait(step, &later) {
                    self.writes(step).into_iter().for_each(|v| waiting[v] = false);
                    now.push(step);
                } else {
                    later.push(step);
                }
            }
            // One instruction alone is worth it for the rows that its code then goes through.
            let by_rows = self.task.policy == Policy::Single && self.task.space.dims.len() > 1;
            if compiled && (now.len() > 1 || matches!(now[..], [Step::Fold(_)]) || (by_rows && !now.is_empty())) {
                self.steps.push(Step::Segment(self.segments.len()));
                self.segments.push(now);
            } else {
                self.steps.append(&mut now);
            }
            left = later;
            compiled = !compiled;
        }
    }

    /// Whether a store would go over an operand that one of these steps is still to read.
    fn must_wait(&self, step: Step, before: &[Step]) -> bool {
        let Step::Store(number) = step else { return false };
        let accesses = &self.task.space.accesses;
        let place = &accesses[self.task.stores[number].1 as usize];
        let shares = |v: usize| self.operand(v).is_some_and(|a| &accesses[a as usize] == place);
        before.iter().any(|&step| self.reads(step).into_iter().any(shares))
    }

    /// Whether there are nodes for what the step does.
    fn compiles(&self, step: Step) -> bool {
        let lanes = |v: usize| match (self.dtypes[v], self.reach[v]) {
            (DType::F32 | DType::I32, _) => true,
            (DType::Bool, reach) => reach == Reach::Element,
            _ => false,
        };
        match step {
            Step::Splat(from, _) => self.dtypes[from].size() == 4,
            Step::Fold(_) => true,
            Step::Instr(value) if self.reach[value] == Reach::Element => {
                let Some(instr) = self.instr(value) else { return false };
                let reads = self.reads(step);
                let Some(&last) = reads.last() else { return false };
                reads.iter().all(|&v| lanes(v)) && has_nodes(instr.prim, self.dtypes[last], instr.dtype)
            }
            _ => false,
        }
    }

    /// Adds the nodes of a step; `entry` is where values lie that others have computed.
    pub(super) fn grow(&self, growing: &mut Growing, step: Step, mut entry: impl FnMut(usize) -> u16) -> Option<()> {
        let nodes: Vec<Value> = self.reads(step).into_iter().map(|v| self.node_of(growing, v, &mut entry)).collect();
        let Some(value) = self.writes(step) else { return Some(()) };
        let node = match (step, self.instr(value)) {
            (Step::Instr(_), Some(instr)) => {
                let from = self.dtypes[self.reads(step)[nodes.len() - 1]];
                instruction(&mut growing.segment, instr.prim, from, instr.dtype, &nodes)?
            }
            _ => nodes[0],
        };
        growing.values.insert(value, node);
        Some(())
    }

    fn node_of(&self, growing: &mut Growing, value: usize, entry: &mut impl FnMut(usize) -> u16) -> Value {
        if let Some(node) = growing.node(value) {
            return node;
        }
        let node = match (self.reach[value], self.instr(value).map(|i| (i.prim, i.dtype))) {
            (_, Some((Prim::Const(bits), dtype))) => {
                let cell = cell_of(Datum::Float(f64::from_bits(bits)), dtype)[0].to_ne_bytes();
                Node::Bits(u32::from_ne_bytes([cell[0], cell[1], cell[2], cell[3]]))
            }
            (Reach::Element, _) if self.dtypes[value] == DType::Bool => Node::LoadMask(entry(value)),
            (Reach::Element, _) => Node::Load(entry(value)),
            _ => Node::Spread(entry(value)),
        };
        let node = growing.segment.push(node);
        growing.values.insert(value, node);
        node
    }

    /// Takes the values of a reduction into the lanes at `entry`: across kept elements each element has one of its own.
    pub(super) fn grow_fold(&self, growing: &mut Growing, number: usize, entry: u16) -> Option<()> {
        let item = &self.task.reduced[number];
        let value = growing.node(self.output(item.output))?;
        let (fold, segment) = (item.fold?, &mut growing.segment);
        if !self.task.across {
            segment.folds.push(Lanes { value, fold, entry });
            return Some(());
        }
        let lanes = segment.push(Node::Load(entry));
        let prim = match fold {
            Fold::Sum => Prim::Add,
            Fold::Max => Prim::Max,
            Fold::Min => Prim::Min,
        };
        let value = instruction(segment, prim, DType::F32, DType::F32, &[lanes, value])?;
        segment.stores.push(Store { value, entry, streamed: false });
        Some(())
    }
}

/// Whether [`instruction`] knows the primitive from and to these dtypes.
fn has_nodes(prim: Prim, from: DType, to: DType) -> bool {
    use DType::{Bool, F32, I32};
    match prim {
        Prim::Add | Prim::Sub => matches!(from, F32 | I32),
        Prim::Mul | Prim::Div | Prim::Max | Prim::Min | Prim::Neg | Prim::Abs | Prim::Sqrt => from == F32,
        Prim::Floor | Prim::Ceil | Prim::Round | Prim::Trunc => from == F32,
        Prim::Exp | Prim::Expm1 | Prim::Log | Prim::Log1p | Prim::Tanh | Prim::Erf => from == F32,
        Prim::Eq | Prim::Ne | Prim::Lt | Prim::Le => matches!(from, F32 | I32),
        Prim::And | Prim::Or | Prim::Xor => matches!(from, Bool | I32),
        Prim::Not => from == Bool,
        Prim::Select => matches!(from, F32 | I32),
        Prim::Cast => matches!((from, to), (F32, F32) | (I32, I32 | F32) | (Bool, F32 | I32 | Bool) | (F32, Bool)),
        _ => false,
    }
}

/// Adds a primitive whose operands are these nodes; it rounds as its kernel does. `None` for what has no nodes.
fn instruction(segment: &mut Segment, prim: Prim, from: DType, to: DType, args: &[Value]) -> Option<Value> {
    let a = args[0];
    let last = args[args.len() - 1];
    let float = from == DType::F32;
    let mut binary = |op: Binary| segment.push(Node::Binary(op, a, last));
    Some(match prim {
        Prim::Add => binary(if float { Binary::Add } else { Binary::AddInt }),
        Prim::Sub => binary(if float { Binary::Sub } else { Binary::SubInt }),
        Prim::Mul => binary(Binary::Mul),
        Prim::Div => binary(Binary::Div),
        Prim::Max | Prim::Min => {
            let chosen = binary(if prim == Prim::Max { Binary::Greater } else { Binary::Smaller });
            let nan = segment.push(Node::Compare(Compare::Unordered, a, a));
            segment.push(Node::Select(nan, a, chosen))
        }
        Prim::Neg => bits(segment, Binary::Xor, a, 1 << 31),
        Prim::Abs => bits(segment, Binary::And, a, !(1 << 31)),
        Prim::Sqrt => segment.push(Node::Unary(Unary::Sqrt, a)),
        Prim::Floor => segment.push(Node::Unary(Unary::Floor, a)),
        Prim::Ceil => segment.push(Node::Unary(Unary::Ceil, a)),
        Prim::Round => segment.push(Node::Unary(Unary::Round, a)),
        Prim::Trunc => segment.push(Node::Unary(Unary::Trunc, a)),
        Prim::Exp => trace(segment, a, |x| formulas::exp(x)),
        Prim::Expm1 => trace(segment, a, |x| formulas::expm1(x)),
        Prim::Log => trace(segment, a, |x| formulas::log(x)),
        Prim::Log1p => trace(segment, a, |x| formulas::log1p(x)),
        Prim::Tanh => trace(segment, a, |x| formulas::tanh(x)),
        Prim::Erf => trace(segment, a, |x| formulas::erf(x)),
        Prim::Eq => segment.push(Node::Compare(if float { Compare::Equal } else { Compare::EqualInt }, a, last)),
        Prim::Ne if float => segment.push(Node::Compare(Compare::NotEqual, a, last)),
        Prim::Ne => {
            let equal = segment.push(Node::Compare(Compare::EqualInt, a, last));
            segment.push(Node::Not(equal))
        }
        Prim::Lt => segment.push(Node::Compare(if float { Compare::Less } else { Compare::LessInt }, a, last)),
        Prim::Le if float => segment.push(Node::Compare(Compare::LessEqual, a, last)),
        Prim::Le => {
            let greater = segment.push(Node::Compare(Compare::LessInt, last, a));
            segment.push(Node::Not(greater))
        }
        Prim::And if from == DType::Bool => segment.push(Node::Join(Join::And, a, last)),
        Prim::Or if from == DType::Bool => segment.push(Node::Join(Join::Or, a, last)),
        Prim::Xor if from == DType::Bool => segment.push(Node::Join(Join::Xor, a, last)),
        Prim::And => binary(Binary::And),
        Prim::Or => binary(Binary::Or),
        Prim::Xor => binary(Binary::Xor),
        Prim::Not => segment.push(Node::Not(a)),
        Prim::Select => segment.push(Node::Select(a, args[1], last)),
        Prim::Cast => match (from, to) {
            (DType::I32, DType::F32) => segment.push(Node::Unary(Unary::ToFloat, a)),
            (DType::F32, DType::Bool) => {
                let zero = segment.push(Node::Bits(0));
                segment.push(Node::Compare(Compare::NotEqual, a, zero))
            }
            (DType::Bool, DType::F32 | DType::I32) => {
                let one = segment.push(Node::Bits(if to == DType::F32 { 1f32.to_bits() } else { 1 }));
                let zero = segment.push(Node::Bits(0));
                segment.push(Node::Select(a, one, zero))
            }
            _ => a,
        },
        _ => return None,
    })
}

fn bits(segment: &mut Segment, op: Binary, a: Value, with: u32) -> Value {
    let with = segment.push(Node::Bits(with));
    segment.push(Node::Binary(op, a, with))
}
