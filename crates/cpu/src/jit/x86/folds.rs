//! Folds: lanes kept in registers while a loop runs, and what they come to.

use super::super::nodes::Fold;
use super::vectors::{INFINITIES, Vectors, rest};
use super::{Listing, POOL, TEMPORARY, at};
use iced_x86::Code::{self as Op, *};
use iced_x86::Register::{self, EAX, K7, R11D, RSP, XMM0, XMM1, XMM2, YMM0, YMM1, YMM2};
use iced_x86::{Instruction, MemoryOperand};

/// Marks lanes that are NaN.
const FOLD_MASK: Register = K7;
/// Of comparisons: either operand is NaN.
const UNORDERED: u32 = 3;
/// Lanes of a fold (S13).
const LANES: usize = 16;

/// The registers of one fold: its lanes, in one vector of 512 bits or two of 256, and for extremes one more, which is
/// zero in lanes that have met no NaN, and NaN in others: so that no comparison is among what each vector waits for.
/// Both narrow vectors share it, since their lanes are merged with one another before all else.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    pub fold: Fold,
    first: u8,
}

impl Held {
    pub fn new(fold: Fold, first: u8) -> Held {
        Held { fold, first }
    }
}

impl Vectors {
    /// Registers that a fold takes.
    pub fn fold_registers(self, fold: Fold) -> u8 {
        (if self.wide { 1 } else { 2 }) + (fold != Fold::Sum) as u8
    }

    /// Vectors of a fold's lanes.
    fn halves(self) -> u8 {
        if self.wide { 1 } else { 2 }
    }

    fn nans(self, held: Held) -> u8 {
        held.first + self.halves()
    }

    fn zero(self, list: &mut Listing, register: u8) -> Option<()> {
        let op = if self.wide { EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32 } else { VEX_Vpxor_ymm_ymm_ymmm256 };
        let register = self.vector(register);
        list.push(Instruction::with3(op, register, register, register))
    }

    /// Lanes of no elements.
    pub fn start_lanes(self, list: &mut Listing, held: Held) -> Option<()> {
        for half in 0..self.halves() {
            let infinity = |below: bool| at(POOL, INFINITIES + 4 * below as usize);
            match held.fold {
                Fold::Sum => self.zero(list, held.first + half)?,
                Fold::Max => self.spread(list, held.first + half, infinity(true))?,
                Fold::Min => self.spread(list, held.first + half, infinity(false))?,
            }
        }
        if held.fold == Fold::Sum { Some(()) } else { self.zero(list, self.nans(held)) }
    }

    /// The lanes that `base` leads to.
    pub fn load_lanes(self, list: &mut Listing, held: Held, base: Register, from: usize) -> Option<()> {
        for half in 0..self.halves() {
            let from = at(base, from + 32 * half as usize);
            let op = if self.wide { EVEX_Vmovups_zmm_k1z_zmmm512 } else { VEX_Vmovups_ymm_ymmm256 };
            list.push(Instruction::with2(op, self.vector(held.first + half), from))?;
        }
        if held.fold == Fold::Sum {
            return Some(());
        }
        self.zero(list, self.nans(held))?;
        (0..self.halves()).try_for_each(|half| self.note_nans(list, held, held.first + half, false))
    }

    /// Adds the lanes of `value` that are NaN to those that have been met.
    fn note_nans(self, list: &mut Listing, held: Held, value: u8, tail: bool) -> Option<()> {
        let (nans, value) = (self.vector(self.nans(held)), self.vector(value));
        if self.wide {
            let op = EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae;
            let unordered = Instruction::with4(op, FOLD_MASK, value, value, UNORDERED);
            list.push(unordered.map(|i| rest(i, tail, false)))?;
            let add = Instruction::with3(EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, nans, nans, value);
            return list.push(add.map(|mut i| {
                i.set_op_mask(FOLD_MASK);
                i
            }));
        }
        let spare = self.vector(self.registers());
        list.push(Instruction::with4(VEX_Vcmpps_ymm_ymm_ymmm256_imm8, spare, value, value, UNORDERED))?;
        list.push(Instruction::with3(VEX_Vandps_ymm_ymm_ymmm256, spare, spare, value))?;
        list.push(Instruction::with3(VEX_Vaddps_ymm_ymm_ymmm256, nans, nans, spare))
    }

    /// Takes in a vector of values, of a half of the lanes where vectors are narrow.
    pub fn fold(self, list: &mut Listing, held: Held, half: u8, value: u8, tail: bool) -> Option<()> {
        if held.fold != Fold::Sum {
            self.note_nans(list, held, value, tail)?;
        }
        let (lanes, value) = (self.vector(held.first + half), self.vector(value));
        let (wide, narrow) = match held.fold {
            Fold::Sum => (EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vaddps_ymm_ymm_ymmm256),
            // Where either is NaN the instruction gives its second operand, which is then noted.
            Fold::Max => (EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vmaxps_ymm_ymm_ymmm256),
            Fold::Min => (EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vminps_ymm_ymm_ymmm256),
        };
        let made = Instruction::with3(if self.wide { wide } else { narrow }, lanes, lanes, value);
        list.push(made.map(|i| rest(i, tail && self.wide, false)))
    }

