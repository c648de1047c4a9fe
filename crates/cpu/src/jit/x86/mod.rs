//! Code for x86-64: the frame of a function and its loop over vectors.

mod body;
mod vectors;

use super::nodes::{Node, Segment};
use body::Body;
use iced_x86::Register::{self, EAX, R8, R9, R10, R11, R12, R13, R14, R15, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP};
use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code as Op, IcedError, Instruction, InstructionBlock, MemoryOperand,
};
use memmap2::{Mmap, MmapMut};
use vectors::Vectors;

/// Machine code and the constants that it reads.
#[derive(Debug)]
pub struct Code {
    memory: Mmap,
    #[expect(dead_code, reason = "the code holds its address")]
    pool: Box<[u32]>,
}

impl Code {
    /// # Safety
    /// As [`super::Function::run`].
    #[inline]
    pub unsafe fn run(&self, n: usize, table: *const *mut u8) {
        // SAFETY: the memory holds a function of this type from its start.
        unsafe {
            let function: unsafe extern "sysv64" fn(usize, *const *mut u8) = std::mem::transmute(self.memory.as_ptr());
            function(n, table);
        }
    }
}

/// Elements so far.
const INDEX: Register = RAX;
/// Elements in all; in the main loop less a vector.
const COUNT: Register = RDI;
const TABLE: Register = RSI;
/// Points to the constants.
const POOL: Register = R15;
/// For what is needed at once.
const TEMPORARY: Register = R11;
/// Hold pointers of the table.
const POINTERS: [Register; 9] = [RCX, RDX, R8, R9, R10, RBX, R12, R13, R14];
/// Must be as they were when the function returns.
const SAVED: [Register; 5] = [RBX, R12, R13, R14, R15];

/// Bytes of the stack that are there together.
const PAGE: usize = 4096;

/// Instructions as they come, with labels.
#[derive(Default)]
struct Listing {
    instructions: Vec<Instruction>,
    labels: u64,
    /// The label of the next instruction.
    pending: Option<u64>,
}

impl Listing {
    fn push(&mut self, instruction: Result<Instruction, IcedError>) -> Option<()> {
        let mut instruction = instruction.ok()?;
        if let Some(label) = self.pending.take() {
            instruction.set_ip(label);
        }
        self.instructions.push(instruction);
        Some(())
    }

    fn label(&mut self) -> u64 {
        self.labels += 1;
        self.labels
    }

    /// The next instruction is where jumps to `label` go. There must be one.
    fn place(&mut self, label: u64) -> Option<()> {
        if self.pending.is_some() {
            self.push(Ok(Instruction::with(Op::Nopd)))?;
        }
        self.pending = Some(label);
        Some(())
    }

    fn jump(&mut self, op: Op, label: u64) -> Option<()> {
        self.push(Instruction::with_branch(op, label))
    }
}

fn at(base: Register, displacement: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(base, displacement as i64)
}

