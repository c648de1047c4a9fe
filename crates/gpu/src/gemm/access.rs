//! Reading an operand of a contraction through its access: index arithmetic with only the tests that can fail.
//!
//! An element's coordinates are sums of a part from the result's index (row or column, batch) and a part from the
//! summed index. Both parts are computed once for each index that an invocation meets, and added for each pair.

use crate::wgsl::{Source, index};
use fovea_core::contraction::{Access, Contraction, Role};
use fovea_core::plan::View;

/// One coordinate that must be tested or divided.
struct Test {
    dimension: usize,
    size: usize,
    stride: isize,
    divisor: usize,
}

/// One operand with its access sorted into a linear part and tests.
pub(crate) struct Operand {
    /// Coefficient of each loop in the linear part of the offset.
    linear: Vec<isize>,
    /// Constant part of the offset, without the view's own.
    start: isize,
    view: usize,
    tests: Vec<Test>,
    access: Access,
    /// The loops of the result that this operand has, and the summed ones.
    pub outer: Vec<usize>,
    sum: Vec<usize>,
    batch: Vec<usize>,
    sizes: Vec<usize>,
}

/// Names of the parts that one index contributes.
pub(crate) struct Part {
    offset: String,
    /// For each test.
    coordinates: Vec<String>,
    /// Whether the index lies inside its range, where it may not.
    inside: Option<String>,
}

fn signed(value: isize) -> String {
    if value < 0 { format!("({value}i)") } else { format!("{value}i") }
}

impl Operand {
    pub fn new(contraction: &Contraction, access: &Access, view: &View, outer: Role) -> Operand {
        let sizes: Vec<usize> = contraction.loops.iter().map(|l| l.size).collect();
        let mut linear = vec![0isize; sizes.len()];
        let mut start = 0;
        let mut tests = Vec::new();
        for (dimension, coord) in access.iter().enumerate() {
            let (size, stride) = (view.layout.shape[dimension], view.layout.strides[dimension]);
            let reach = |positive: bool| -> isize {
                let ends = coord.terms.iter().map(|&(l, c)| c * (sizes[l] as isize - 1));
                coord.offset + ends.map(|e| if positive { e.max(0) } else { e.min(0) }).sum::<isize>()
            };
            let may_leave = reach(false) < 0 || reach(true) >= size as isize;
            if coord.divisor != 1 || may_leave {
                tests.push(Test { dimension, size, stride, divisor: coord.divisor });
            }
            if coord.divisor == 1 {
                start += coord.offset * stride;
                for &(l, c) in &coord.terms {
                    linear[l] += c * stride;
                }
            }
        }
        Operand {
            linear,
            start,
            view: view.layout.offset,
            tests,
            access: access.clone(),
            outer: contraction.loops_of(outer),
            sum: contraction.loops_of(Role::Sum),
            batch: contraction.loops_of(Role::Batch),
            sizes,
        }
    }

    /// Whether neighbours along the innermost summed loop lie closer in memory than along the result's.
    pub fn sum_is_fastest(&self) -> bool {
        let step = |loops: &[usize]| loops.last().map_or(isize::MAX, |&l| self.step(l));
        step(&self.sum) < step(&self.outer)
    }

    /// Elements between neighbours along a loop; loops that the operand doesn't depend on count as far.
    fn step(&self, l: usize) -> isize {
        let divided = self.tests.iter().filter(|t| t.divisor != 1).map(|t| {
            let terms = &self.access[t.dimension].terms;
            terms.iter().filter(|x| x.0 == l).map(|x| x.1 * t.stride).sum::<isize>()
        });
        match (self.linear[l] + divided.sum::<isize>()).abs() {
            0 => isize::MAX,
            step => step,
        }
    }

    /// A linear combination of loop indices as an i32 expression.
    fn combine(&self, start: isize, loops: &[usize], names: &[String], coefficient: &dyn Fn(usize) -> isize) -> String {
        let mut text = if start == 0 { String::new() } else { signed(start) };
        for (&l, name) in loops.iter().zip(names) {
            let c = coefficient(l);
            if c == 0 || name == "0u" {
                continue;
            }
            let term = if c == 1 { format!("i32({name})") } else { format!("i32({name}) * {}", signed(c)) };
            text = if text.is_empty() { term } else { format!("{text} + {term}") };
        }
        if text.is_empty() { "0i".into() } else { text }
    }

