//! A reader of the pickles that state dicts are kept in: it builds plain data and calls nothing.
//!
//! Of Python's pickle protocol (<https://docs.python.org/3/library/pickletools.html>) it knows the opcodes that
//! containers, strings, numbers and references to a few named constructors need. Every other global is refused.

use super::rebuild::{self, Global, Storage, TensorView};
use fovea_core::{Error, Result};
use std::collections::HashMap;

/// The most values that a pickle may hold; a state dict has about thirty for each tensor.
const MAX_VALUES: usize = 1 << 21;

/// Position of a value in the [`Machine`]; containers hold these, so values may be shared and even cyclic.
pub type Id = u32;

#[derive(Clone, Debug)]
pub enum Value {
    None,
    Bool,
    Int(i64),
    Float,
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(TensorView),
}

impl Value {
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float => "a float",
            Value::Text(_) => "a string",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a constructor",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// A pickle's values after it has run.
pub struct Machine {
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

/// A reader of bytes that refuses to go past their end.
struct Bytes<'a> {
    raw: &'a [u8],
    at: usize,
}

fn broken(what: &str) -> Error {
    Error::format(format!("its pickle is damaged: {what}")).expected("a pickled state dict")
}

impl<'a> Bytes<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let rest = &self.raw[self.at..];
        let out = rest.get(..n).ok_or_else(|| broken(&format!("it ends {n} bytes after byte {}", self.at)))?;
        self.at += n;
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.take(N)?;
        taken.first_chunk().copied().ok_or_else(|| broken("it ends early"))
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.raw[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or_else(|| broken("a line has no end"))?;
        self.at += end + 1;
        text(&rest[..end])
    }
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| broken("a string is no UTF-8"))
}

