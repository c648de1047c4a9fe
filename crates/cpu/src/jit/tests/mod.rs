//! Compiled segments beside the same nodes computed one lane at a time.

mod folds;

use super::*;
use crate::isa::Isa;

/// The nodes' values for element `i`. `spread` is what every entry held at first.
fn lane(segment: &Segment, table: &[*mut u8], spread: &[u32], i: usize) -> Vec<u32> {
    let mut values: Vec<u32> = Vec::new();
    for node in &segment.nodes {
        let get = |v: Value| values[v as usize];
        let float = |v: Value| f32::from_bits(get(v));
        // SAFETY: the tests' arrays have more elements.
        let load = |entry: u16| unsafe { *table[entry as usize].cast::<u32>().add(i) };
        values.push(match *node {
            Node::Load(entry) => load(entry),
            Node::Spread(entry) => spread[entry as usize],
            // SAFETY: as above.
            Node::LoadMask(entry) => unsafe { (*table[entry as usize].add(i) != 0) as u32 },
            Node::Bits(bits) => bits,
            Node::Unary(op, a) => match op {
                Unary::Sqrt => float(a).sqrt().to_bits(),
                Unary::Round => float(a).round_ties_even().to_bits(),
                Unary::Floor => float(a).floor().to_bits(),
                Unary::Ceil => float(a).ceil().to_bits(),
                Unary::Trunc => float(a).trunc().to_bits(),
                Unary::ToFloat => (get(a) as i32 as f32).to_bits(),
                Unary::ShiftLeft(by) => get(a) << by,
                Unary::ShiftRight(by) => (get(a) as i32 >> by) as u32,
            },
            Node::Binary(op, a, b) => match op {
                Binary::Add => (float(a) + float(b)).to_bits(),
                Binary::Sub => (float(a) - float(b)).to_bits(),
                Binary::Mul => (float(a) * float(b)).to_bits(),
                Binary::Div => (float(a) / float(b)).to_bits(),
                Binary::Greater => {
                    if float(a) > float(b) {
                        get(a)
                    } else {
                        get(b)
                    }
                }
                Binary::Smaller => {
                    if float(a) < float(b) {
                        get(a)
                    } else {
                        get(b)
                    }
                }
                Binary::And => get(a) & get(b),
                Binary::Or => get(a) | get(b),
                Binary::Xor => get(a) ^ get(b),
                Binary::AddInt => get(a).wrapping_add(get(b)),
                Binary::SubInt => get(a).wrapping_sub(get(b)),
            },
            Node::Scale(a, b) => ((f64::from(float(a)) * f64::from(float(b)).exp2()) as f32).to_bits(),
            Node::MulAdd(a, b, c) => float(a).mul_add(float(b), float(c)).to_bits(),
            Node::Compare(op, a, b) => match op {
                Compare::Equal => (float(a) == float(b)) as u32,
                Compare::NotEqual => (float(a) != float(b)) as u32,
                Compare::Less => (float(a) < float(b)) as u32,
                Compare::LessEqual => (float(a) <= float(b)) as u32,
                Compare::Unordered => (float(a).is_nan() | float(b).is_nan()) as u32,
                Compare::EqualInt => (get(a) == get(b)) as u32,
                Compare::LessInt => ((get(a) as i32) < get(b) as i32) as u32,
            },
            Node::Join(op, a, b) => match op {
                Join::And => get(a) & get(b),
                Join::Or => get(a) | get(b),
                Join::Xor => get(a) ^ get(b),
            },
            Node::Not(a) => get(a) ^ 1,
            Node::Select(mask, a, b) => {
                if get(mask) != 0 {
                    get(a)
                } else {
                    get(b)
                }
            }
        });
    }
    values
}

/// A small generator of numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn element(&mut self) -> u32 {
        const SPECIAL: [f32; 8] = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40, 2.5, f32::MAX];
        match self.below(4) {
            0 => SPECIAL[self.below(8)].to_bits(),
            1 => (self.below(2000) as f32 / 100.0 - 10.0).to_bits(),
            2 => self.below(9) as u32,
            _ => (self.below(1 << 31) as u32) ^ ((self.below(2) as u32) << 31),
        }
    }
}

const ARRAYS: usize = 14;