/// Assembles a function over vectors of 512 bits, or of 256.
pub fn assemble(segment: &Segment, wide: bool) -> Option<Code> {
    /// Most folds of a segment: they keep their registers.
    const FOLDS: usize = 6;
    if segment.folds.len() > if wide { FOLDS } else { 0 } {
        return None;
    }
    let vectors = Vectors { wide };
    let mut pool = vectors.pool();
    let constants = |pool: &mut Vec<u32>, bits: u32| {
        let start = pool.len();
        pool.resize(start + if wide { 1 } else { 8 }, bits);
        start * 4
    };
    let slots: Vec<usize> = segment
        .nodes
        .iter()
        .map(|node| if let Node::Bits(bits) = *node { constants(&mut pool, bits) } else { 0 })
        .collect();
    let pool = pool.into_boxed_slice();

    // The bodies come first, since the frame holds what they spill.
    let body = |tail: bool| {
        let (mut body, mut own) = (Body::new(segment, vectors, &slots), Listing::default());
        body.emit(&mut own, tail)?;
        Some((body, own.instructions))
    };
    let ((main, each), (tail, last)) = (body(false)?, body(true)?);
    let size = main.frame.max(tail.frame);

    let mut list = Listing::default();
    list.push(Instruction::with1(Op::Push_r64, RBP))?;
    list.push(Instruction::with2(Op::Mov_r64_rm64, RBP, RSP))?;
    for register in SAVED {
        list.push(Instruction::with1(Op::Push_r64, register))?;
    }
    // A stack may grow by one page at a time only.
    for page in (PAGE..=size).step_by(PAGE) {
        list.push(Instruction::with2(Op::Or_rm64_imm8, MemoryOperand::with_base_displ(RSP, -(page as i64)), 0))?;
    }
    list.push(Instruction::with2(Op::Sub_rm64_imm32, RSP, size as i32))?;
    list.push(Instruction::with2(Op::And_rm64_imm8, RSP, -64))?;
    list.push(Instruction::with2(Op::Mov_r64_imm64, POOL, pool.as_ptr() as u64))?;
    main.load_fixed(&mut list)?;
    list.push(Instruction::with2(Op::Xor_r32_rm32, EAX, EAX))?;

    let (again, rest, done) = (list.label(), list.label(), list.label());
    let lanes = vectors.lanes() as i32;
    list.push(Instruction::with2(Op::Sub_rm64_imm8, COUNT, lanes))?;
    list.jump(Op::Jb_rel32_64, rest)?;
    list.place(again)?;
    each.into_iter().try_for_each(|i| list.push(Ok(i)))?;
    list.push(Instruction::with2(Op::Add_rm64_imm8, INDEX, lanes))?;
    list.push(Instruction::with2(Op::Cmp_r64_rm64, INDEX, COUNT))?;
    list.jump(Op::Jbe_rel32_64, again)?;

    list.place(rest)?;
    list.push(Instruction::with2(Op::Add_rm64_imm8, COUNT, lanes))?;
    list.push(Instruction::with2(Op::Cmp_r64_rm64, INDEX, COUNT))?;
    list.jump(Op::Jae_rel32_64, done)?;
    let one_by_one = list.label();
    if wide {
        vectors.mask_rest(&mut list)?;
    } else {
        list.place(one_by_one)?;
    }
    last.into_iter().try_for_each(|i| list.push(Ok(i)))?;
    if !wide {
        list.push(Instruction::with2(Op::Add_rm64_imm8, INDEX, 1))?;
        list.push(Instruction::with2(Op::Cmp_r64_rm64, INDEX, COUNT))?;
        list.jump(Op::Jb_rel32_64, one_by_one)?;
    }

    list.place(done)?;
    main.store_lanes(&mut list)?;
    list.push(Instruction::with2(Op::Lea_r64_m, RSP, MemoryOperand::with_base_displ(RBP, -8 * SAVED.len() as i64)))?;
    for &register in SAVED.iter().rev() {
        list.push(Instruction::with1(Op::Pop_r64, register))?;
    }
    list.push(Instruction::with1(Op::Pop_r64, RBP))?;
    list.push(Ok(Instruction::with(Op::VEX_Vzeroupper)))?;
    list.push(Ok(Instruction::with(Op::Retnq)))?;
    let memory = executable(&list.instructions)?;
    Some(Code { memory, pool })
}

/// The instructions' bytes where they can be run.
fn executable(instructions: &[Instruction]) -> Option<Mmap> {
    let block = InstructionBlock::new(instructions, 0);
    // Jumps are relative, so that code runs wherever it lies.
    let bytes = BlockEncoder::encode(64, block, BlockEncoderOptions::NONE).ok()?.code_buffer;
    let mut memory = MmapMut::map_anon(bytes.len()).ok()?;
    memory.copy_from_slice(&bytes);
    memory.make_exec().ok()
}
