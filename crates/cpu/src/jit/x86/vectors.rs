//! Instructions on vectors of 512 bits (AVX-512) and 256 (AVX2).

use super::super::nodes::{Binary, Compare, Join, Unary};
use super::{COUNT, INDEX, Listing, POOL, TEMPORARY, at};
use iced_x86::Code::{self as Op, *};
use iced_x86::Register::{self, K0, K1, R11D, RSP, XMM0, YMM0, ZMM0};
use iced_x86::{Instruction, MemoryOperand};

/// Lanes that the tail of a run has are marked in this mask.
const REST: Register = K1;
/// Mask registers for values: 0 can't mask, 1 marks the rest, and the last is for folds.
const FIRST_MASK: u32 = 2;
pub const MASKS: u32 = 5;
/// Where the pool has ones for storing masks as bytes; before them it has the masks of 0 to 15 lanes.
const ONES: usize = 32;
/// Where it has infinity, and minus infinity.
pub const INFINITIES: usize = 48;

/// The last operand of an instruction.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Register(u8),
    /// Byte offset in the pool.
    Pool(usize),
    /// Byte offset in the frame.
    Frame(usize),
}

#[derive(Clone, Copy)]
pub struct Vectors {
    pub wide: bool,
    /// Elements between the index and the vector's first one.
    pub offset: usize,
}

impl Vectors {
    pub fn lanes(self) -> usize {
        if self.wide { 16 } else { 8 }
    }

    /// Bytes of a vector.
    pub fn bytes(self) -> usize {
        4 * self.lanes()
    }

    /// Vector registers for values; the one after them is for what an instruction needs at once.
    pub fn registers(self) -> u8 {
        if self.wide { 31 } else { 15 }
    }

    /// Where the vector's elements of `size` bytes lie.
    fn elements(self, base: Register, size: usize) -> MemoryOperand {
        MemoryOperand::with_base_index_scale_displ_size(base, INDEX, size as u32, (self.offset * size) as i64, 1)
    }

    fn spare(self) -> Register {
        XMM0 + u32::from(self.registers())
    }

    /// What the pool begins with.
    pub fn pool(self) -> Vec<u32> {
        let masks = (0..8).map(|i| ((1u32 << (2 * i)) - 1) | (((1u32 << (2 * i + 1)) - 1) << 16));
        masks.chain([0x0101_0101; 4]).chain([f32::INFINITY, f32::NEG_INFINITY].map(f32::to_bits)).collect()
    }

    pub fn vector(self, register: u8) -> Register {
        if self.wide { ZMM0 + u32::from(register) } else { YMM0 + u32::from(register) }
    }

    pub fn half(register: u8) -> Register {
        XMM0 + u32::from(register)
    }

    fn mask(register: u8) -> Register {
        K0 + FIRST_MASK + u32::from(register)
    }

    fn memory(self, source: Source) -> MemoryOperand {
        match source {
            Source::Pool(offset) => at(POOL, offset),
            Source::Frame(offset) => at(RSP, offset),
            Source::Register(_) => unreachable!("a register is no memory"),
        }
    }

    /// `op dst, source`, with an immediate where there is one.
    fn two(self, list: &mut Listing, op: Op, dst: Register, source: Source, imm: Option<u8>) -> Option<()> {
        let made = match (source, imm) {
            (Source::Register(r), None) => Instruction::with2(op, dst, self.vector(r)),
            (Source::Register(r), Some(imm)) => Instruction::with3(op, dst, self.vector(r), u32::from(imm)),
            (memory, None) => Instruction::with2(op, dst, self.memory(memory)),
            (memory, Some(imm)) => Instruction::with3(op, dst, self.memory(memory), u32::from(imm)),
        };
        self.finish(list, made, source)
    }

    /// `op dst, a, source`, likewise.
    fn three(self, list: &mut Listing, op: Op, dst: Register, a: u8, source: Source, imm: Option<u8>) -> Option<()> {
        let a = self.vector(a);
        let made = match (source, imm) {
            (Source::Register(r), None) => Instruction::with3(op, dst, a, self.vector(r)),
            (Source::Register(r), Some(imm)) => Instruction::with4(op, dst, a, self.vector(r), u32::from(imm)),
            (memory, None) => Instruction::with3(op, dst, a, self.memory(memory)),
            (memory, Some(imm)) => Instruction::with4(op, dst, a, self.memory(memory), u32::from(imm)),
        };
        self.finish(list, made, source)
    }

    /// The pool has each constant once where instructions can spread it.
    fn finish(self, list: &mut Listing, made: Result<Instruction, iced_x86::IcedError>, source: Source) -> Option<()> {
        list.push(made.map(|mut instruction| {
            instruction.set_is_broadcast(self.wide && matches!(source, Source::Pool(_)));
            instruction
        }))
    }