    fn part(&self, source: &mut Source, loops: &[usize], number: &str, with_start: bool) -> Part {
        let sizes: Vec<usize> = loops.iter().map(|&l| self.sizes[l]).collect();
        let names = index::coordinates(source, number, &sizes);
        let start = if with_start { self.start } else { 0 };
        let mut offset = self.combine(start, loops, &names, &|l| self.linear[l]);
        if with_start && self.view != 0 {
            offset = format!("{offset} + i32({})", source.start(self.view));
        }
        let offset = source.bound("o", offset);
        let coordinates = self
            .tests
            .iter()
            .map(|t| {
                let coord = &self.access[t.dimension];
                let of = |l: usize| coord.terms.iter().filter(|x| x.0 == l).map(|x| x.1).sum();
                let text = self.combine(if with_start { coord.offset } else { 0 }, loops, &names, &of);
                source.bound("x", text)
            })
            .collect();
        Part { offset, coordinates, inside: None }
    }

    /// What the batch index contributes, with the constant parts.
    pub fn batch_part(&self, source: &mut Source, number: &str) -> Part {
        self.part(source, &self.batch, number, true)
    }

    /// What a row or column contributes. `checked` is the extent where the index may lie outside.
    pub fn outer_part(&self, source: &mut Source, number: &str, base: &Part, checked: Option<usize>) -> Part {
        self.part(source, &self.outer, number, false).after(source, base, number, checked.map(|c| format!("{c}u")))
    }

    /// What a summed index contributes. `end` bounds it where it may lie outside.
    pub fn sum_part(&self, source: &mut Source, number: &str, end: Option<&str>) -> Part {
        let zero = Part { offset: "0i".into(), coordinates: vec!["0i".into(); self.tests.len()], inside: None };
        self.part(source, &self.sum, number, false).after(source, &zero, number, end.map(str::to_owned))
    }

    /// The element at the sum of two parts, 0 where a test fails.
    pub fn load(&self, source: &mut Source, buffer: &str, outer: &Part, sum: &Part) -> String {
        let mut at = format!("{} + {}", outer.offset, sum.offset);
        let mut conditions: Vec<String> = outer.inside.iter().chain(&sum.inside).cloned().collect();
        for (t, (a, b)) in self.tests.iter().zip(outer.coordinates.iter().zip(&sum.coordinates)) {
            let x = source.bound("x", format!("{a} + {b}"));
            if t.divisor == 1 {
                conditions.push(format!("u32({x}) < {}u", t.size));
            } else {
                conditions
                    .push(format!("{x} >= 0i && u32({x}) % {0}u == 0u && u32({x}) / {0}u < {1}u", t.divisor, t.size));
                at = format!("{at} + i32(u32({x}) / {}u) * {}", t.divisor, signed(t.stride));
            }
        }
        if conditions.is_empty() {
            return source.bound("e", format!("{buffer}[u32({at})]"));
        }
        let inside = source.bound("ok", conditions.join(" && "));
        // The first element stands in for what is not read.
        source.bound("e", format!("select(0f, {buffer}[select(0u, u32({at}), {inside})], {inside})"))
    }
}

impl Part {
    /// The sum of two parts, with a test of the index where `end` is given.
    fn after(self, source: &mut Source, base: &Part, number: &str, end: Option<String>) -> Part {
        let add = |source: &mut Source, a: &str, b: &str| {
            if b == "0i" { a.to_owned() } else { source.bound("o", format!("{a} + {b}")) }
        };
        Part {
            offset: add(source, &self.offset, &base.offset),
            coordinates: self.coordinates.iter().zip(&base.coordinates).map(|(a, b)| add(source, a, b)).collect(),
            inside: end.map(|end| source.bound("ok", format!("{number} < {end}"))),
        }
    }
}
