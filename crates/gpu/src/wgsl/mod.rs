//! Writing compute kernels: a [`Source`] collects bindings, numbers, library functions and statements, and becomes a
//! [`Dispatch`].

mod functions;
pub(crate) mod index;
pub(crate) mod scalar;

use crate::adapters::{GROUPS_PER_DIMENSION, INVOCATIONS, WORKGROUP_BYTES};
use fovea_core::DType;
use fovea_core::plan::SlotId;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A number that a kernel reads from the uniform buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    /// Datum `.0` cast to a dtype.
    Scalar(usize, DType),
    /// Philox key at datum `.0`.
    Key(usize),
    /// A number of the kernel itself that would else be in its text, such as where a slice starts: kernels that differ
    /// in nothing else share their pipeline.
    Word(u32),
}

/// One kernel launch over slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dispatch {
    pub source: String,
    /// The slot at each storage binding.
    pub slots: Vec<SlotId>,
    /// What the uniform buffer holds, 16 bytes each; without any there is no such binding.
    pub numbers: Vec<Number>,
    pub workgroups: [u32; 3],
}

/// How a dtype is stored in device memory.
pub(crate) fn storage_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F64 => "f32",
        DType::I32 | DType::I64 => "i32",
        DType::U8 | DType::Bool => "u32",
    }
}

/// How a dtype is computed with.
pub(crate) fn value_type(dtype: DType) -> &'static str {
    if dtype == DType::Bool { "bool" } else { storage_type(dtype) }
}

/// A value of `dtype` from its stored word.
pub(crate) fn loaded(word: &str, dtype: DType) -> String {
    if dtype == DType::Bool { format!("({word} != 0u)") } else { word.to_owned() }
}

/// The stored word of a value of `dtype`.
pub(crate) fn stored(value: &str, dtype: DType) -> String {
    if dtype == DType::Bool { format!("select(0u, 1u, {value})") } else { value.to_owned() }
}

/// A kernel being written.
#[derive(Default)]
pub(crate) struct Source {
    slots: Vec<(SlotId, &'static str)>,
    numbers: Vec<Number>,
    functions: BTreeSet<&'static str>,
    shared: String,
    shared_bytes: u32,
    body: String,
    names: usize,
}

impl Source {
    /// The name of a slot's binding. Each slot is bound once, however often it is used.
    pub fn bind(&mut self, slot: SlotId, dtype: DType) -> String {
        let element = storage_type(dtype);
        let index = self.slots.iter().position(|s| s.0 == slot).unwrap_or_else(|| {
            self.slots.push((slot, element));
            self.slots.len() - 1
        });
        debug_assert_eq!(self.slots[index].1, element);
        format!("b{index}")
    }

    /// The `vec4<u32>` that holds a number.
    pub fn number(&mut self, number: Number) -> String {
        let index = self.numbers.iter().position(|n| *n == number).unwrap_or_else(|| {
            self.numbers.push(number);
            self.numbers.len() - 1
        });
        format!("data[{index}]")
    }

    /// A slot's start as an expression of type u32.
    pub fn start(&mut self, offset: usize) -> String {
        if offset == 0 {
            return "0u".into();
        }
        self.numbers.push(Number::Word(offset as u32));
        format!("data[{}].x", self.numbers.len() - 1)
    }

    /// The name of a library function, which is then included.
    pub fn call(&mut self, function: &'static str) -> &'static str {
        self.functions.insert(function);
        function
    }

    /// Declares workgroup memory.
    pub fn share(&mut self, name: &str, element: &str, element_bytes: u32, count: u32) {
        let _ = writeln!(self.shared, "var<workgroup> {name}: array<{element}, {count}>;");
        self.shared_bytes += element_bytes * count;
    }

    /// A name that no other call returns.
    pub fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Adds a statement.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.body.push_str("  ");
        self.body.push_str(text.as_ref());
        self.body.push('\n');
    }

    /// Adds `let name = value;` under a fresh name.
    pub fn bound(&mut self, prefix: &str, value: impl AsRef<str>) -> String {
        let name = self.fresh(prefix);
        self.line(format!("let {name} = {};", value.as_ref()));
        name
    }

    /// The finished kernel: `groups` workgroups of `invocations`. The body finds its workgroup's number in `group`
    /// (which may reach past `groups` when they don't fit one dimension) and its invocation's in `lane`.
    pub fn finish(self, groups: u64, invocations: u32) -> Dispatch {
        assert!(invocations <= INVOCATIONS, "{invocations} invocations");
        assert!(self.shared_bytes <= WORKGROUP_BYTES, "{} bytes of workgroup memory", self.shared_bytes);
        let [x, y] = spread(groups);
        let mut source = String::new();
        for (binding, (_, element)) in self.slots.iter().enumerate() {
            let _ = writeln!(
                source,
                "@group(0) @binding({binding}) var<storage, read_write> b{binding}: array<{element}>;"
            );
        }
        if !self.numbers.is_empty() {
            let _ = writeln!(
                source,
                "@group(0) @binding({}) var<uniform> data: array<vec4<u32>, {}>;",
                self.slots.len(),
                self.numbers.len()
            );
        }
        source.push_str(&self.shared);
        source.push_str(&functions::texts(&self.functions));
        let _ = write!(
            source,
            "@compute @workgroup_size({invocations})\n\
             fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{\n  \
             let group = id.y * {x}u + id.x;\n{}}}\n",
            self.body
        );
        Dispatch {
            source,
            slots: self.slots.into_iter().map(|s| s.0).collect(),
            numbers: self.numbers,
            workgroups: [x, y, 1],
        }
    }
}

/// Workgroups along x and y that cover `groups`.
fn spread(groups: u64) -> [u32; 2] {
    let limit = u64::from(GROUPS_PER_DIMENSION);
    let y = groups.div_ceil(limit).max(1);
    assert!(y <= limit, "{groups} workgroups");
    [groups.div_ceil(y) as u32, y as u32]
}
