/** Work that memory bounds: chains, reductions, softmax, losses, normalisation, optimizer steps. */
import { F, grad, nn, optim, randint, randn, type Tensor } from 'fovea'
import { ResNet18 } from '../models.ts'
import { type Bytes, type Case, compute, floats, product, type Running, running } from './case.ts'

const FAMILY = { family: 'elementwise', flops: null, forms: ['contiguous'] } as const

function chain(n: number, backward: boolean): Case {
  const name = n.toExponential().replace('+', '')
  return {
    ...FAMILY,
    name: `elementwise/gelu(a*x+b)+x/n${name}/${backward ? 'fwd+bwd' : 'fwd'}`,
    bytes: backward ? { read: floats(n, n), written: floats(n, n) } : { read: floats(n), written: floats(n) },
    peer: { kind: 'chain', n, backward },
    make() {
      const x = randn([n], { requiresGrad: backward })
      const forward = () => x.mul(1.5).add(0.25).gelu().add(x)
      if (!backward) return running([x], () => compute(forward()))
      const g = randn([n])
      return running([x, g], () => {
        const y = forward()
        compute(y, ...grad(y, x, { gradOutputs: g }))
      })
    },
  }
}

function simple(
  name: string,
  kind: string,
  shape: number[],
  bytes: Bytes,
  f: (x: Tensor) => Tensor,
  dim?: number,
): Case {
  return {
    ...FAMILY,
    name,
    bytes,
    peer: { kind, shape, dim: dim ?? null },
    make() {
      const x = randn(shape)
      return running([x], () => compute(f(x)))
    },
  }
}

function crossEntropy(rows: number, classes: number): Case {
  const n = rows * classes
  return {
    ...FAMILY,
    name: `cross-entropy/${rows}x${classes}/fwd+bwd`,
    bytes: { read: floats(n), written: floats(n) },
    peer: { kind: 'cross_entropy', shape: [rows, classes] },
    make() {
      const x = randn([rows, classes], { requiresGrad: true })
      const target = randint(0, classes, { shape: [rows] })
      return running([x, target], () => {
        const loss = F.crossEntropy(x, target)
        compute(loss, ...grad(loss, x))
      })
    },
  }
}

/** y and the gradients towards x, weight and bias. */
function throughLayer(x: Tensor, g: Tensor, weights: Tensor[], forward: () => Tensor): Promise<Running> {
  return running([x, g], () => {
    const y = forward()
    compute(y, ...grad(y, [x, ...weights], { gradOutputs: g }))
  })
}

function layerNorm(rows: number, width: number): Case {
  const n = rows * width
  return {
    ...FAMILY,
    name: `layer-norm/${rows}x${width}/fwd+bwd`,
    bytes: { read: floats(n, n), written: floats(n, n) },
    peer: { kind: 'layer_norm', shape: [rows, width] },
    make() {
      const x = randn([rows, width], { requiresGrad: true })
      const weight = new nn.Parameter(randn([width]))
      const bias = new nn.Parameter(randn([width]))
      const forward = () => F.layerNorm(x, width, { weight, bias })
      return throughLayer(x, randn([rows, width]), [weight, bias], forward)
    },
  }
}

function batchNorm(shape: number[]): Case {
  const [n, channels, size] = shape as [number, number, number]
  const count = product(shape)
  return {
    ...FAMILY,
    name: `batch-norm/N${n}-C${channels}-${size}/train-fwd+bwd`,
    bytes: { read: floats(count, count), written: floats(count, count) },
    peer: { kind: 'batch_norm', shape },
    forms: ['contiguous', 'channels_last'],
    make() {
      const x = randn(shape, { requiresGrad: true })
      const layer = new nn.BatchNorm2d(channels)
      const forward = () => layer.forward(x)
      return throughLayer(x, randn(shape), [layer.weight!, layer.bias!], forward)
    },
  }
}

const OPTIMIZERS = {
  'sgd-momentum': { make: (p: nn.Parameter[]) => new optim.SGD(p, { lr: 1e-3, momentum: 0.9 }), moments: 1 },
  adam: { make: (p: nn.Parameter[]) => new optim.Adam(p), moments: 2 },
  adamw: { make: (p: nn.Parameter[]) => new optim.AdamW(p), moments: 2 },
} as const

/** A step over parameters of the shapes of a ResNet-18's, whose gradients are there. */
function optimizerStep(name: keyof typeof OPTIMIZERS, shapes: () => number[][]): Case {
  const { make, moments } = OPTIMIZERS[name]
  const sizes = shapes()
  const count = sizes.reduce((sum, shape) => sum + product(shape), 0)
  return {
    ...FAMILY,
    name: `optimizer/${name}/resnet18`,
    bytes: { read: floats(count * (2 + moments)), written: floats(count * (1 + moments)) },
    peer: { kind: 'optimizer', name, shapes: sizes },
    forms: ['plain', 'fused'],
    make() {
      const parameters = sizes.map((shape) => new nn.Parameter(randn(shape)))
      const gradients = sizes.map((shape) => randn(shape))
      parameters.forEach((p, i) => (p.grad = gradients[i]!))
      const optimizer = make(parameters)
      return running([...gradients, ...parameters], () => optimizer.step())
    },
  }
}

function resnetShapes(): number[][] {
  return new ResNet18().parameters().map((p) => [...p.shape])
}

const MILLIONS = 10_000_000
const SQUARE = [4096, 4096]
const WHOLE = product(SQUARE)
const ROWS = [4096, 1024]

export function elementwiseCases(): readonly Case[] {
  return [
    ...[10_000, 1_000_000, MILLIONS].flatMap((n) => [chain(n, false), chain(n, true)]),
    simple('reduce/sum-all-1e7', 'sum', [MILLIONS], { read: floats(MILLIONS), written: 4 }, (x) => x.sum()),
    ...[0, 1].map((dim) => {
      const bytes = { read: floats(WHOLE), written: floats(4096) }
      return simple(`reduce/sum-axis${dim}-4096x4096`, 'sum', SQUARE, bytes, (x) => x.sum({ dim }), dim)
    }),
    simple(
      'softmax/last-axis-4096x1024/fwd',
      'softmax',
      ROWS,
      { read: floats(product(ROWS)), written: floats(product(ROWS)) },
      (x) => x.softmax({ dim: 1 }),
    ),
    crossEntropy(4096, 1000),
    layerNorm(4096, 768),
    batchNorm([64, 64, 28, 28]),
    ...(['sgd-momentum', 'adam', 'adamw'] as const).map((name) => optimizerStep(name, resnetShapes)),
  ]
}
