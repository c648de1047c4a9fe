//! A loop's body for one vector: which registers hold which values, and the instructions in order.

use super::super::nodes::{Binary, Compare, Join, Node, Segment, Value};
use super::fixed::{BYTES_OF_LANES, Fixed};
use super::folds::Held;
use super::vectors::{MASKS, Source, Vectors};
use super::{Listing, TABLE, TEMPORARY, at};
use iced_x86::Register::RSP;
use iced_x86::{Code, Instruction, Register};

/// Stands for the lanes of a fold among the values that registers hold.
const FOLDS: Value = Value::MAX;

/// The state of one body.
pub struct Body<'a> {
    segment: &'a Segment,
    vectors: Vectors,
    fixed: Fixed,
    /// Nodes and, behind them, stores and folds that read each value.
    uses: Vec<Vec<usize>>,
    /// The values that registers hold, by kind.
    held: [Vec<Option<Value>>; 2],
    register: Vec<Option<u8>>,
    /// Byte offset in the frame of values that had to go.
    spilled: Vec<Option<usize>>,
    /// Bytes of the frame, as far as it is in use.
    pub frame: usize,
}

impl<'a> Body<'a> {
    /// `slots` says where the pool has each constant.
    pub fn new(segment: &'a Segment, vectors: Vectors, slots: &[usize]) -> Body<'a> {
        let count = segment.nodes.len();
        let uses = uses(segment);
        let fixed = Fixed::new(segment, vectors, slots, &uses);
        let mut held = [vec![None; vectors.registers() as usize], vec![None; MASKS as usize]];
        let mut register = vec![None; count];
        for &(value, r) in &fixed.registers {
            (held[0][r as usize], register[value as usize]) = (Some(value), Some(r));
        }
        held[0][fixed.lanes as usize..].fill(Some(FOLDS));
        let frame = fixed.frame;
        Body { segment, vectors, fixed, uses, held, register, spilled: vec![None; count], frame }
    }

    fn folds(&self) -> impl Iterator<Item = (Held, u16)> {
        self.fixed.held.iter().copied().zip(self.segment.folds.iter().map(|f| f.entry))
    }

    /// Lanes to where they came from, after all rows.
    pub fn store_lanes(&self, list: &mut Listing) -> Option<()> {
        for (held, entry) in self.folds().filter(|_| !self.segment.whole) {
            self.vectors.settle(list, held)?;
            let to = self.pointer(list, entry)?;
            self.vectors.store_lanes(list, held, to, 0)?;
        }
        Some(())
    }

    /// Results of whole rows.
    pub fn end_row(&self, list: &mut Listing) -> Option<()> {
        for (held, entry) in self.folds().filter(|_| self.segment.whole) {
            self.vectors.settle(list, held)?;
            let to = self.pointer(list, entry)?;
            self.vectors.combine(list, held, to)?;
        }
        Some(())
    }

    pub fn lanes_to_frame(&self, list: &mut Listing) -> Option<()> {
        self.folds().enumerate().try_for_each(|(i, (held, _))| {
            self.vectors.settle(list, held)?;
            self.vectors.store_lanes(list, held, RSP, self.fixed.waiting + BYTES_OF_LANES * i)
        })
    }

    pub fn lanes_from_frame(&self, list: &mut Listing) -> Option<()> {
        self.folds().enumerate().try_for_each(|(i, (held, _))| {
            self.vectors.load_lanes(list, held, RSP, self.fixed.waiting + BYTES_OF_LANES * i)
        })
    }

    /// Constants that stay, and lanes that go through all rows, before the first row.
    pub fn load_constants(&self, list: &mut Listing) -> Option<()> {
        for &(value, register) in &self.fixed.registers {
            if let (Node::Bits(_), Some(home)) = (self.segment.nodes[value as usize], self.fixed.homes[value as usize])
            {
                self.vectors.fetch(list, register, home)?;
            }
        }
        for (held, entry) in self.folds().filter(|_| !self.segment.whole) {
            list.push(Instruction::with2(Code::Mov_r64_rm64, TEMPORARY, at(TABLE, 8 * entry as usize)))?;
            self.vectors.load_lanes(list, held, TEMPORARY, 0)?;
        }
        Some(())
    }

    /// Pointers and values that stay in a row, before it.
    pub fn load_row(&self, list: &mut Listing) -> Option<()> {
        for &(entry, register) in &self.fixed.pointers {
            list.push(Instruction::with2(Code::Mov_r64_rm64, register, at(TABLE, 8 * entry as usize)))?;
        }
        for (value, node) in self.segment.nodes.iter().enumerate() {
            let register = self.fixed.registers.iter().find(|&&(v, _)| v as usize == value).map(|&(_, r)| r);
            if let (Node::Spread(entry), Some(Source::Frame(frame))) = (*node, self.fixed.homes[value]) {
                let scratch = register.unwrap_or(0);
                let from = self.pointer(list, entry)?;
                self.vectors.spread(list, scratch, at(from, 0))?;
                if register.is_none() {
                    self.vectors.spill(list, frame, scratch)?;
                }
            }
        }
        let mut whole = self.folds().filter(|_| self.segment.whole);
        whole.try_for_each(|(held, _)| self.vectors.start_lanes(list, held))
    }

    /// The instructions of one vector; of what is left of one with `tail`. Where folds have two vectors of lanes,
    /// `half` says which.
    pub fn emit(&mut self, list: &mut Listing, half: usize, tail: bool) -> Option<()> {
        for &entry in self.segment.ahead.iter().filter(|_| half == 0 && !tail) {
            let from = self.pointer(list, entry)?;
            self.vectors.ask(list, from)?;
        }
        for at in 0..self.segment.nodes.len() {
            if !self.uses[at].is_empty() {
                self.node(list, at, tail)?;
            }
        }
        let count = self.segment.nodes.len();
        for (i, store) in self.segment.stores.iter().enumerate() {
            let value = store.value;
            let register = self.in_register(list, value, &[value], count + i)?;
            let to = self.pointer(list, store.entry)?;
            match self.segment.is_mask(value) {
                true => self.vectors.store_mask(list, to, register, tail)?,
                false => self.vectors.store(list, to, register, tail, store.streamed)?,
            }
            self.release(&[value], count + i);
        }
        for (i, fold) in self.segment.folds.iter().enumerate() {
            let now = count + self.segment.stores.len() + i;
            let register = self.in_register(list, fold.value, &[fold.value], now)?;
            let held = self.fixed.held[i];
            match tail && !self.vectors.wide {
                true => self.vectors.fold_one(list, held, self.fixed.waiting + BYTES_OF_LANES * i, register)?,
                false => self.vectors.fold(list, held, half as u8, register, tail)?,
            }
            self.release(&[fold.value], now);
        }
        Some(())
    }

    fn node(&mut self, list: &mut Listing, now: usize, tail: bool) -> Option<()> {
        let vectors = self.vectors;
        match self.segment.nodes[now] {
            Node::Spread(_) | Node::Bits(_) => {}
            Node::Load(entry) => {
                let dst = self.take(list, now, &[], now)?;
                let from = self.pointer(list, entry)?;
                vectors.load(list, dst, from, tail)?;
            }
            Node::LoadMask(entry) => {
                let dst = self.take(list, now, &[], now)?;
                let from = self.pointer(list, entry)?;
                vectors.load_mask(list, dst, from, tail)?;
            }
            Node::Unary(op, a) => {
                // Shifts of AVX2 take no memory.
                self.in_register(list, a, &[a], now)?;
                let source = self.source(a)?;
                self.release(&[a], now);
                let dst = self.take(list, now, &[], now)?;
                vectors.unary(list, op, dst, source)?;
            }
            Node::Binary(op, a, b) => {
                let turns =
                    !matches!(op, Binary::Sub | Binary::Div | Binary::Greater | Binary::Smaller | Binary::SubInt);
                let (a, b) = if turns && self.register[a as usize].is_none() { (b, a) } else { (a, b) };
                let first = self.in_register(list, a, &[a, b], now)?;
                let second = self.source(b)?;
                self.release(&[a, b], now);
                let dst = self.take(list, now, &[], now)?;
                vectors.binary(list, op, dst, first, second)?;
            }
            Node::Scale(a, b) => {
                let first = self.in_register(list, a, &[a, b], now)?;
                let second = self.source(b)?;
                self.release(&[a, b], now);
                let dst = self.take(list, now, &[], now)?;
                vectors.scale(list, dst, first, second)?;
            }
            Node::MulAdd(a, b, c) => {
                let ends = |v: Value| self.ends(v, now);
                let (a, b) = if ends(b) && !ends(a) { (b, a) } else { (a, b) };
                let keep = [a, b, c];
                let first = self.in_register(list, a, &keep, now)?;
                let second = self.in_register(list, b, &keep, now)?;
                let dst = if self.ends(a, now) && a != b && a != c {
                    self.register[a as usize] = None;
                    self.hold(now, first)
                } else {
                    let dst = self.take(list, now, &keep, now)?;
                    vectors.copy(list, dst, first)?;
                    dst
                };
                let third = self.source(c)?;
                vectors.mul_add(list, dst, second, third)?;
                self.release(&keep, now);
            }
            Node::Compare(op, a, b) => {
                let (a, b) = if op == Compare::LessInt && !vectors.wide { (b, a) } else { (a, b) };
                let first = self.in_register(list, a, &[a, b], now)?;
                let second = self.source(b)?;
                self.release(&[a, b], now);
                let dst = self.take(list, now, &[], now)?;
                vectors.compare(list, op, dst, first, second)?;
            }
            Node::Join(op, a, b) => {
                let first = self.in_register(list, a, &[a, b], now)?;
                let second = self.in_register(list, b, &[a, b], now)?;
                self.release(&[a, b], now);
                let dst = self.take(list, now, &[], now)?;
                if vectors.wide {
                    vectors.join(list, op, dst, first, second)?;
                } else {
                    let op = match op {
                        Join::And => Binary::And,
                        Join::Or => Binary::Or,
                        Join::Xor => Binary::Xor,
                    };
                    vectors.binary(list, op, dst, first, Source::Register(second))?;
                }
            }
            Node::Not(a) => {
                let source = self.in_register(list, a, &[a], now)?;
                self.release(&[a], now);
                let dst = self.take(list, now, &[], now)?;
                vectors.not(list, dst, source)?;
            }
            Node::Select(mask, a, b) => {
                let keep = [mask, a, b];
                let chosen = self.in_register(list, mask, &keep, now)?;
                let second = self.in_register(list, b, &keep, now)?;
                let first = self.source(a)?;
                self.release(&keep, now);
                let dst = self.take(list, now, &[], now)?;
                vectors.select(list, dst, chosen, first, second)?;
            }
        }
        Some(())
    }

    /// The register with the pointer of an entry.
    fn pointer(&self, list: &mut Listing, entry: u16) -> Option<Register> {
        if let Some(&(_, register)) = self.fixed.pointers.iter().find(|p| p.0 == entry) {
            return Some(register);
        }
        list.push(Instruction::with2(Code::Mov_r64_rm64, TEMPORARY, at(TABLE, 8 * entry as usize)))?;
        Some(TEMPORARY)
    }

    fn next_use(&self, value: Value, now: usize) -> usize {
        let uses = &self.uses[value as usize];
        uses.get(uses.partition_point(|&u| u < now)).copied().unwrap_or(usize::MAX)
    }

    /// Whether nothing after `now` reads the value, and its register may be taken.
    fn ends(&self, value: Value, now: usize) -> bool {
        !self.is_fixed(value) && self.next_use(value, now + 1) == usize::MAX
    }

    fn is_fixed(&self, value: Value) -> bool {
        value == FOLDS || self.fixed.registers.iter().any(|&(v, _)| v == value)
    }

    /// The kind of registers that hold the value: masks have their own where vectors are wide.
    fn kind(&self, value: usize) -> usize {
        (self.vectors.wide && self.segment.is_mask(value as Value)) as usize
    }

    fn hold(&mut self, value: usize, register: u8) -> u8 {
        self.held[self.kind(value)][register as usize] = Some(value as Value);
        self.register[value] = Some(register);
        register
    }

    /// Frees the registers of those whose last use is `now`.
    fn release(&mut self, values: &[Value], now: usize) {
        for &value in values {
            if self.ends(value, now)
                && let Some(register) = self.register[value as usize].take()
            {
                self.held[self.kind(value as usize)][register as usize] = None;
            }
        }
    }

    /// A register for `value`; the values of `keep` stay in theirs.
    fn take(&mut self, list: &mut Listing, value: usize, keep: &[Value], now: usize) -> Option<u8> {
        let kind = self.kind(value);
        if let Some(free) = self.held[kind].iter().position(Option::is_none) {
            return Some(self.hold(value, free as u8));
        }
        let candidates = self.held[kind].iter().enumerate().filter_map(|(r, held)| Some((r, (*held)?)));
        let (register, victim) = candidates
            .filter(|&(_, v)| !keep.contains(&v) && !self.is_fixed(v))
            .max_by_key(|&(_, v)| self.next_use(v, now))?;
        let home = self.fixed.homes[victim as usize].is_some() || self.spilled[victim as usize].is_some();
        if !home {
            match kind {
                0 => self.vectors.spill(list, self.frame, register as u8)?,
                _ => self.vectors.spill_mask(list, self.frame, register as u8)?,
            }
            self.spilled[victim as usize] = Some(self.frame);
            self.frame += self.vectors.bytes();
        }
        self.register[victim as usize] = None;
        Some(self.hold(value, register as u8))
    }

    /// The value's register, into which it is fetched if need be.
    fn in_register(&mut self, list: &mut Listing, value: Value, keep: &[Value], now: usize) -> Option<u8> {
        if let Some(register) = self.register[value as usize] {
            return Some(register);
        }
        let source = self.source(value)?;
        let register = self.take(list, value as usize, keep, now)?;
        match (self.kind(value as usize), source) {
            (1, Source::Frame(frame)) => self.vectors.fetch_mask(list, register, frame)?,
            _ => self.vectors.fetch(list, register, source)?,
        }
        Some(register)
    }

    /// Where an instruction finds the value.
    fn source(&self, value: Value) -> Option<Source> {
        let value = value as usize;
        let register = self.register[value].map(Source::Register);
        register.or(self.spilled[value].map(Source::Frame)).or(self.fixed.homes[value])
    }
}

/// The nodes and, behind them, the stores and folds that read each value, dead nodes left out.
fn uses(segment: &Segment) -> Vec<Vec<usize>> {
    let count = segment.nodes.len();
    let mut uses = vec![Vec::new(); count];
    for (at, store) in segment.stores.iter().enumerate() {
        uses[store.value as usize].push(count + at);
    }
    for (at, fold) in segment.folds.iter().enumerate() {
        uses[fold.value as usize].push(count + segment.stores.len() + at);
    }
    for (at, node) in segment.nodes.iter().enumerate().rev() {
        if !uses[at].is_empty() {
            node.operands().for_each(|v| uses[v as usize].push(at));
        }
    }
    uses.iter_mut().for_each(|list| list.sort_unstable());
    uses
}
