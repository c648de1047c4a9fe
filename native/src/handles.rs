//! Handles: numbers that JavaScript objects hold for graph values, swept when the objects are gone (S16).

use crate::js::Js;
use fovea_core::graph::{Graph, Val};
use fovea_core::{Error, Result};
use napi_sys::napi_ref;

/// Bits of a handle that name the slot; the rest is the generation.
const SLOT_BITS: u32 = 22;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATIONS: u32 = 1 << (32 - SLOT_BITS);

/// Handles made between two sweeps at the least.
const SWEEP_EVERY: usize = 4096;

struct Slot {
    val: Option<Val>,
    generation: u32,
    owner: Option<napi_ref>,
    /// Order of making, for scopes.
    made: u64,
}

/// The handles of one environment.
#[derive(Default)]
pub struct Handles {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
    made: u64,
    since_sweep: usize,
    live_after_sweep: usize,
}

fn disposed() -> Error {
    Error::disposed("this tensor has been disposed of, by dispose(), using or the end of its scope")
        .expected("a live tensor")
        .received("a disposed one")
}

impl Handles {
    pub fn live(&self) -> usize {
        self.live
    }

    /// The order number that the next handle will have.
    pub fn mark(&self) -> u64 {
        self.made
    }

    /// A handle for `val`, whose node gains an owner.
    pub fn make(&mut self, graph: &mut Graph, val: Val) -> Result<u32> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < SLOT_MASK as usize => {
                self.slots.push(Slot { val: None, generation: 1, owner: None, made: 0 });
                (self.slots.len() - 1) as u32
            }
            None => {
                return Err(Error::out_of_memory(format!("more than {SLOT_MASK} tensors are alive at once")));
            }
        };
        graph.retain(val);
        graph.add_handle(val);
        let entry = &mut self.slots[slot as usize];
        entry.val = Some(val);
        entry.made = self.made;
        self.made += 1;
        self.live += 1;
        self.since_sweep += 1;
        Ok((entry.generation << SLOT_BITS) | slot)
    }

    fn slot(&mut self, handle: u32) -> Result<&mut Slot> {
        self.slots
            .get_mut((handle & SLOT_MASK) as usize)
            .filter(|s| s.val.is_some() && s.generation == handle >> SLOT_BITS)
            .ok_or_else(disposed)
    }

    pub fn get(&self, handle: u32) -> Result<Val> {
        match self.slots.get((handle & SLOT_MASK) as usize) {
            Some(Slot { val: Some(val), generation, .. }) if *generation == handle >> SLOT_BITS => Ok(*val),
            _ => Err(disposed()),
        }
    }

    /// Names the object whose collection frees the handle.
    pub fn own(&mut self, js: Js, handle: u32, owner: napi_ref) -> Result<()> {
        let slot = self.slot(handle)?;
        if let Some(old) = slot.owner.replace(owner) {
            js.forget_weak(old);
        }
        Ok(())
    }

    /// Frees a handle; with `dispose`, its value too when no other handle shares it.
    pub fn free(&mut self, js: Js, graph: &mut Graph, handle: u32, dispose: bool) -> Result<()> {
        let slot = self.slot(handle)?;
        let (val, owner) = (slot.val.take(), slot.owner.take());
        // 1 to GENERATIONS - 1: handle 0 stands for none.
        slot.generation = slot.generation % (GENERATIONS - 1) + 1;
        self.free.push(handle & SLOT_MASK);
        self.live -= 1;
        if let Some(owner) = owner {
            js.forget_weak(owner);
        }
        if let Some(val) = val {
            if graph.remove_handle(val) == 0 && dispose {
                graph.dispose(val);
            }
            graph.release(val);
        }
        Ok(())
    }

    /// Live handles made at or after `mark`.
    pub fn since(&self, mark: u64) -> Vec<u32> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, s)| s.val.is_some() && s.made >= mark)
            .map(|(i, s)| (s.generation << SLOT_BITS) | i as u32)
            .collect()
    }

    /// Whether enough handles have been made for a sweep to pay.
    pub fn wants_sweep(&self) -> bool {
        self.since_sweep >= SWEEP_EVERY.max(self.live_after_sweep / 2)
    }

    /// Frees every handle whose object has been collected.
    pub fn sweep(&mut self, js: Js, graph: &mut Graph) {
        self.since_sweep = 0;
        for slot in 0..self.slots.len() {
            let entry = &self.slots[slot];
            if entry.val.is_some()
                && let Some(owner) = entry.owner
                && js.is_collected(owner)
            {
                let handle = (entry.generation << SLOT_BITS) | slot as u32;
                // The handle is live, so freeing it can't fail.
                let _ = self.free(js, graph, handle, false);
            }
        }
        self.live_after_sweep = self.live;
    }
}