    /// Marks the lanes from the index to the count.
    pub fn mask_rest(self, list: &mut Listing) -> Option<()> {
        list.push(Instruction::with2(Mov_r64_rm64, TEMPORARY, COUNT))?;
        list.push(Instruction::with2(Sub_r64_rm64, TEMPORARY, INDEX))?;
        let mask = MemoryOperand::with_base_index_scale(POOL, TEMPORARY, 2);
        list.push(Instruction::with2(VEX_Kmovw_kr_km16, REST, mask))
    }

    /// A constant or a spilled value into a register.
    pub fn fetch(self, list: &mut Listing, dst: u8, source: Source) -> Option<()> {
        let op = match (self.wide, source) {
            (true, Source::Pool(_)) => {
                return list.push(Instruction::with2(
                    EVEX_Vbroadcastss_zmm_k1z_xmmm32,
                    self.vector(dst),
                    self.memory(source),
                ));
            }
            (true, _) => EVEX_Vmovups_zmm_k1z_zmmm512,
            (false, _) => VEX_Vmovups_ymm_ymmm256,
        };
        self.two(list, op, self.vector(dst), source, None)
    }

    /// A register into the frame.
    pub fn spill(self, list: &mut Listing, frame: usize, src: u8) -> Option<()> {
        let op = if self.wide { EVEX_Vmovups_zmmm512_k1z_zmm } else { VEX_Vmovups_ymmm256_ymm };
        list.push(Instruction::with2(op, at(RSP, frame), self.vector(src)))
    }

    pub fn spill_mask(self, list: &mut Listing, frame: usize, src: u8) -> Option<()> {
        list.push(Instruction::with2(VEX_Kmovw_m16_kr, at(RSP, frame), Self::mask(src)))
    }

    pub fn fetch_mask(self, list: &mut Listing, dst: u8, frame: usize) -> Option<()> {
        list.push(Instruction::with2(VEX_Kmovw_kr_km16, Self::mask(dst), at(RSP, frame)))
    }

    /// The element at `from` in all lanes.
    pub fn spread(self, list: &mut Listing, dst: u8, from: MemoryOperand) -> Option<()> {
        let op = if self.wide { EVEX_Vbroadcastss_zmm_k1z_xmmm32 } else { VEX_Vbroadcastss_ymm_m32 };
        list.push(Instruction::with2(op, self.vector(dst), from))
    }

    pub fn load(self, list: &mut Listing, dst: u8, base: Register, tail: bool) -> Option<()> {
        let from = self.elements(base, 4);
        match (self.wide, tail) {
            (true, _) => {
                let made = Instruction::with2(EVEX_Vmovups_zmm_k1z_zmmm512, self.vector(dst), from);
                list.push(made.map(|i| rest(i, tail, true)))
            }
            (false, false) => list.push(Instruction::with2(VEX_Vmovups_ymm_ymmm256, self.vector(dst), from)),
            (false, true) => list.push(Instruction::with2(VEX_Vmovss_xmm_m32, Self::half(dst), from)),
        }
    }

    /// Whole vectors past the caches with `streamed`, where they start with a line.
    pub fn store(self, list: &mut Listing, base: Register, src: u8, tail: bool, streamed: bool) -> Option<()> {
        let to = self.elements(base, 4);
        match (self.wide, tail) {
            (true, false) if streamed => list.push(Instruction::with2(EVEX_Vmovntps_m512_zmm, to, self.vector(src))),
            (false, false) if streamed => list.push(Instruction::with2(VEX_Vmovntps_m256_ymm, to, self.vector(src))),
            (true, _) => {
                let made = Instruction::with2(EVEX_Vmovups_zmmm512_k1z_zmm, to, self.vector(src));
                list.push(made.map(|i| rest(i, tail, false)))
            }
            (false, false) => list.push(Instruction::with2(VEX_Vmovups_ymmm256_ymm, to, self.vector(src))),
            (false, true) => list.push(Instruction::with2(VEX_Vmovss_m32_xmm, to, Self::half(src))),
        }
    }

