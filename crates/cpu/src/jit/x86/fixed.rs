//! What a body keeps in registers from vector to vector: pointers, values that are the same in all lanes, lanes of folds.

use super::super::nodes::{Lanes, Node, Segment, Value};
use super::POINTERS;
use super::folds::Held;
use super::vectors::{Source, Vectors};
use iced_x86::Register;

/// Of one fold.
pub const BYTES_OF_LANES: usize = 64;

/// What stays where it is in the whole run.
pub struct Fixed {
    /// The register of each pointer that has one, by entry.
    pub pointers: Vec<(u16, Register)>,
    /// Where values that are the same in all lanes lie; those in registers too.
    pub homes: Vec<Option<Source>>,
    pub registers: Vec<(Value, u8)>,
    /// The registers of each fold.
    pub held: Vec<Held>,
    /// The first register of folds, which have those from there on.
    pub lanes: u8,
    /// Byte offset in the frame of the folds' lanes while elements are taken one by one.
    pub waiting: usize,
    /// Bytes of the frame.
    pub frame: usize,
}

impl Fixed {
    /// Half of the registers, about, may hold what is the same in every vector: what is used most.
    pub fn new(segment: &Segment, vectors: Vectors, slots: &[usize], uses: &[Vec<usize>]) -> Fixed {
        let mut pointers: Vec<(u16, Register)> = Vec::new();
        let loads = segment.nodes.iter().filter_map(|node| match *node {
            Node::Load(entry) | Node::LoadMask(entry) => Some(entry),
            _ => None,
        });
        // Lanes are fetched once, and need no register for their pointer.
        for entry in loads.chain(segment.stores.iter().map(|s| s.entry)).chain(segment.ahead.iter().copied()) {
            if pointers.len() < POINTERS.len() && !pointers.iter().any(|p| p.0 == entry) {
                pointers.push((entry, POINTERS[pointers.len()]));
            }
        }
        let mut frame = 0;
        let homes = segment.nodes.iter().zip(slots).map(|(node, &slot)| match node {
            Node::Bits(_) => Some(Source::Pool(slot)),
            Node::Spread(_) => {
                frame += vectors.bytes();
                Some(Source::Frame(frame - vectors.bytes()))
            }
            _ => None,
        });
        let homes = homes.collect();
        let same = |v: &usize| segment.nodes[*v].is_same() && !uses[*v].is_empty();
        let mut wanted: Vec<usize> = (0..segment.nodes.len()).filter(same).collect();
        wanted.sort_by_key(|&v| std::cmp::Reverse(uses[v].len()));
        let first = vectors.registers() / 2 + 1;
        let mut lanes = vectors.registers();
        let of = |fold: &Lanes| {
            lanes -= vectors.fold_registers(fold.fold);
            Held::new(fold.fold, lanes)
        };
        let held = segment.folds.iter().map(of).collect();
        let registers = wanted.into_iter().zip(first..lanes).map(|(v, r)| (v as Value, r)).collect();
        let waiting = frame;
        frame += if vectors.wide { 0 } else { BYTES_OF_LANES * segment.folds.len() };
        Fixed { pointers, homes, registers, held, lanes, waiting, frame }
    }
}