impl Machine {
    /// Runs a pickle; returns its values and the root among them.
    pub fn run(raw: &[u8]) -> Result<(Machine, Id)> {
        let mut machine = Machine { values: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        let mut bytes = Bytes { raw, at: 0 };
        loop {
            let at = bytes.at;
            let opcode = bytes.u8()?;
            if opcode == b'.' {
                let root = machine.pop()?;
                return Ok((machine, root));
            }
            machine.step(opcode, at, &mut bytes)?;
        }
    }

    fn step(&mut self, opcode: u8, at: usize, bytes: &mut Bytes<'_>) -> Result<()> {
        match opcode {
            0x80 => self.protocol(bytes.u8()?), // PROTO
            0x95 => bytes.take(8).map(|_| ()),  // FRAME
            b'(' => {
                self.marks.push(self.stack.len());
                self.within(self.marks.len())
            }
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool),
            b'J' => {
                let v = i32::from_le_bytes(bytes.array()?);
                self.push(Value::Int(v.into()))
            }
            b'K' => {
                let v = bytes.u8()?;
                self.push(Value::Int(v.into()))
            }
            b'M' => {
                let v = u16::from_le_bytes(bytes.array()?);
                self.push(Value::Int(v.into()))
            }
            0x8a => self.long(bytes),
            b'G' => {
                bytes.take(8)?;
                self.push(Value::Float)
            }
            b'X' => {
                let n = bytes.u32()? as usize;
                self.text(bytes.take(n)?)
            }
            0x8c => {
                let n = bytes.u8()? as usize;
                self.text(bytes.take(n)?)
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x85..=0x87 => {
                let n = usize::from(opcode - 0x84);
                let from = self.stack.len().checked_sub(n).filter(|f| *f >= self.floor());
                let items = self.stack.split_off(from.ok_or_else(|| broken("its stack is empty"))?);
                self.push(Value::Tuple(items))
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items))
            }
            b'l' => {
                let items = self.since_mark()?;
                self.push(Value::List(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(items)
            }
            b'q' => {
                let slot = bytes.u8()?;
                self.remember(slot.into())
            }
            b'r' => {
                let slot = bytes.u32()?;
                self.remember(slot)
            }
            0x94 => self.remember(self.memo.len() as u32), // MEMOIZE
            b'h' => {
                let slot = bytes.u8()?;
                self.recall(slot.into())
            }
            b'j' => {
                let slot = bytes.u32()?;
                self.recall(slot)
            }
            b'c' => {
                let (module, name) = (bytes.line()?, bytes.line()?);
                self.push(Value::Global(Global::of(module, name)?))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = Global::of(self.str(module)?, self.str(name)?)?;
                self.push(Value::Global(global))
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = rebuild::storage(self, id)?;
                self.push(Value::Storage(storage))
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let made = rebuild::call(self, function, arguments)?;
                self.push(made)
            }
            b'b' => {
                // Attributes of a dictionary, such as PyTorch's list of module versions, are let go.
                let _state = self.pop()?;
                let object = *self.stack.last().ok_or_else(|| broken("its stack is empty"))?;
                match self.get(object) {
                    Value::Dict(_) => Ok(()),
                    other => Err(broken(&format!("it sets attributes of {}", other.kind()))),
                }
            }
            _ => Err(Error::format(format!("its pickle uses opcode {opcode:#04x}, which state dicts don't need"))
                .expected("a pickled state dict")
                .received(format!("opcode {opcode:#04x} at byte {at}"))),
        }
    }

    fn protocol(&self, version: u8) -> Result<()> {
        if (2..=5).contains(&version) {
            return Ok(());
        }
        Err(broken("its protocol is not known").expected("2 to 5").received(version.to_string()))
    }

    fn within(&self, count: usize) -> Result<()> {
        if count <= MAX_VALUES {
            return Ok(());
        }
        Err(broken("it holds too many values").expected(format!("at most {MAX_VALUES}")))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.within(self.values.len() + 1)?;
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    fn text(&mut self, raw: &[u8]) -> Result<()> {
        let owned = text(raw)?.to_owned();
        self.push(Value::Text(owned))
    }

    fn long(&mut self, bytes: &mut Bytes<'_>) -> Result<()> {
        let n = bytes.u8()? as usize;
        let raw = bytes.take(n)?;
        if n > 8 {
            return Err(broken("an integer has more than 64 bits"));
        }
        let fill = if raw.last().is_some_and(|&b| b >= 0x80) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..n].copy_from_slice(raw);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    /// Where the values of the innermost mark begin: those below it belong to others.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id> {
        if self.stack.len() <= self.floor() {
            return Err(broken("its stack is empty"));
        }
        self.stack.pop().ok_or_else(|| broken("its stack is empty"))
    }

    fn since_mark(&mut self) -> Result<Vec<Id>> {
        let from = self.marks.pop().ok_or_else(|| broken("a mark is missing"))?;
        Ok(self.stack.split_off(from.min(self.stack.len())))
    }

    fn top(&mut self) -> Result<&mut Value> {
        let id = *self.stack.last().ok_or_else(|| broken("its stack is empty"))?;
        Ok(&mut self.values[id as usize])
    }

    fn append(&mut self, items: Vec<Id>) -> Result<()> {
        match self.top()? {
            Value::List(list) => list.extend(items),
            other => return Err(broken(&format!("it appends to {}", other.kind()))),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top()? {
            Value::Dict(_) if !rest.is_empty() => return Err(broken("a key has no value")),
            Value::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            other => return Err(broken(&format!("it sets items of {}", other.kind()))),
        }
        Ok(())
    }

    fn remember(&mut self, slot: u32) -> Result<()> {
        let id = *self.stack.last().ok_or_else(|| broken("its stack is empty"))?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<()> {
        let id = *self.memo.get(&slot).ok_or_else(|| broken(&format!("it recalls memo {slot}, which is empty")))?;
        self.within(self.stack.len())?;
        self.stack.push(id);
        Ok(())
    }

    pub fn get(&self, id: Id) -> &Value {
        &self.values[id as usize]
    }

    pub fn str(&self, id: Id) -> Result<&str> {
        match self.get(id) {
            Value::Text(text) => Ok(text),
            other => Err(broken(&format!("it has {} in the place of a string", other.kind()))),
        }
    }

    /// An integer from 0 on.
    pub fn count(&self, id: Id) -> Result<usize> {
        match self.get(id) {
            Value::Int(v) => usize::try_from(*v).map_err(|_| broken(&format!("{v} is no size, offset or stride"))),
            other => Err(broken(&format!("it has {} in the place of a size", other.kind()))),
        }
    }

    /// The items of a tuple or list.
    pub fn items(&self, id: Id) -> Result<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) => Ok(items),
            other => Err(broken(&format!("it has {} in the place of a tuple", other.kind()))),
        }
    }
}
