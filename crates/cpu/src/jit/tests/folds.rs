//! Folds over lanes that are kept from row to row, and over whole rows.

use super::super::*;
use super::{Dice, instruction_sets, same};
use crate::isa::Isa;

/// What a fold makes of a state and one more value, or of two states.
fn taken(fold: Fold, state: f32, value: f32) -> f32 {
    let first = match fold {
        Fold::Sum => return state + value,
        Fold::Max => state > value,
        Fold::Min => state < value,
    };
    if first | state.is_nan() { state } else { value }
}

/// Arrays 0 and 1 hold rows of elements, 2 and 3 lanes or results, 4 what is stored, 5 an element for each row.
fn check_folds(dice: &mut Dice, segment: &Segment, isa: Isa, n: usize, rows: usize) {
    let mut arrays: Vec<Vec<u32>> = (0..6).map(|_| (0..(n * rows).max(16)).map(|_| dice.element()).collect()).collect();
    arrays[5].iter_mut().for_each(|x| *x = 1.5f32.to_bits());
    let mut wanted = arrays.clone();
    for row in 0..rows {
        for fold in &segment.folds {
            let entry = fold.entry as usize;
            let start = match fold.fold {
                Fold::Sum => 0.0,
                Fold::Max => f32::NEG_INFINITY,
                Fold::Min => f32::INFINITY,
            };
            let mut lanes = [start; 16];
            if !segment.whole {
                lanes.iter_mut().zip(&wanted[entry]).for_each(|(lane, &x)| *lane = f32::from_bits(x));
            }
            for i in 0..n {
                let [x, y] = [0, 1].map(|a| f32::from_bits(arrays[a][row * n + i]));
                let product = x * y * f32::from_bits(arrays[5][row]);
                wanted[4][row * n + i] = product.to_bits();
                let value = if entry == 2 { product } else { x };
                lanes[i % 16] = taken(fold.fold, lanes[i % 16], value);
            }
            if segment.whole {
                for half in [8, 4, 2, 1] {
                    (0..half).for_each(|i| lanes[i] = taken(fold.fold, lanes[i], lanes[i + half]));
                }
                wanted[entry][row] = lanes[0].to_bits();
            } else {
                wanted[entry].iter_mut().zip(lanes).for_each(|(to, lane)| *to = lane.to_bits());
            }
        }
    }
    // Lanes that are merged first may stand for one another.
    for fold in segment.folds.iter().filter(|f| isa == Isa::Avx2 && !segment.whole && f.fold != Fold::Sum) {
        let (low, high) = wanted[fold.entry as usize].split_at_mut(8);
        for (a, b) in
            low.iter_mut().zip(high).filter(|(a, b)| f32::from_bits(**a).is_nan() | f32::from_bits(**b).is_nan())
        {
            (*a, *b) = (f32::NAN.to_bits(), f32::NAN.to_bits());
        }
    }
    let Some(function) = compile(segment, isa) else { panic!("there is no code") };
    let mut table: Vec<*mut u8> = arrays.iter_mut().map(|a| a.as_mut_ptr().cast()).collect();
    let row = 4 * n as isize;
    let result = if segment.whole { 4 } else { 0 };
    // SAFETY: every entry has rows of n elements, those of lanes 16 or a result for each row.
    unsafe { function.run_rows(n, table.as_mut_ptr(), rows, [row, row, result, result, row, 4].as_ptr()) };
    for (got, wanted) in arrays.iter().flatten().zip(wanted.iter().flatten()) {
        assert!(same(*got, *wanted), "{isa:?}, {rows} rows of {n}: {got:x} for {wanted:x}");
    }
}

#[test]
fn folds_take_every_element_of_every_row_into_its_lane() {
    let mut dice = Dice(11);
    let folds = [Fold::Sum, Fold::Max, Fold::Min];
    for round in 0..400 {
        let mut segment = Segment::default();
        let (x, y, z) = (segment.push(Node::Load(0)), segment.push(Node::Load(1)), segment.push(Node::Spread(5)));
        let both = segment.push(Node::Binary(Binary::Mul, x, y));
        let both = segment.push(Node::Binary(Binary::Mul, both, z));
        segment.stores = vec![Store { value: both, entry: 4, streamed: false }];
        segment.folds = vec![
            Lanes { value: both, fold: folds[round / 3 % 3], entry: 2 },
            Lanes { value: x, fold: folds[round % 3], entry: 3 },
        ];
        segment.whole = round % 2 == 0;
        segment.ahead = [0, 1][..round % 3].to_vec();
        for isa in instruction_sets() {
            // Whole rows need no room beyond their results.
            let (n, rows) = (1 + dice.below(100), 1 + dice.below(4));
            check_folds(&mut dice, &segment, isa, n, rows);
        }
    }
}
