//! The f64 functions at rightly rounded values of mpmath (test/reference/functions.py).

use super::sweep::sets;
use crate::loops::{one_operand, two_operands};
use fovea_core::DType;
use fovea_core::scalar::Prim;
use std::collections::BTreeMap;
use std::ptr::null;

const VALUES: &str = include_str!("../../../../../test/reference/functions.txt");

/// Functions by their names there, with the largest distance from the right value in units of the last place.
const FUNCTIONS: [(&str, Prim, u64); 11] = [
    ("exp", Prim::Exp, 1),
    ("expm1", Prim::Expm1, 1),
    ("log", Prim::Log, 1),
    ("log1p", Prim::Log1p, 1),
    ("sin", Prim::Sin, 1),
    ("cos", Prim::Cos, 1),
    ("tanh", Prim::Tanh, 2),
    ("erf", Prim::Erf, 1),
    ("erfc", Prim::Erfc, 2),
    ("atan2", Prim::Atan2, 1),
    ("pow", Prim::Pow, 1),
];

fn number(word: &str) -> f64 {
    f64::from_bits(u64::from_str_radix(word, 16).expect("sixteen digits"))
}

#[test]
fn functions_of_f64_agree_with_mpmath() {
    let mut worst: BTreeMap<&str, u64> = BTreeMap::new();
    for line in VALUES.lines().skip(1) {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, operands @ .., exact] = &words[..] else { panic!("a line of one word") };
        let (_, prim, bound) = FUNCTIONS.iter().find(|f| f.0 == *name).expect("a function of the list");
        let (x, exact): (Vec<f64>, f64) = (operands.iter().map(|word| number(word)).collect(), number(exact));
        for set in sets() {
            let kernel = match x.len() {
                1 => one_operand(*prim, DType::F64, set),
                _ => two_operands(*prim, DType::F64, set, [false; 2]),
            };
            let kernel = kernel.expect("it takes f64");
            let mut y = 0.0f64;
            let at = |i: usize| x.get(i).map_or(null(), |x| std::ptr::from_ref(x).cast::<u8>());
            // SAFETY: one element of each operand and of the result; the processor has the instruction set.
            unsafe { kernel(1, (&raw mut y).cast(), [at(0), at(1), null()]) };
            let distance = if y.is_sign_negative() == exact.is_sign_negative() {
                y.to_bits().abs_diff(exact.to_bits())
            } else {
                u64::MAX
            };
            assert!(distance <= *bound, "{line} ({}): {y:e} for {exact:e}, {distance} ULP", set.name());
            let worst = worst.entry(name).or_default();
            *worst = (*worst).max(distance);
        }
    }
    println!("{worst:?}");
    assert_eq!(worst.len(), FUNCTIONS.len(), "values of every function");
}
