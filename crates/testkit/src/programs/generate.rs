//! Drawing a program from a seed.

use super::random::Random;
use super::{Program, Register, Source, Statement};
use fovea_core::op::{DynOp, TensorType};
use fovea_core::sample::{Arrangement, Domain, DynSample, SampleInput};
use fovea_core::{DType, Shape};
use std::sync::Arc;

/// An op with its samples.
pub(super) struct Word {
    pub samples: Vec<DynSample>,
    /// The input that is a random key.
    pub key: Option<usize>,
}

/// The ops that programs are made of.
pub struct Vocabulary {
    pub names: Vec<&'static str>,
    pub(super) words: Vec<Word>,
    /// Scalar ops without attributes, with their number of inputs.
    pub(super) scalars: Vec<(Arc<dyn DynOp>, usize)>,
}

impl Vocabulary {
    /// Every op of Fovea.
    pub fn all() -> Vocabulary {
        let ops = fovea_ops::all();
        let word = |def: &fovea_core::op::OpDef| Word {
            samples: (def.samples)(),
            key: def.inputs.iter().position(|i| i.name == "key"),
        };
        let scalars = fovea_ops::scalar::ops();
        let scalars = scalars.iter().filter(|def| def.attributes.is_empty());
        Vocabulary {
            names: ops.iter().map(|def| def.name).collect(),
            words: ops.iter().map(word).collect(),
            scalars: scalars.map(|def| ((def.samples)()[0].op.clone(), def.inputs.len())).collect(),
        }
    }

    pub(super) fn scalar(&self, name: &str) -> Arc<dyn DynOp> {
        match self.scalars.iter().find(|(op, _)| op.name() == name) {
            Some((op, _)) => op.clone(),
            None => panic!("no scalar op {name}"),
        }
    }
}

/// Shapes around the lengths of vectors and their tails.
const SHAPES: [&[usize]; 22] = [
    &[],
    &[1],
    &[15],
    &[16],
    &[17],
    &[33],
    &[511],
    &[512],
    &[513],
    &[3, 17],
    &[17, 3],
    &[16, 33],
    &[1, 15],
    &[15, 1],
    &[2, 3, 5],
    &[4, 1, 16],
    &[33, 1, 17],
    &[2, 2, 3, 4],
    &[8, 8],
    &[1, 513],
    &[0, 3],
    &[7, 73],
];

/// Shapes on both sides of where work is split among threads.
const LARGE: [&[usize]; 6] = [&[32768], &[32767], &[33001], &[181, 182], &[2, 16411], &[16400, 2]];

/// A value that may be read.
#[derive(Clone, Copy)]
pub(super) struct Live {
    pub register: Register,
    pub ty: TensorType,
    pub grad: bool,
}

#[derive(Clone, Copy)]
struct Named {
    register: Register,
    ty: TensorType,
    grad: bool,
}

pub(super) struct Generator<'a> {
    pub random: Random,
    pub vocabulary: &'a Vocabulary,
    pub statements: Vec<Statement>,
    pub live: Vec<Live>,
    variables: Vec<Named>,
    next: Register,
    large: bool,
}

/// The program of this seed.
pub fn generate(vocabulary: &Vocabulary, seed: u64) -> Program {
    let mut random = Random::new(seed);
    let large = random.chance(3);
    let inside = random.chance(75);
    let calls = if large { 6 + random.below(8) } else { 12 + random.below(20) };
    let (statements, live, variables) = Default::default();
    let mut g = Generator { random, vocabulary, statements, live, variables, next: 0, large };
    for _ in 0..1 + g.random.below(3) {
        g.variable();
    }
    for _ in 0..1 + g.random.below(3) {
        let (dtype, shape) = (g.float(), g.shape());
        g.leaf(dtype, shape);
    }
    for _ in 0..calls {
        g.statement();
    }
    g.close();
    Program { seed, inside, statements: g.statements }
}