    /// Bytes into the mask `dst`.
    pub fn load_mask(self, list: &mut Listing, dst: u8, base: Register, tail: bool) -> Option<()> {
        let from = self.elements(base, 1);
        let spare = self.spare();
        if self.wide {
            let made = Instruction::with2(EVEX_Vmovdqu8_xmm_k1z_xmmm128, spare, from);
            list.push(made.map(|i| rest(i, tail, true)))?;
            return list.push(Instruction::with3(EVEX_Vptestmb_kr_k1_xmm_xmmm128, Self::mask(dst), spare, spare));
        }
        if tail {
            // The lanes above the one that counts become zero.
            list.push(Instruction::with2(Movzx_r32_rm8, R11D, from))?;
            list.push(Instruction::with2(VEX_Vmovd_xmm_rm32, Self::half(dst), R11D))?;
        } else {
            list.push(Instruction::with2(VEX_Vpmovzxbd_ymm_xmmm64, self.vector(dst), from))?;
        }
        list.push(Instruction::with3(VEX_Vpxor_xmm_xmm_xmmm128, spare, spare, spare))?;
        let (dst, zero) = (self.vector(dst), self.vector(self.registers()));
        list.push(Instruction::with3(VEX_Vpcmpgtd_ymm_ymm_ymmm256, dst, dst, zero))
    }

    /// The mask as bytes of 0 and 1.
    pub fn store_mask(self, list: &mut Listing, base: Register, src: u8, tail: bool) -> Option<()> {
        let to = self.elements(base, 1);
        let spare = self.spare();
        let ones = at(POOL, ONES);
        if self.wide {
            let made = Instruction::with2(EVEX_Vmovdqu8_xmm_k1z_xmmm128, spare, ones);
            list.push(made.map(|mut i| {
                i.set_op_mask(Self::mask(src));
                i.set_zeroing_masking(true);
                i
            }))?;
            let made = Instruction::with2(EVEX_Vmovdqu8_xmmm128_k1z_xmm, to, spare);
            return list.push(made.map(|i| rest(i, tail, false)));
        }
        // Lanes of all bits or none become bytes with saturation.
        list.push(Instruction::with3(VEX_Vextracti128_xmmm128_ymm_imm8, spare, self.vector(src), 1))?;
        list.push(Instruction::with3(VEX_Vpackssdw_xmm_xmm_xmmm128, spare, Self::half(src), spare))?;
        list.push(Instruction::with3(VEX_Vpacksswb_xmm_xmm_xmmm128, spare, spare, spare))?;
        list.push(Instruction::with3(VEX_Vpand_xmm_xmm_xmmm128, spare, spare, ones))?;
        match tail {
            false => list.push(Instruction::with2(VEX_Vmovq_xmmm64_xmm, to, spare)),
            true => list.push(Instruction::with3(VEX_Vpextrb_r32m8_xmm_imm8, to, spare, 0)),
        }
    }

    /// Asks for the line that the elements of 32 bits behind `base` lie in.
    pub fn ask(self, list: &mut Listing, base: Register) -> Option<()> {
        list.push(Instruction::with1(Prefetcht1_m8, self.elements(base, 4)))
    }

    pub fn copy(self, list: &mut Listing, dst: u8, src: u8) -> Option<()> {
        let op = if self.wide { EVEX_Vmovaps_zmm_k1z_zmmm512 } else { VEX_Vmovaps_ymm_ymmm256 };
        list.push(Instruction::with2(op, self.vector(dst), self.vector(src)))
    }

    pub fn unary(self, list: &mut Listing, op: Unary, dst: u8, source: Source) -> Option<()> {
        let rounding =
            |mode: u8| (EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae, VEX_Vroundps_ymm_ymmm256_imm8, Some(mode));
        let (wide, narrow, imm) = match op {
            Unary::Sqrt => (EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, VEX_Vsqrtps_ymm_ymmm256, None),
            Unary::ToFloat => (EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, VEX_Vcvtdq2ps_ymm_ymmm256, None),
            // 8: no exception for inexact results.
            Unary::Round => rounding(8),
            Unary::Floor => rounding(8 + 1),
            Unary::Ceil => rounding(8 + 2),
            Unary::Trunc => rounding(8 + 3),
            Unary::ShiftLeft(by) => (EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8, VEX_Vpslld_ymm_ymm_imm8, Some(by)),
            Unary::ShiftRight(by) => (EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8, VEX_Vpsrad_ymm_ymm_imm8, Some(by)),
        };
        self.two(list, if self.wide { wide } else { narrow }, self.vector(dst), source, imm)
    }

    pub fn binary(self, list: &mut Listing, op: Binary, dst: u8, a: u8, b: Source) -> Option<()> {
        let (wide, narrow) = match op {
            Binary::Add => (EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vaddps_ymm_ymm_ymmm256),
            Binary::Sub => (EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vsubps_ymm_ymm_ymmm256),
            Binary::Mul => (EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vmulps_ymm_ymm_ymmm256),
            Binary::Div => (EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vdivps_ymm_ymm_ymmm256),
            Binary::Greater => (EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vmaxps_ymm_ymm_ymmm256),
            Binary::Smaller => (EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae, VEX_Vminps_ymm_ymm_ymmm256),
            Binary::And => (EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, VEX_Vpand_ymm_ymm_ymmm256),
            Binary::Or => (EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, VEX_Vpor_ymm_ymm_ymmm256),
            Binary::Xor => (EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, VEX_Vpxor_ymm_ymm_ymmm256),
            Binary::AddInt => (EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, VEX_Vpaddd_ymm_ymm_ymmm256),
            Binary::SubInt => (EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, VEX_Vpsubd_ymm_ymm_ymmm256),
        };
        self.three(list, if self.wide { wide } else { narrow }, self.vector(dst), a, b, None)
    }