    /// Takes in one value, the lanes being in the frame; `held`'s registers are free.
    pub fn fold_one(self, list: &mut Listing, held: Held, frame: usize, value: u8) -> Option<()> {
        list.push(Instruction::with2(Mov_r32_rm32, R11D, EAX))?;
        list.push(Instruction::with2(And_rm32_imm8, R11D, LANES as i32 - 1))?;
        let lane = MemoryOperand::with_base_index_scale_displ_size(RSP, TEMPORARY, 4, frame as i64, 1);
        let [spare, value] = [self.registers(), value].map(Vectors::half);
        list.push(Instruction::with2(VEX_Vmovss_xmm_m32, spare, lane))?;
        let op = match held.fold {
            Fold::Sum => {
                list.push(Instruction::with3(VEX_Vaddss_xmm_xmm_xmmm32, spare, spare, value))?;
                return list.push(Instruction::with2(VEX_Vmovss_m32_xmm, lane, spare));
            }
            Fold::Max => VEX_Vmaxss_xmm_xmm_xmmm32,
            Fold::Min => VEX_Vminss_xmm_xmm_xmmm32,
        };
        let [extreme, nan] = [held.first, held.first + 1].map(Vectors::half);
        list.push(Instruction::with3(op, extreme, spare, value))?;
        list.push(Instruction::with4(VEX_Vcmpps_xmm_xmm_xmmm128_imm8, nan, spare, spare, UNORDERED))?;
        list.push(Instruction::with4(VEX_Vblendvps_xmm_xmm_xmmm128_xmm, spare, extreme, spare, nan))?;
        list.push(Instruction::with2(VEX_Vmovss_m32_xmm, lane, spare))
    }

    /// Puts the NaNs that were met into their lanes.
    pub fn settle(self, list: &mut Listing, held: Held) -> Option<()> {
        if held.fold == Fold::Sum {
            return Some(());
        }
        let nans = self.vector(self.nans(held));
        if self.wide {
            let op = EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae;
            list.push(Instruction::with4(op, FOLD_MASK, nans, nans, UNORDERED))?;
            let made = Instruction::with2(EVEX_Vmovaps_zmm_k1z_zmmm512, self.vector(held.first), nans);
            return list.push(made.map(|mut i| {
                i.set_op_mask(FOLD_MASK);
                i
            }));
        }
        let spare = self.vector(self.registers());
        list.push(Instruction::with4(VEX_Vcmpps_ymm_ymm_ymmm256_imm8, spare, nans, nans, UNORDERED))?;
        (0..2).try_for_each(|half| {
            let lanes = self.vector(held.first + half);
            list.push(Instruction::with4(VEX_Vblendvps_ymm_ymm_ymmm256_ymm, lanes, lanes, nans, spare))
        })
    }

    /// Settled lanes to where `base` leads.
    pub fn store_lanes(self, list: &mut Listing, held: Held, base: Register, to: usize) -> Option<()> {
        let op = if self.wide { EVEX_Vmovups_zmmm512_k1z_zmm } else { VEX_Vmovups_ymmm256_ymm };
        (0..self.halves()).try_for_each(|half| {
            let to = at(base, to + 32 * half as usize);
            list.push(Instruction::with2(op, to, self.vector(held.first + half)))
        })
    }

    /// What settled lanes come to, to where `base` leads: lane i and i + 8, i + 4, i + 2, i + 1. The first registers for
    /// values are free.
    pub fn combine(self, list: &mut Listing, held: Held, base: Register) -> Option<()> {
        let merge = |list: &mut Listing, with: Register, narrow: bool| {
            let pick = |full: Op, half: Op| if narrow { half } else { full };
            let (a, nan) = if narrow { (XMM0, XMM2) } else { (YMM0, YMM2) };
            let op = match held.fold {
                Fold::Sum => {
                    let op = pick(VEX_Vaddps_ymm_ymm_ymmm256, VEX_Vaddps_xmm_xmm_xmmm128);
                    return list.push(Instruction::with3(op, a, a, with));
                }
                Fold::Max => pick(VEX_Vmaxps_ymm_ymm_ymmm256, VEX_Vmaxps_xmm_xmm_xmmm128),
                Fold::Min => pick(VEX_Vminps_ymm_ymm_ymmm256, VEX_Vminps_xmm_xmm_xmmm128),
            };
            let compare = pick(VEX_Vcmpps_ymm_ymm_ymmm256_imm8, VEX_Vcmpps_xmm_xmm_xmmm128_imm8);
            let blend = pick(VEX_Vblendvps_ymm_ymm_ymmm256_ymm, VEX_Vblendvps_xmm_xmm_xmmm128_xmm);
            list.push(Instruction::with4(compare, nan, a, a, UNORDERED))?;
            list.push(Instruction::with3(op, with, a, with))?;
            list.push(Instruction::with4(blend, a, with, a, nan))
        };
        if self.wide {
            list.push(Instruction::with3(EVEX_Vextractf32x8_ymmm256_k1z_zmm_imm8, YMM1, self.vector(held.first), 1))?;
            list.push(Instruction::with3(EVEX_Vextractf32x8_ymmm256_k1z_zmm_imm8, YMM0, self.vector(held.first), 0))?;
        } else {
            list.push(Instruction::with2(VEX_Vmovups_ymm_ymmm256, YMM1, self.vector(held.first + 1)))?;
            list.push(Instruction::with2(VEX_Vmovups_ymm_ymmm256, YMM0, self.vector(held.first)))?;
        }
        merge(list, YMM1, false)?;
        list.push(Instruction::with3(VEX_Vextractf128_xmmm128_ymm_imm8, XMM1, YMM0, 1))?;
        merge(list, XMM1, true)?;
        // The upper half of the lanes, then every other one.
        list.push(Instruction::with3(VEX_Vpermilps_xmm_xmmm128_imm8, XMM1, XMM0, 0b1110))?;
        merge(list, XMM1, true)?;
        list.push(Instruction::with3(VEX_Vpermilps_xmm_xmmm128_imm8, XMM1, XMM0, 0b0001))?;
        merge(list, XMM1, true)?;
        list.push(Instruction::with2(VEX_Vmovss_m32_xmm, at(base, 0), XMM0))
    }
}