impl Generator<'_> {
    /// The most elements that a value may have.
    pub fn limit(&self) -> usize {
        if self.large { 70_000 } else { 6_000 }
    }

    pub fn float(&mut self) -> DType {
        if self.random.chance(80) { DType::F32 } else { DType::F64 }
    }

    pub fn shape(&mut self) -> Shape {
        let large = self.large && self.random.chance(60);
        let shapes: &[&[usize]] = if large { &LARGE } else { &SHAPES };
        let shape = *self.random.pick(shapes);
        Shape::new(shape)
    }

    pub fn register(&mut self) -> Register {
        self.next += 1;
        self.next
    }

    pub fn enliven(&mut self, ty: TensorType, grad: bool) -> Live {
        let live = Live { register: self.register(), ty, grad };
        self.live.push(live);
        live
    }

    /// A fresh leaf.
    pub fn leaf(&mut self, dtype: DType, shape: Shape) -> Live {
        let domain = match dtype {
            DType::F32 | DType::F64 => Domain::Uniform(-2.0, 2.0),
            DType::Bool => Domain::Bools,
            DType::U8 => Domain::Integers(0, 9),
            DType::I32 | DType::I64 => Domain::Integers(-4, 9),
        };
        let arrangement = match self.random.below(10) {
            0 => Arrangement::Reversed,
            1 => Arrangement::Strided,
            _ => Arrangement::Contiguous,
        };
        self.leaf_of(dtype, SampleInput { dtype: None, shape, domain, arrangement })
    }

    pub fn leaf_of(&mut self, dtype: DType, input: SampleInput) -> Live {
        // The views that arrange values pass no gradient.
        let contiguous = input.arrangement == Arrangement::Contiguous;
        let grad = dtype.is_float() && contiguous && self.random.chance(50);
        let live = self.enliven(TensorType { dtype, shape: input.shape }, grad);
        let seed = self.random.below(1 << 20);
        self.statements.push(Statement::Leaf { to: live.register, dtype, input, seed, grad });
        live
    }

    fn variable(&mut self) {
        let ty = TensorType { dtype: self.float(), shape: self.shape() };
        let (register, grad) = (self.register(), self.random.chance(85));
        let seed = self.random.below(1 << 20);
        self.statements.push(Statement::Variable { to: register, ty, seed, grad });
        self.variables.push(Named { register, ty, grad });
        self.current();
    }

    fn current(&mut self) -> Live {
        let variable = *self.random.pick(&self.variables);
        let live = self.enliven(variable.ty, variable.grad);
        self.statements.push(Statement::Current { to: live.register, variable: variable.register });
        live
    }

    /// A live value, rather a young one.
    pub fn any(&mut self) -> Live {
        if self.live.is_empty() {
            return self.current();
        }
        let n = self.live.len();
        let at = self.random.below(n).max(self.random.below(n));
        self.live[at]
    }

    /// A live value for which `fits` holds.
    pub fn like(&mut self, fits: impl Fn(&Live) -> bool) -> Option<Live> {
        let found: Vec<Live> = self.live.iter().copied().filter(|l| fits(l)).collect();
        (!found.is_empty()).then(|| *self.random.pick(&found))
    }

    /// A call, where the op takes these inputs and its results are not too large.
    pub fn call(&mut self, op: Arc<dyn DynOp>, inputs: &[Source]) -> Option<Live> {
        let mut types = Vec::with_capacity(inputs.len());
        let mut grad = false;
        for input in inputs {
            types.push(match *input {
                Source::Value(register) => {
                    let live = self.live.iter().find(|l| l.register == register)?;
                    grad |= live.grad;
                    live.ty
                }
                Source::Number(_, dtype) => TensorType::new(dtype, []),
                Source::Key => TensorType::new(DType::I64, []),
            });
        }
        let outputs = op.infer(&types).ok()?;
        if outputs.iter().any(|ty| ty.shape.size() > self.limit()) {
            return None;
        }
        let made: Vec<Live> = outputs.iter().map(|ty| self.enliven(*ty, grad && ty.dtype.is_float())).collect();
        let to = made.iter().map(|l| l.register).collect();
        self.statements.push(Statement::Call { to, op, inputs: inputs.to_vec() });
        made.first().copied()
    }

    fn statement(&mut self) {
        match self.random.below(100) {
            0..=27 => self.sample(),
            28..=75 => self.adapted(),
            76..=78 => {
                let dtype =
                    *self.random.pick(&[DType::F32, DType::F64, DType::I32, DType::Bool, DType::U8, DType::I64]);
                let shape = self.shape();
                self.leaf(dtype, shape);
            }
            79..=80 => {
                self.current();
            }
            81..=83 => self.read(1),
            84 => self.statements.push(Statement::Flush),
            85..=86 => {
                let live = self.any();
                self.statements.push(Statement::Keep(live.register));
            }
            87..=88 => self.drop_one(Statement::Dispose),
            89..=90 => self.drop_one(Statement::Forget),
            91..=93 => self.gradients(),
            94..=95 => self.backward(),
            96..=97 => self.assign(),
            98 => self.descend(),
            _ => {
                let from = self.any();
                let to = self.enliven(from.ty, false).register;
                self.statements.push(Statement::Detach { to, from: from.register });
            }
        }
    }

    fn read(&mut self, most: usize) {
        let count = 1 + self.random.below(most);
        let registers = (0..count).map(|_| self.any().register).collect();
        self.statements.push(Statement::Read(registers));
    }

    fn drop_one(&mut self, statement: impl Fn(Register) -> Statement) {
        if self.live.len() > 2 {
            let at = self.random.below(self.live.len());
            let live = self.live.remove(at);
            self.statements.push(statement(live.register));
        }
    }

    fn root(&mut self) -> Option<Live> {
        let young = self.any();
        if young.grad { Some(young) } else { self.like(|l| l.grad) }
    }

    fn gradients(&mut self) {
        let Some(root) = self.root() else { return };
        let mut inputs: Vec<Live> = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            inputs.extend(self.like(|l| l.grad && l.register < root.register));
        }
        if inputs.is_empty() {
            return;
        }
        let create_graph = self.random.chance(40);
        let to = inputs.iter().map(|l| self.enliven(l.ty, create_graph).register).collect();
        let inputs = inputs.iter().map(|l| l.register).collect();
        self.statements.push(Statement::Gradients { to, root: root.register, inputs, create_graph });
    }

    fn backward(&mut self) {
        if let Some(root) = self.root() {
            self.statements.push(Statement::Backward { root: root.register });
        }
    }

    fn assign(&mut self) {
        let variable = *self.random.pick(&self.variables);
        let value = match self.like(|l| l.ty == variable.ty) {
            Some(live) => live,
            None => self.current(),
        };
        // Tamed, so that values stay numbers.
        let tanh = self.vocabulary.scalar("tanh");
        if value.ty == variable.ty
            && let Some(value) = self.call(tanh, &[Source::Value(value.register)])
        {
            self.statements.push(Statement::Assign { variable: variable.register, value: value.register });
        }
    }

    fn descend(&mut self) {
        let variable = self.random.pick(&self.variables).register;
        let rate = 0.01 * (1 + self.random.below(5)) as f64;
        self.statements.push(Statement::Descend { variable, rate });
        if self.random.chance(50) {
            self.statements.push(Statement::ClearGradient { variable });
        }
    }

    /// A step as in training, and a look at several values together.
    fn close(&mut self) {
        self.backward();
        for variable in self.variables.clone() {
            if self.random.chance(60) {
                self.statements.push(Statement::Descend { variable: variable.register, rate: 0.03 });
            }
        }
        self.read(4);
    }
}