    /// `a · 2^b`; `None` for narrow vectors.
    pub fn scale(self, list: &mut Listing, dst: u8, a: u8, b: Source) -> Option<()> {
        let op = self.wide.then_some(EVEX_Vscalefps_zmm_k1z_zmm_zmmm512b32_er)?;
        self.three(list, op, self.vector(dst), a, b, None)
    }

    /// `dst · b + c`.
    pub fn mul_add(self, list: &mut Listing, dst: u8, b: u8, c: Source) -> Option<()> {
        let (wide, narrow) = (EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er, VEX_Vfmadd213ps_ymm_ymm_ymmm256);
        self.three(list, if self.wide { wide } else { narrow }, self.vector(dst), b, c, None)
    }

    /// Into a mask register, or a vector of all bits or none.
    pub fn compare(self, list: &mut Listing, op: Compare, dst: u8, a: u8, b: Source) -> Option<()> {
        // Predicates of comparisons that raise no exception for a quiet NaN.
        let (predicate, int) = match op {
            Compare::Equal => (0, false),
            Compare::NotEqual => (4, false),
            Compare::Less => (17, false),
            Compare::LessEqual => (18, false),
            Compare::Unordered => (3, false),
            Compare::EqualInt => (0, true),
            Compare::LessInt => (1, true),
        };
        match (self.wide, int) {
            (true, false) => {
                let op = EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae;
                self.three(list, op, Self::mask(dst), a, b, Some(predicate))
            }
            (true, true) => {
                self.three(list, EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, Self::mask(dst), a, b, Some(predicate))
            }
            (false, false) => {
                self.three(list, VEX_Vcmpps_ymm_ymm_ymmm256_imm8, self.vector(dst), a, b, Some(predicate))
            }
            // `a < b` as `b > a`: the caller has turned the operands.
            (false, true) => {
                let op = if predicate == 0 { VEX_Vpcmpeqd_ymm_ymm_ymmm256 } else { VEX_Vpcmpgtd_ymm_ymm_ymmm256 };
                self.three(list, op, self.vector(dst), a, b, None)
            }
        }
    }

    /// Of mask registers; vectors are joined by [`Vectors::binary`].
    pub fn join(self, list: &mut Listing, op: Join, dst: u8, a: u8, b: u8) -> Option<()> {
        let op = match op {
            Join::And => VEX_Kandw_kr_kr_kr,
            Join::Or => VEX_Korw_kr_kr_kr,
            Join::Xor => VEX_Kxorw_kr_kr_kr,
        };
        list.push(Instruction::with3(op, Self::mask(dst), Self::mask(a), Self::mask(b)))
    }

    /// Of a mask in a mask register, or in a vector.
    pub fn not(self, list: &mut Listing, dst: u8, a: u8) -> Option<()> {
        if self.wide {
            return list.push(Instruction::with2(VEX_Knotw_kr_kr, Self::mask(dst), Self::mask(a)));
        }
        let ones = self.vector(self.registers());
        list.push(Instruction::with3(VEX_Vpcmpeqd_ymm_ymm_ymmm256, ones, ones, ones))?;
        list.push(Instruction::with3(VEX_Vpxor_ymm_ymm_ymmm256, self.vector(dst), self.vector(a), ones))
    }

    pub fn select(self, list: &mut Listing, dst: u8, mask: u8, a: Source, b: u8) -> Option<()> {
        if !self.wide {
            let (dst, b, mask) = (self.vector(dst), self.vector(b), self.vector(mask));
            let op = VEX_Vblendvps_ymm_ymm_ymmm256_ymm;
            return match a {
                Source::Register(a) => list.push(Instruction::with4(op, dst, b, self.vector(a), mask)),
                memory => list.push(Instruction::with4(op, dst, b, self.memory(memory), mask)),
            };
        }
        let before = list.instructions.len();
        self.three(list, EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32, self.vector(dst), b, a, None)?;
        list.instructions[before].set_op_mask(Self::mask(mask));
        Some(())
    }
}

/// Only the lanes that the tail has.
pub fn rest(mut instruction: Instruction, tail: bool, zeroing: bool) -> Instruction {
    if tail {
        instruction.set_op_mask(REST);
        instruction.set_zeroing_masking(zeroing);
    }
    instruction
}
