//! Accuracy: f32 against f64, f64 against values of higher precision.

mod doubles;
mod sweep;

use super::*;

/// Error of `y` in units of the last place of `exact` as an f32; 0 for the f32 nearest to it.
fn ulps(y: f32, exact: f64) -> f64 {
    let nearest = exact as f32;
    if y.is_nan() || exact.is_nan() {
        return if y.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if y == nearest {
        // Zeros agree in sign too.
        return if y.is_sign_negative() == nearest.is_sign_negative() { 0.0 } else { f64::INFINITY };
    }
    if y.is_infinite() || nearest.is_infinite() {
        // The largest finite value counts as the neighbour of infinity.
        let as_finite = |v: f64| v.clamp(-f64::from(f32::MAX), f64::from(f32::MAX));
        return 1.0 + (as_finite(f64::from(y)) - as_finite(exact)).abs() / 2f64.powi(104);
    }
    let exponent = (exact.to_bits() >> 52 & 0x7ff).max(1023 - 126);
    (f64::from(y) - exact).abs() / f64::from_bits((exponent - 23) << 52)
}

#[test]
fn sin_close_to_multiples_of_pi() {
    // The f32 nearest to k · π/2 leave the smallest remainders.
    for k in 1..4_000_000u32 {
        let x = (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32;
        for (y, exact) in [(super::sin::<true>(x), f64::from(x).sin()), (super::cos::<true>(x), f64::from(x).cos())] {
            assert!(ulps(y, exact) < 1.5, "{x}: {y} for {exact}");
        }
    }
}

#[test]
fn pow_of_all_kinds() {
    let mut values =
        vec![0.0f32, 0.5, 1.0, 1.5, 2.0, 3.0, 1e-40, 8_388_607.0, 16_777_215.0, 1e30, f32::MAX, f32::INFINITY];
    values.extend((0..300u32).map(|i| f32::from_bits(0x3000_0000 + i * 0x11_2233)));
    values.extend((0..300u32).map(|i| 0.9 + i as f32 * 7.3e-4));
    values.extend(values.clone().iter().map(|v| -v));
    values.push(f32::NAN);
    let mut worst = 0.0f64;
    for &x in &values {
        for &y in &values {
            let exact = f64::from(x).powf(f64::from(y));
            for z in [super::pow::<true>(x, y), super::pow::<false>(x, y)] {
                let error = ulps(z, exact);
                assert!(error <= 0.6, "{x:e}^{y:e}: {z:e} for {exact:e} ({error} ULP)");
                worst = worst.max(error);
            }
        }
    }
    println!("pow: {worst:.3} ULP");
    assert_eq!(super::powi(-3, 3), -27);
    assert_eq!(super::powi(7, 30), 7i64.wrapping_pow(30));
    assert_eq!([super::powi(-1, -3), super::powi(2, -1), super::powi(0, 0)], [-1, 0, 1]);
}

#[test]
fn atan2_of_all_kinds() {
    let mut values =
        vec![0.0f32, 1e-45, 1e-40, f32::MIN_POSITIVE, 0.5, 1.0, 1.0 + f32::EPSILON, 3.0, 1e30, f32::MAX, f32::INFINITY];
    values.extend((0..400u32).map(|i| f32::from_bits(0x0123_4567 + i * 0x4f_0123)));
    values.extend((0..400u32).map(|i| 0.37 + i as f32 * 3.1e-3));
    values.extend(values.clone().iter().map(|v| -v));
    values.push(f32::NAN);
    let mut worst = 0.0f64;
    for &y in &values {
        for &x in &values {
            let exact = f64::from(y).atan2(f64::from(x));
            for z in [super::atan2::<true>(y, x), super::atan2::<false>(y, x)] {
                let error = ulps(z, exact);
                assert!(error <= 1.5, "atan2({y:e}, {x:e}): {z:e} for {exact:e} ({error} ULP)");
                worst = worst.max(error);
            }
        }
    }
    println!("atan2: {worst:.3} ULP");
}

#[test]
fn philox_known_answers() {
    // From the reference implementation's known-answer file; the third vector has a 128-bit counter and is left out.
    assert_eq!(philox(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    let uniform: Vec<f32> = (0..100_000).map(|i| uniform_f32(philox(1, i)[0])).collect();
    let mean = uniform.iter().map(|&u| f64::from(u)).sum::<f64>() / 1e5;
    assert!((mean - 0.5).abs() < 0.005 && uniform.iter().all(|u| (0.0..1.0).contains(u)));
    let normal: Vec<f64> = (0..100_000).map(|i| f64::from(normal_f32::<true>(philox(1, i)))).collect();
    let mean = normal.iter().sum::<f64>() / 1e5;
    let variance = normal.iter().map(|z| z * z).sum::<f64>() / 1e5;
    assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    assert!(normal_f64([0, 0, 0, 0]).is_finite() && normal_f32::<true>([0, 0, 0, 0]).is_finite());
}