/// A segment over entries `0..ARRAYS` of 32 bits (of which the first two are also spread) and as many masks behind.
fn random_segment(dice: &mut Dice, size: usize) -> Segment {
    let mut segment = Segment::default();
    // Which NaN arithmetic makes is nobody's business, so its results are not taken for bits.
    let (mut numbers, mut bits, mut masks): (Vec<Value>, Vec<Value>, Vec<Value>) = Default::default();
    let compared = [
        Compare::Equal,
        Compare::NotEqual,
        Compare::Less,
        Compare::LessEqual,
        Compare::Unordered,
        Compare::EqualInt,
        Compare::LessInt,
    ];
    let unary = [Unary::Sqrt, Unary::Round, Unary::Floor, Unary::Ceil, Unary::Trunc];
    let on_bits = [Unary::ToFloat, Unary::ShiftLeft(3), Unary::ShiftRight(5)];
    let binary = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Greater, Binary::Smaller];
    let joined = [Binary::And, Binary::Or, Binary::Xor, Binary::AddInt, Binary::SubInt];
    for step in 0..size {
        let some =
            |list: &[Value], dice: &mut Dice| list[list.len().saturating_sub(1 + dice.below(list.len().min(400)))];
        let kind = if step < 3 || numbers.is_empty() { 0 } else { dice.below(12) };
        let recent = masks.len().saturating_sub(12);
        match kind {
            0..3 => {
                let node = match kind {
                    0 => Node::Load(dice.below(ARRAYS) as u16),
                    1 => Node::Spread(dice.below(2) as u16),
                    _ => Node::Bits(dice.element()),
                };
                bits.push(segment.push(node));
                numbers.extend(bits.last());
            }
            3 => masks.push(segment.push(Node::LoadMask((ARRAYS + dice.below(2)) as u16))),
            4 => {
                let of = dice.below(compared.len());
                let list = if of < 5 { &numbers } else { &bits };
                masks.push(segment.push(Node::Compare(compared[of], some(list, dice), some(list, dice))));
            }
            5 if !masks.is_empty() => {
                let (a, b) = (some(&masks[recent..], dice), some(&masks[recent..], dice));
                masks.push(segment.push(Node::Join([Join::And, Join::Or, Join::Xor][dice.below(3)], a, b)));
            }
            6 if !masks.is_empty() => masks.push(segment.push(Node::Not(some(&masks[recent..], dice)))),
            7 if !masks.is_empty() => {
                let mask = some(&masks[recent..], dice);
                numbers.push(segment.push(Node::Select(mask, some(&numbers, dice), some(&numbers, dice))));
            }
            8 => {
                let node = match dice.below(8) {
                    of if of < 5 => Node::Unary(unary[of], some(&numbers, dice)),
                    of => Node::Unary(on_bits[of - 5], some(&bits, dice)),
                };
                numbers.push(segment.push(node));
            }
            9 => {
                let (a, b, c) = (some(&numbers, dice), some(&numbers, dice), some(&numbers, dice));
                numbers.push(segment.push(Node::MulAdd(a, b, c)));
            }
            10 => {
                let (a, b) = (some(&bits, dice), some(&bits, dice));
                bits.push(segment.push(Node::Binary(joined[dice.below(joined.len())], a, b)));
                numbers.extend(bits.last());
            }
            _ => {
                let (a, b) = (some(&numbers, dice), some(&numbers, dice));
                numbers.push(segment.push(Node::Binary(binary[dice.below(binary.len())], a, b)));
            }
        }
    }
    // Some results go where operands lie.
    for entry in [0, 3, ARRAYS + 2, ARRAYS + 4] {
        let value = numbers[dice.below(numbers.len())];
        let entry = if entry < ARRAYS { entry as u16 } else { entry as u16 + 10 };
        segment.stores.push(Store { value, entry, streamed: false });
    }
    if let Some(&mask) = masks.last() {
        segment.stores.push(Store { value: mask, entry: (ARRAYS + 1) as u16, streamed: false });
    }
    segment
}

fn instruction_sets() -> impl Iterator<Item = Isa> {
    [Isa::Avx2, Isa::Avx512].into_iter().filter(|&isa| isa <= crate::isa::isa())
}

/// Equal bits, or two NaN: which of two NaN operands an instruction passes on is nobody's business.
fn same(a: u32, b: u32) -> bool {
    a == b || (f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan())
}

