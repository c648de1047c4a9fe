/** Activations with PyTorch's defaults. */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions, type TensorLike } from '../native/write.ts'
import { dimension } from './compose.ts'
import type { Tensor } from './tensor.ts'

/** max(x, 0) + negativeSlope · min(x, 0). Maas et al., "Rectifier nonlinearities improve …", ICML workshop 2013 */
export function leakyRelu(x: TensorLike, negativeSlope: TensorLike = 0.01): Tensor {
  return ops.leakyRelu(x, negativeSlope)
}

/** x above 0, else α (eˣ - 1). Clevert et al., ICLR 2016, https://arxiv.org/abs/1511.07289 */
export function elu(x: TensorLike, alpha: TensorLike = 1): Tensor {
  return ops.elu(x, alpha)
}

/** x above 0, else α (e^(x / α) - 1). Barron 2017, https://arxiv.org/abs/1704.07483 */
export function celu(x: TensorLike, alpha: TensorLike = 1): Tensor {
  return ops.celu(x, alpha)
}

/** x limited to [min, max]; no gradient at the bounds. */
export function hardtanh(x: TensorLike, min: TensorLike = -1, max: TensorLike = 1): Tensor {
  return ops.hardtanh(x, min, max)
}

/**
 * x above 0, else weight · x, with a weight for each channel [C] of x [N, C, ...] or one for all [1]. He et al., ICCV
 * 2015, https://arxiv.org/abs/1502.01852. Throws a ShapeError for any other number of weights.
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  if (!isTensor(x)) refuse('prelu', 'x', 'a Tensor', x)
  if (!isTensor(weight)) refuse('prelu', 'weight', 'a Tensor', weight)
  if (weight.size === 1) return ops.leakyRelu(x, ops.reshape(weight, []))
  const channels = x.rank > 1 ? x.shape[1]! : 1
  if (weight.rank !== 1 || weight.size !== channels) {
    const [expected, received] = [`[1] or [${channels}]`, `[${weight.shape.join(', ')}]`]
    throw new ShapeError(
      `prelu: weight must have shape ${expected}, one number for each channel of x [${x.shape.join(', ')}], got ${received}`,
      { op: 'prelu', argument: 'weight', expected, received },
    )
  }
  return ops.leakyRelu(x, ops.reshape(weight, [-1, ...x.shape.slice(2).map(() => 1)]))
}

/** x beyond ±λ, else 0. */
export function hardshrink(x: Tensor, lambd = 0.5): Tensor {
  return ops.where(ops.le(ops.abs(x), lambd), 0, x)
}

/** x moved by λ towards 0, which it doesn't pass. */
export function softshrink(x: Tensor, lambd = 0.5): Tensor {
  if (typeof lambd !== 'number' || !(lambd >= 0)) refuse('softshrink', 'lambd', 'a number from 0 on', lambd)
  return ops.sub(x, ops.clamp(x, { min: -lambd, max: lambd }))
}

/** x - tanh x. */
export function tanhshrink(x: Tensor): Tensor {
  return ops.sub(x, ops.tanh(x))
}

/** exp(-x) / Σ exp(-x) along a dimension. */
export function softmin(x: Tensor, options: ops.SoftmaxOptions): Tensor {
  return ops.softmax(ops.neg(x), options)
}

/** The first half of a dimension times the sigmoid of the second. Dauphin et al., https://arxiv.org/abs/1612.08083 */
export function glu(x: Tensor, options: { dim?: number } = {}): Tensor {
  if (!isTensor(x)) refuse('glu', 'x', 'a Tensor', x)
  checkOptions(options, 'glu', ['dim'])
  const d = dimension(options.dim ?? -1, x.rank, 'glu')
  const size = x.shape[d]!
  if (size % 2 !== 0) {
    throw new ShapeError(`glu: dimension ${d} of shape [${x.shape.join(', ')}] must be even`, {
      op: 'glu',
      argument: 'dim',
      expected: 'an even dimension',
      received: `${size}`,
    })
  }
  const half = (start: number) =>
    ops.slice(
      x,
      x.shape.map((_, i) => (i === d ? start : 0)),
      x.shape.map((n, i) => (i === d ? size / 2 : n)),
      x.shape.map(() => 1),
    )
  return ops.mul(half(0), ops.sigmoid(half(size / 2)))
}

/** Gaussian error linear unit, exact or approximated through tanh. Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415 */
export function gelu(x: TensorLike, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkOptions(options, 'gelu', ['approximate'])
  const { approximate = 'none' } = options
  if (approximate !== 'none' && approximate !== 'tanh') refuse('gelu', 'approximate', "'none' or 'tanh'", approximate)
  return approximate === 'tanh' ? ops.geluTanh(x) : ops.gelu(x)
}

/** log(1 + e^(β x)) / β. */
export function softplus(x: TensorLike, beta = 1): Tensor {
  if (typeof beta !== 'number' || !(beta > 0)) refuse('softplus', 'beta', 'a number above 0', beta)
  return beta === 1 ? ops.softplus(x) : ops.div(ops.softplus(ops.mul(x, beta)), beta)
}

/**
 * The largest of each `pieces` neighbours along a dimension, C · k by C. Goodfellow et al., ICML 2013,
 * https://arxiv.org/abs/1302.4389
 */
export function maxout(x: Tensor, pieces: number, options: { dim?: number } = {}): Tensor {
  if (!isTensor(x)) refuse('maxout', 'x', 'a Tensor', x)
  checkOptions(options, 'maxout', ['dim'])
  const d = dimension(options.dim ?? -1, x.rank, 'maxout')
  const size = x.shape[d]!
  if (!Number.isSafeInteger(pieces) || pieces < 1) refuse('maxout', 'pieces', 'a whole number from 1 on', pieces)
  if (size % pieces !== 0) {
    throw new ShapeError(`maxout: dimension ${d} of shape [${x.shape.join(', ')}] is no multiple of ${pieces} pieces`, {
      op: 'maxout',
      argument: 'pieces',
      expected: `a divisor of ${size}`,
      received: `${pieces}`,
    })
  }
  const groups = ops.reshape(x, [...x.shape.slice(0, d), size / pieces, pieces, ...x.shape.slice(d + 1)])
  return ops.max(groups, { dim: d + 1 })
}
