//! Machine code made at run time for the arithmetic of fused loops.
//!
//! A list of vector loops, one for each primitive, loads and stores every intermediate value. A [`Segment`] compiled
//! into one loop keeps them in registers and touches memory once for each operand and result, so that arithmetic and
//! memory overlap. Every node rounds as the loop of its primitive does: the bits are the same.
//!
//! There is code for AVX-512 and AVX2. Elsewhere, and where the system refuses executable memory, [`compile`] has
//! nothing to give, and primitives run one by one.

mod nodes;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;
mod traced;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use nodes::{Binary, Compare, Fold, Join, Lanes, Node, Segment, Store, Unary, Value};
pub use traced::trace;

use crate::isa::Isa;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A compiled segment.
#[derive(Debug)]
pub struct Function {
    #[cfg(target_arch = "x86_64")]
    code: x86::Code,
}

impl Function {
    /// Runs the segment over `n` elements.
    ///
    /// # Safety
    /// The entries of `table` that the segment names are aligned to their elements and valid for `n` of them (spread
    /// ones for one). What is stored overlaps what is loaded only in place, and no other thread touches it meanwhile.
    /// The processor has the instruction set that the segment was compiled for.
    #[inline]
    pub unsafe fn run(&self, n: usize, table: *const *mut u8) {
        // SAFETY: the caller's; of one row the table is only read, and there are no steps.
        unsafe { self.run_rows(n, table.cast_mut(), 1, std::ptr::null()) }
    }

    /// Runs the segment over `rows` of `n` elements: with each row the entries move on by their `steps`, in bytes.
    ///
    /// # Safety
    /// As [`Function::run`] for each row; `steps` has one for each entry; there is a row. The table holds anything
    /// afterwards.
    #[inline]
    pub unsafe fn run_rows(&self, n: usize, table: *mut *mut u8, rows: usize, steps: *const isize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller's.
        unsafe {
            self.code.run(n, table, rows, steps);
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (n, table, rows, steps);
    }
}

/// Most functions that are remembered; loops keep theirs beyond that.
const REMEMBERED: usize = 4096;

/// Nodes of the largest segment that is compiled; far fewer than there are numbers for them.
const LARGEST: usize = 8192;

type Key = (Isa, Vec<Node>, Vec<Store>, Vec<Lanes>, bool, Vec<u16>);

/// Whether a segment may have so many folds: they keep their registers.
pub fn has_room(folds: usize, isa: Isa) -> bool {
    folds
        <= match isa {
            Isa::Avx512 => 6,
            Isa::Avx2 => 2,
            Isa::Portable => 0,
        }
}

/// Machine code of the segment; `None` where there can't be any. A segment seen before gets the code made then.
pub fn compile(segment: &Segment, isa: Isa) -> Option<Arc<Function>> {
    static KNOWN: OnceLock<Mutex<HashMap<Key, Arc<Function>>>> = OnceLock::new();
    if segment.nodes.len() > LARGEST || !has_room(segment.folds.len(), isa) {
        return None;
    }
    let known = KNOWN.get_or_init(Mutex::default);
    let Segment { nodes, stores, folds, whole, ahead, .. } = segment;
    let key = (isa, nodes.clone(), stores.clone(), folds.clone(), *whole, ahead.clone());
    if let Some(function) = known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Some(function.clone());
    }
    let function = Arc::new(make(segment, isa)?);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, function.clone());
    Some(function)
}

#[cfg(target_arch = "x86_64")]
fn make(segment: &Segment, isa: Isa) -> Option<Function> {
    let wide = match isa {
        Isa::Avx512 => true,
        Isa::Avx2 => false,
        Isa::Portable => return None,
    };
    x86::assemble(segment, wide).map(|code| Function { code })
}

#[cfg(not(target_arch = "x86_64"))]
fn make(_: &Segment, _: Isa) -> Option<Function> {
    None
}
