//! Straight-line scalar code.

use super::prim::Prim;
use crate::dtype::DType;
use rustc_hash::FxHashMap;

/// Index of a value in a program: inputs first, then one for each instruction.
pub type ValueId = u16;

/// One instruction; `args` beyond the primitive's arity are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instr {
    pub prim: Prim,
    /// Dtype of the result.
    pub dtype: DType,
    pub args: [ValueId; 3],
}

/// Scalar code with `inputs.len()` inputs and one or more outputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Program {
    pub inputs: Vec<DType>,
    pub instrs: Vec<Instr>,
    pub outputs: Vec<ValueId>,
}

impl Program {
    pub fn dtype_of(&self, value: ValueId) -> DType {
        let n = self.inputs.len();
        if (value as usize) < n { self.inputs[value as usize] } else { self.instrs[value as usize - n].dtype }
    }

    pub fn output_dtype(&self, index: usize) -> DType {
        self.dtype_of(self.outputs[index])
    }

    /// Whether the result depends on positions (random draws, indices).
    pub fn is_positional(&self) -> bool {
        self.instrs.iter().any(|i| i.prim.is_positional())
    }

    /// Whether anything reads input `index`.
    pub fn reads(&self, index: usize) -> bool {
        self.instrs.iter().any(|i| i.args[..i.prim.arity()].contains(&(index as ValueId)))
            || self.outputs.contains(&(index as ValueId))
    }

    /// Drops every input but `keep` (sorted); the others must be unread.
    pub fn keep_inputs(&mut self, keep: &[usize]) {
        let n = self.inputs.len();
        let map = |v: ValueId| match keep.binary_search(&(v as usize)) {
            Ok(at) => at as ValueId,
            Err(_) => v - (n - keep.len()) as ValueId,
        };
        for instr in &mut self.instrs {
            for arg in &mut instr.args[..instr.prim.arity()] {
                *arg = map(*arg);
            }
        }
        self.outputs.iter_mut().for_each(|o| *o = map(*o));
        self.inputs = keep.iter().map(|&k| self.inputs[k]).collect();
    }

    /// Appends `other` with its inputs bound to `bindings`; returns the values of its outputs.
    /// All inputs must have been declared before the first instruction is appended.
    pub fn append(&mut self, other: &Program, bindings: &[ValueId]) -> Vec<ValueId> {
        debug_assert_eq!(bindings.len(), other.inputs.len());
        let n = other.inputs.len();
        let mut map: Vec<ValueId> = bindings.to_vec();
        for instr in &other.instrs {
            let mut args = [0; 3];
            for (to, from) in args.iter_mut().zip(&instr.args[..instr.prim.arity()]) {
                *to = map[*from as usize];
            }
            self.instrs.push(Instr { args, ..*instr });
            map.push((self.inputs.len() + self.instrs.len() - 1) as ValueId);
        }
        debug_assert_eq!(map.len(), n + other.instrs.len());
        other.outputs.iter().map(|&o| map[o as usize]).collect()
    }

    /// The same program with equal instructions merged and unread ones dropped. No value changes.
    pub fn simplified(&self) -> Program {
        let n = self.inputs.len();
        let mut map: Vec<ValueId> = (0..n as ValueId).collect();
        let mut seen: FxHashMap<Instr, ValueId> = FxHashMap::default();
        let mut instrs: Vec<Instr> = Vec::with_capacity(self.instrs.len());
        for instr in &self.instrs {
            let mut args = [0; 3];
            for (to, from) in args.iter_mut().zip(&instr.args[..instr.prim.arity()]) {
                *to = map[*from as usize];
            }
            let instr = Instr { args, ..*instr };
            let operand = args[0];
            let operand_dtype = match (operand as usize).checked_sub(n) {
                None => self.inputs.get(operand as usize).copied(),
                Some(at) => instrs.get(at).map(|i| i.dtype),
            };
            let id = if instr.prim == Prim::Cast && operand_dtype == Some(instr.dtype) {
                operand
            } else {
                *seen.entry(instr).or_insert_with(|| {
                    instrs.push(instr);
                    (n + instrs.len() - 1) as ValueId
                })
            };
            map.push(id);
        }
        let mut live = vec![false; n + instrs.len()];
        let outputs: Vec<ValueId> = self.outputs.iter().map(|&o| map[o as usize]).collect();
        for &o in &outputs {
            live[o as usize] = true;
        }
        for i in (0..instrs.len()).rev() {
            if live[n + i] {
                for &a in &instrs[i].args[..instrs[i].prim.arity()] {
                    live[a as usize] = true;
                }
            }
        }
        let mut kept: Vec<ValueId> = (0..n as ValueId).collect();
        let mut out = Program { inputs: self.inputs.clone(), instrs: Vec::new(), outputs: Vec::new() };
        for (i, instr) in instrs.iter().enumerate() {
            if live[n + i] {
                let mut args = [0; 3];
                for (to, from) in args.iter_mut().zip(&instr.args[..instr.prim.arity()]) {
                    *to = kept[*from as usize];
                }
                out.instrs.push(Instr { args, ..*instr });
                kept.push((n + out.instrs.len() - 1) as ValueId);
            } else {
                kept.push(0);
            }
        }
        out.outputs = outputs.iter().map(|&o| kept[o as usize]).collect();
        out
    }
}
