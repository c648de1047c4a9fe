//! What is compiled: straight-line arithmetic on lanes of 32 bits, as a list of nodes that name earlier ones.

use std::collections::HashMap;

/// Index of a node.
pub type Value = u16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    Sqrt,
    /// Half to even.
    Round,
    Floor,
    Ceil,
    Trunc,
    /// From i32 to f32.
    ToFloat,
    /// Bits moved up.
    ShiftLeft(u8),
    /// Bits moved down, the sign kept.
    ShiftRight(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// The first operand if it is greater, else (if either is NaN too) the second.
    Greater,
    /// The first operand if it is smaller, else (if either is NaN too) the second.
    Smaller,
    // On bits.
    And,
    Or,
    Xor,
    // On i32.
    AddInt,
    SubInt,
}

/// Masks from two values. Of floats NaN is unequal to everything and not less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    /// Either is NaN.
    Unordered,
    EqualInt,
    LessInt,
}

/// Masks from two masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Join {
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// Elements of 32 bits, densely from where the table's entry points.
    Load(u16),
    /// Bytes, true where not zero.
    LoadMask(u16),
    /// The element of 32 bits where the table's entry points, in all lanes.
    Spread(u16),
    /// These bits in all lanes.
    Bits(u32),
    Unary(Unary, Value),
    Binary(Binary, Value, Value),
    /// `a · 2^b` for a whole number b, rounded once; with AVX-512 only.
    Scale(Value, Value),
    /// `a · b + c`, rounded once.
    MulAdd(Value, Value, Value),
    Compare(Compare, Value, Value),
    Join(Join, Value, Value),
    Not(Value),
    /// The second where the first, a mask, is true, else the third.
    Select(Value, Value, Value),
}

#[cfg(target_arch = "x86_64")]
impl Node {
    pub fn operands(self) -> impl Iterator<Item = Value> {
        let (count, list) = match self {
            Node::Load(_) | Node::LoadMask(_) | Node::Spread(_) | Node::Bits(_) => (0, [0; 3]),
            Node::Unary(_, a) | Node::Not(a) => (1, [a, 0, 0]),
            Node::Binary(_, a, b) | Node::Scale(a, b) | Node::Compare(_, a, b) | Node::Join(_, a, b) => (2, [a, b, 0]),
            Node::MulAdd(a, b, c) | Node::Select(a, b, c) => (3, [a, b, c]),
        };
        list.into_iter().take(count)
    }

    pub fn is_mask(self) -> bool {
        matches!(self, Node::LoadMask(_) | Node::Compare(..) | Node::Join(..) | Node::Not(_))
    }

    /// Whether all lanes are the same in the whole run.
    pub fn is_same(self) -> bool {
        matches!(self, Node::Spread(_) | Node::Bits(_))
    }
}

/// The value is stored where the table's entry points: 32 bits an element, or a byte of 0 or 1 for masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub value: Value,
    pub entry: u16,
    /// Whole vectors of 32-bit elements go past the caches: the entry points to the start of a cache line.
    pub streamed: bool,
}

/// How a lane takes in one more value. Maximum and minimum of a NaN and anything are NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    Sum,
    Max,
    Min,
}

/// Sixteen partial results where the table's entry points: lane i mod 16 takes in the value of element i. Of a segment
/// of whole rows the result of each row, S13's tree of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lanes {
    pub value: Value,
    pub fold: Fold,
    pub entry: u16,
}

/// A loop's body. All stores of a vector of elements come after all loads of it, so that it may work in place.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub nodes: Vec<Node>,
    pub stores: Vec<Store>,
    pub folds: Vec<Lanes>,
    /// Whether folds start anew with each row and leave its result.
    pub whole: bool,
    /// Entries that are asked for as the loop goes, a line of 32-bit elements with each vector.
    pub ahead: Vec<u16>,
    /// Whether there may be [`Node::Scale`].
    pub scales: bool,
    seen: HashMap<Node, Value>,
}

impl Segment {
    /// The value of `node`; the same as before for a node that is there already.
    pub fn push(&mut self, node: Node) -> Value {
        let next = self.nodes.len() as Value;
        *self.seen.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            next
        })
    }

    /// The entries that the code follows from row to row.
    #[cfg(target_arch = "x86_64")]
    pub fn entries(&self) -> Vec<u16> {
        let nodes = self.nodes.iter().filter_map(|node| match *node {
            Node::Load(entry) | Node::LoadMask(entry) | Node::Spread(entry) => Some(entry),
            _ => None,
        });
        let stores = self.stores.iter().map(|s| s.entry);
        let folds = self.folds.iter().map(|f| f.entry).filter(|_| self.whole);
        let mut entries: Vec<u16> = nodes.chain(stores).chain(folds).chain(self.ahead.iter().copied()).collect();
        entries.sort_unstable();
        entries.dedup();
        entries
    }

    #[cfg(target_arch = "x86_64")]
    pub fn is_mask(&self, value: Value) -> bool {
        self.nodes[value as usize].is_mask()
    }
}
