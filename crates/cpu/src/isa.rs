//! Instruction sets: which one kernels use, and compiling one body for each.

use std::sync::OnceLock;

/// Instruction sets that have kernels of their own, in order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// What every target has; the compiler vectorises.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ, VL (and AVX2, FMA).
    Avx512,
}

impl Isa {
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }
}

/// The instruction set in use: the best that the processor has, unless `FOVEA_ISA` names a lower one. Read once.
pub fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| {
        let best = detect();
        match std::env::var("FOVEA_ISA").as_deref() {
            Ok("portable") => Isa::Portable,
            Ok("avx2") => best.min(Isa::Avx2),
            _ => best,
        }
    })
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Isa::Avx512,
        (true, false) => Isa::Avx2,
        _ => Isa::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Isa {
    Isa::Portable
}

/// Defines a function that calls `body` compiled for the instruction set in use. `body` must be an
/// `#[inline(always)]` function whose whole call tree is `#[inline(always)]`, taking the listed arguments.
///
/// `multiversion!(fn name(args…) -> Ret = body)` defines `name`. With `= body::<FMA>` the body is generic over
/// `const FMA: bool`, which is whether it may use fused multiply-add (see [`crate::math`]).
#[macro_export]
macro_rules! multiversion {
    ($vis:vis fn $name:ident ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident::<FMA>) => {
        $vis fn $name ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn fused($($arg: $ty),*) $(-> $ret)? { $body::<true>($($arg),*) }
            #[inline(always)]
            fn baseline($($arg: $ty),*) $(-> $ret)? { $body::<{ $crate::math::BASELINE_FMA }>($($arg),*) }
            $crate::multiversion!(@dispatch ($($arg: $ty),*) $(-> $ret)?, fused, baseline)
        }
    };
    (@dispatch ($($arg:ident : $ty:ty),*) $(-> $ret:ty)?, $body:path, $baseline:path) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
            match $crate::isa::isa() {
                // SAFETY: `isa` returns only what the processor has.
                $crate::isa::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                $crate::isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                $crate::isa::Isa::Portable => {}
            }
        }
        $baseline($($arg),*)
    }};
    ($vis:vis fn $name:ident $(<$($g:ident : $bound:path),*>)? ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:path) => {
        $vis fn $name $(<$($g: $bound),*>)? ($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$($g: $bound),*>)? ($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512 $(<$($g: $bound),*>)? ($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) }
                match $crate::isa::isa() {
                    // SAFETY: `isa` returns only what the processor has.
                    $crate::isa::Isa::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::isa::Isa::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::isa::Isa::Portable => {}
                }
            }
            $body($($arg),*)
        }
    };
}

#[cfg(test)]
mod tests {
    #[inline(always)]
    fn fused_error<const FMA: bool>(x: f32) -> f32 {
        crate::math::mul_add::<FMA>(x, x, -(x * x))
    }
    #[inline(always)]
    fn sum(x: &[f32]) -> f32 {
        x.iter().sum()
    }
    multiversion!(fn error(x: f32) -> f32 = fused_error::<FMA>);
    multiversion!(fn total(x: &[f32]) -> f32 = sum);

    #[test]
    fn bodies_run_for_the_instruction_set_in_use() {
        let fma = super::isa() != super::Isa::Portable || crate::math::BASELINE_FMA;
        assert_eq!(error(1.0001) != 0.0, fma);
        assert_eq!(total(&[1.0, 2.0]), 3.0);
    }
}