/// Runs the segment over `n` elements of random memory and compares every element of it, those past the end included.
fn check(segment: &Segment, n: usize, isa: Isa, seed: u64) {
    let Some(function) = compile(segment, isa) else { panic!("there is no code for {segment:?}") };
    let mut dice = Dice(seed);
    let entries = segment.stores.iter().map(|s| s.entry as usize + 1).max().unwrap_or(0).max(ARRAYS + 2);
    let mut arrays: Vec<Vec<u32>> = (0..entries).map(|_| (0..n + 40).map(|_| dice.element()).collect()).collect();
    for mask in &mut arrays[ARRAYS..ARRAYS + 2] {
        mask.iter_mut().for_each(|word| *word = [0, 1, 0x0100, 0x0101_0001][dice.below(4)]);
    }
    let mut wanted = arrays.clone();
    let table: Vec<*mut u8> = wanted.iter_mut().map(|a| a.as_mut_ptr().cast()).collect();
    let spread: Vec<u32> = wanted.iter().map(|a| a[0]).collect();
    for i in 0..n {
        let values = lane(segment, &table, &spread, i);
        for store in &segment.stores {
            let value = values[store.value as usize];
            // SAFETY: arrays have n elements and more.
            unsafe {
                if segment.is_mask(store.value) {
                    *table[store.entry as usize].add(i) = value as u8;
                } else {
                    *table[store.entry as usize].cast::<u32>().add(i) = value;
                }
            }
        }
    }
    let table: Vec<*mut u8> = arrays.iter_mut().map(|a| a.as_mut_ptr().cast()).collect();
    // SAFETY: every entry has n elements; the processor has the instruction set.
    unsafe { function.run(n, table.as_ptr()) };
    for (entry, (got, wanted)) in arrays.iter().zip(&wanted).enumerate() {
        for (i, (&g, &w)) in got.iter().zip(wanted).enumerate() {
            assert!(same(g, w), "{isa:?}, {n} elements, entry {entry}, element {i}: {g:x} for {w:x} in {segment:#?}");
        }
    }
}

#[test]
fn random_segments_of_every_length_compute_what_their_nodes_say() {
    let mut dice = Dice(7);
    for round in 0..400 {
        let size = 4 + dice.below(if round % 40 == 0 {
            900
        } else if round % 4 == 0 {
            120
        } else {
            24
        });
        let segment = random_segment(&mut dice, size);
        for isa in instruction_sets() {
            for n in [0, 1, 7, 8, 15, 16, 17, 31, 33, 100] {
                check(&segment, n, isa, round);
            }
        }
    }
}

#[test]
fn the_exponential_is_the_same_where_instructions_scale() {
    let number = crate::math::exp::<true>;
    let mut dice = Dice(5);
    let mut x: Vec<f32> = (0..20_000).map(|i| (i as f32 - 12_000.0) / 100.0).collect();
    x.extend((0..20_000).map(|_| f32::from_bits(dice.element())));
    for isa in instruction_sets() {
        let mut segment = Segment::default();
        segment.scales = isa == Isa::Avx512;
        let value = segment.push(Node::Load(0));
        let value = trace(&mut segment, value, |x| crate::math::formulas::exp(x));
        segment.stores.push(Store { value, entry: 1, streamed: false });
        let Some(function) = compile(&segment, isa) else { panic!("there is no code") };
        let mut y = vec![0f32; x.len()];
        let table = [x.as_mut_ptr().cast(), y.as_mut_ptr().cast()];
        // SAFETY: both have as many elements.
        unsafe { function.run(x.len(), table.as_ptr()) };
        for (&x, y) in x.iter().zip(y) {
            assert!(same(y.to_bits(), number(x).to_bits()), "{isa:?}: e^{x} is {y} for {}", number(x));
        }
    }
}

#[test]
fn results_past_the_caches_are_as_others() {
    let mut dice = Dice(9);
    let mut memory = vec![0u32; 400];
    let start = memory.as_ptr().align_offset(64);
    for (isa, n) in instruction_sets().flat_map(|isa| [0, 3, 16, 24, 47, 130].map(|n| (isa, n))) {
        let mut x: Vec<u32> = (0..n).map(|_| dice.element()).collect();
        let mut segment = Segment::default();
        let value = segment.push(Node::Load(0));
        segment.stores.push(Store { value, entry: 1, streamed: true });
        let Some(function) = compile(&segment, isa) else { panic!("there is no code") };
        memory.fill(7);
        let result = &mut memory[start..];
        // SAFETY: both have as many elements, and the second starts with a line.
        unsafe { function.run(n, [x.as_mut_ptr().cast(), result.as_mut_ptr().cast()].as_ptr()) };
        assert_eq!((&result[..n], result[n]), (&x[..], 7));
    }
}

#[test]
fn the_same_segment_is_compiled_once() {
    let mut segment = Segment::default();
    let x = segment.push(Node::Load(0));
    let y = segment.push(Node::Binary(Binary::Add, x, x));
    segment.stores.push(Store { value: y, entry: 1, streamed: false });
    for isa in instruction_sets() {
        let (Some(a), Some(b)) = (compile(&segment, isa), compile(&segment.clone(), isa)) else {
            panic!("there is no code")
        };
        assert!(Arc::ptr_eq(&a, &b));
    }
}

#[test]
fn segments_too_large_for_their_numbers_are_refused() {
    let mut segment = Segment::default();
    let mut x = segment.push(Node::Load(0));
    for bits in 0..70_000 {
        let y = segment.push(Node::Bits(bits));
        x = segment.push(Node::Binary(Binary::Add, x, y));
    }
    segment.stores.push(Store { value: x, entry: 1, streamed: false });
    assert!(instruction_sets().all(|isa| compile(&segment, isa).is_none()));
}
