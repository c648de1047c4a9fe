//! Moments of random draws. Seeds are fixed, and bounds are five standard deviations of what is estimated: a sound
//! generator stays within them but for once in a million estimates (χ² of few buckets: once in a few hundred).

use fovea_core::DType;
use fovea_core::graph::Val;
use fovea_core::op::Op;
use fovea_cpu::runtime::CpuRuntime;
use fovea_ops::random::{Bernoulli, Dropout, Normal, Randint, Uniform};
use fovea_testkit::Session;
use std::sync::Arc;

const DRAWS: usize = 1 << 18;

const SIGMAS: f64 = 5.0;

/// Buckets of a histogram.
const BUCKETS: usize = 64;

fn session() -> Session {
    let mut s = Session::new(Arc::new(CpuRuntime));
    s.random = (2026, 11);
    s
}

/// The draws of `op` on numbers of one dtype and a key.
fn draw<O: Op>(s: &mut Session, op: O, numbers: &[f64], dtype: DType) -> Vec<f64> {
    let mut inputs: Vec<Val> = numbers.iter().map(|&v| s.graph.number(v, dtype, true)).collect();
    inputs.push(s.random_key(DRAWS));
    let val = s.apply(op, &inputs).unwrap();
    s.read(val).unwrap()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// An estimate from `n` draws, each of standard deviation `deviation`.
fn close(what: &str, got: f64, want: f64, deviation: f64, n: usize) {
    let bound = SIGMAS * deviation / (n as f64).sqrt();
    assert!((got - want).abs() <= bound, "{what}: {got}, not {want} ± {bound}");
}

/// The share of draws for which something of probability `p` holds.
fn share(what: &str, values: &[f64], p: f64, holds: impl Fn(f64) -> bool) {
    let got = values.iter().filter(|&&v| holds(v)).count() as f64 / values.len() as f64;
    close(what, got, p, (p * (1.0 - p)).sqrt(), values.len());
}

/// Pearson's χ² of as many equally likely buckets has the mean `buckets − 1` and twice that as its variance. Too even is
/// wrong too.
fn even(what: &str, buckets: usize, places: impl ExactSizeIterator<Item = usize>) {
    let expected = places.len() as f64 / buckets as f64;
    let mut counts = vec![0.0; buckets];
    places.for_each(|at| counts[at] += 1.0);
    let chi: f64 = counts.iter().map(|c| (c - expected) * (c - expected) / expected).sum();
    let freedom = buckets as f64 - 1.0;
    let bound = SIGMAS * (2.0 * freedom).sqrt();
    assert!((chi - freedom).abs() <= bound, "{what}: χ² is {chi}, not {freedom} ± {bound}");
}

/// Two rows of values of variance `variance` around `center` don't go together.
fn uncorrelated(what: &str, values: &[f64], others: &[f64], center: f64, variance: f64) {
    let product = values.iter().zip(others).map(|(a, b)| (a - center) * (b - center));
    close(what, mean(product), 0.0, variance, values.len().min(others.len()));
}

#[test]
fn uniform_draws_have_the_moments_of_the_unit_interval_and_fill_it_evenly() {
    let mut s = session();
    for dtype in [DType::F32, DType::F64] {
        let uniform = |s: &mut Session| draw(s, Uniform { shape: vec![DRAWS], dtype }, &[], dtype);
        let (values, next) = (uniform(&mut s), uniform(&mut s));
        assert!(values.iter().all(|u| (0.0..1.0).contains(u)));
        let central = |power: i32| mean(values.iter().map(|u| (u - 0.5).powi(power)));
        close("mean", mean(values.iter().copied()), 0.5, (1.0f64 / 12.0).sqrt(), DRAWS);
        close("variance", central(2), 1.0 / 12.0, (1.0f64 / 180.0).sqrt(), DRAWS);
        close("third moment", central(3), 0.0, (1.0f64 / 448.0).sqrt(), DRAWS);
        even("buckets", BUCKETS, values.iter().map(|u| (u * BUCKETS as f64) as usize));
        // The lower bits, which a wrong shift would leave constant.
        even("low bits", BUCKETS, values.iter().map(|u| (u * (1 << 24) as f64) as usize % BUCKETS));
        // Philox makes four words at a time.
        for lag in 1..=4 {
            uncorrelated("neighbours", &values, &values[lag..], 0.5, 1.0 / 12.0);
        }
        uncorrelated("the next key", &values, &next, 0.5, 1.0 / 12.0);
    }
}

#[test]
fn normal_draws_have_the_moments_and_tails_of_the_bell() {
    let mut s = session();
    for dtype in [DType::F32, DType::F64] {
        let values = draw(&mut s, Normal { shape: vec![DRAWS], dtype }, &[], dtype);
        let moment = |power: i32| mean(values.iter().map(|x| x.powi(power)));
        // The variance of xᵏ is (2k − 1)!! less the square of its mean.
        close("mean", moment(1), 0.0, 1.0, DRAWS);
        close("variance", moment(2), 1.0, 2f64.sqrt(), DRAWS);
        close("third moment", moment(3), 0.0, 15f64.sqrt(), DRAWS);
        close("fourth moment", moment(4), 3.0, 96f64.sqrt(), DRAWS);
        for (x, beyond) in [(1.0, 0.158_655_253_931_457), (2.0, 0.022_750_131_948_179), (3.0, 0.001_349_898_031_630)] {
            share("above", &values, beyond, |v| v > x);
            share("below", &values, beyond, |v| v < -x);
        }
        for lag in 1..=4 {
            uncorrelated("neighbours", &values, &values[lag..], 0.0, 1.0);
        }
    }
}

#[test]
fn bernoulli_draws_are_one_as_often_as_they_should() {
    let mut s = session();
    for dtype in [DType::F32, DType::Bool] {
        for p in [0.0, 0.001, 0.3, 0.5, 0.97, 1.0] {
            let values = draw(&mut s, Bernoulli { shape: vec![DRAWS], dtype }, &[p], DType::F32);
            assert!(values.iter().all(|&v| v == 0.0 || v == 1.0));
            // Never at 0 and always at 1: the bound is 0 there.
            share(&format!("p = {p}"), &values, p, |v| v == 1.0);
        }
    }
    let p = [0.1, 0.9, 0.5];
    let rows = DRAWS / p.len();
    let each = s.leaf(DType::F32, [p.len()], &p).unwrap();
    let key = s.random_key(DRAWS);
    let op = Bernoulli { shape: vec![rows, p.len()], dtype: DType::F32 };
    let val = s.apply(op, &[each, key]).unwrap();
    let values = s.read(val).unwrap();
    for (column, &p) in p.iter().enumerate() {
        let own: Vec<f64> = values.iter().skip(column).step_by(3).copied().collect();
        share(&format!("column of p = {p}"), &own, p, |v| v == 1.0);
    }
}

#[test]
fn random_integers_are_even_from_the_lowest_to_one_below_the_highest() {
    let mut s = session();
    let cases = [
        (0, 10, DType::I32),
        (-5, 6, DType::I64),
        (-7, -4, DType::I32),
        (0, 2, DType::U8),
        (0, 256, DType::U8),
        (1 << 40, (1 << 40) + 100, DType::I64),
    ];
    for (low, high, dtype) in cases {
        let what = format!("{low}..{high} as {dtype}");
        let values = draw(&mut s, Randint { shape: vec![DRAWS], dtype }, &[low as f64, high as f64], DType::I64);
        assert!(values.iter().all(|v| (low as f64..high as f64).contains(v)), "{what}");
        for edge in [low, high - 1] {
            assert!(values.contains(&(edge as f64)), "{what}: {edge} never comes");
        }
        even(&what, (high - low) as usize, values.iter().map(|v| (*v as i64 - low) as usize));
    }
    let one = draw(&mut s, Randint { shape: vec![100], dtype: DType::I32 }, &[3.0, 4.0], DType::I64);
    assert_eq!(one, vec![3.0; 100]);
    // As many values as a draw has: nothing reaches the end, and every 64th of the range is as likely.
    let (low, high) = (-(1 << 23), 1 << 23);
    let op = Randint { shape: vec![DRAWS], dtype: DType::I32 };
    let values = draw(&mut s, op, &[f64::from(low), f64::from(high)], DType::I64);
    assert!(values.iter().all(|v| (f64::from(low)..f64::from(high)).contains(v)));
    let width = (high - low) as usize / BUCKETS;
    even("the widest range", BUCKETS, values.iter().map(|v| (*v as i32 - low) as usize / width));
}

#[test]
fn dropout_keeps_its_share_scaled_and_the_gradient_drops_the_same() {
    let mut s = session();
    let inputs: Vec<f64> = (0..DRAWS).map(|i| 1.0 + (i % 8) as f64 / 8.0).collect();
    for p in [0.0f32, 0.2, 0.5, 0.9, 1.0] {
        let x = s.parameter([DRAWS], &inputs).unwrap();
        let number = s.graph.number(f64::from(p), DType::F32, true);
        let key = s.random_key(DRAWS);
        let y = s.apply(Dropout {}, &[x, number, key]).unwrap();
        let total = s.sum(y).unwrap();
        let gradient = s.grad(&[total], &[None], &[x], false).unwrap()[0].unwrap();
        let (values, slopes) = (s.read(y).unwrap(), s.read(gradient).unwrap());
        let kept = 1.0 - f64::from(p);
        share(&format!("p = {p}"), &values, kept, |v| v != 0.0);
        let factor = if p < 1.0 { 1.0 / (1.0 - p) } else { 0.0 };
        for ((x, y), slope) in inputs.iter().zip(&values).zip(&slopes) {
            let scaled = f64::from(*x as f32 * factor);
            let right = if *y == 0.0 { *slope == 0.0 } else { *y == scaled && *slope == f64::from(factor) };
            assert!(right, "p = {p}: {x} became {y} with slope {slope}");
        }
        if p < 1.0 {
            // E y = x; the deviation of y / x is √(p / (1 − p)).
            let ratios = inputs.iter().zip(&values).map(|(x, y)| y / x);
            close("mean", mean(ratios), 1.0, (f64::from(p) / kept).sqrt(), DRAWS);
        }
    }
}
