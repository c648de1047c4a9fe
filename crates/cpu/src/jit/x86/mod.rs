//! Code for x86-64: the frame of a function and its loop over vectors.

mod body;
mod fixed;
mod folds;
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
    /// As [`super::Function::run_rows`].
    #[inline]
    pub unsafe fn run(&self, n: usize, table: *mut *mut u8, rows: usize, steps: *const isize) {
        type Entry = unsafe extern "sysv64" fn(usize, *mut *mut u8, usize, *const isize);
        // SAFETY: the memory holds a function of this type from its start.
        unsafe {
            let function: Entry = std::mem::transmute(self.memory.as_ptr());
            function(n, table, rows, steps);
        }
    }
}

/// Elements so far.
const INDEX: Register = RAX;
/// Elements in all; in the main loop less a vector.
const COUNT: Register = RDI;
const TABLE: Register = RSI;
/// How many rows there are, and how far pointers move from row to row, when the function begins.
const ROWS: Register = RDX;
const STEPS: Register = RCX;
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
    let vectors = Vectors { wide, offset: 0 };
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

    // The bodies come first, since the frame holds what they spill. Lanes of folds are two narrow vectors.
    let halves = if wide || segment.folds.is_empty() { 1 } else { 2 };
    let body = |half: usize, tail: bool| {
        let vectors = Vectors { offset: half * vectors.lanes(), ..vectors };
        let (mut body, mut own) = (Body::new(segment, vectors, &slots), Listing::default());
        body.emit(&mut own, half, tail)?;
        Some((body, own.instructions))
    };
    let (tail, last) = body(0, true)?;
    let (main, mut each) = body(0, false)?;
    let mut size = main.frame.max(tail.frame);
    for half in 1..halves {
        let (body, own) = body(half, false)?;
        size = size.max(body.frame);
        each.extend(own);
    }
    let (left, steps) = (size, size + 8);
    size += 16;

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
    list.push(Instruction::with2(Op::Mov_rm64_r64, at(RSP, left), ROWS))?;
    list.push(Instruction::with2(Op::Mov_rm64_r64, at(RSP, steps), STEPS))?;
    list.push(Instruction::with2(Op::Mov_r64_imm64, POOL, pool.as_ptr() as u64))?;
    main.load_constants(&mut list)?;

    let (row, end) = (list.label(), list.label());
    list.place(row)?;
    main.load_row(&mut list)?;
    list.push(Instruction::with2(Op::Xor_r32_rm32, EAX, EAX))?;
    let (again, rest, done) = (list.label(), list.label(), list.label());
    let lanes = (halves * vectors.lanes()) as i32;
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
        main.lanes_to_frame(&mut list)?;
        list.place(one_by_one)?;
    }
    last.into_iter().try_for_each(|i| list.push(Ok(i)))?;
    if !wide {
        list.push(Instruction::with2(Op::Add_rm64_imm8, INDEX, 1))?;
        list.push(Instruction::with2(Op::Cmp_r64_rm64, INDEX, COUNT))?;
        list.jump(Op::Jb_rel32_64, one_by_one)?;
        main.lanes_from_frame(&mut list)?;
    }

    list.place(done)?;
    main.end_row(&mut list)?;
    list.push(Instruction::with1(Op::Dec_rm64, at(RSP, left)))?;
    list.jump(Op::Je_rel32_64, end)?;
    list.push(Instruction::with2(Op::Mov_r64_rm64, TEMPORARY, at(RSP, steps)))?;
    for entry in segment.entries() {
        let entry = 8 * entry as usize;
        list.push(Instruction::with2(Op::Mov_r64_rm64, INDEX, at(TEMPORARY, entry)))?;
        list.push(Instruction::with2(Op::Add_rm64_r64, at(TABLE, entry), INDEX))?;
    }
    list.jump(Op::Jmp_rel32_64, row)?;
    list.place(end)?;
    main.store_lanes(&mut list)?;
    list.push(Instruction::with2(Op::Lea_r64_m, RSP, MemoryOperand::with_base_displ(RBP, -8 * SAVED.len() as i64)))?;
    for &register in SAVED.iter().rev() {
        list.push(Instruction::with1(Op::Pop_r64, register))?;
    }
    list.push(Instruction::with1(Op::Pop_r64, RBP))?;
    if segment.stores.iter().any(|s| s.streamed) {
        // What went past the caches is seen before whatever says that it is there.
        list.push(Ok(Instruction::with(Op::Sfence)))?;
    }
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
