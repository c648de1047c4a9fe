/** Activations made of other ops. */
import * as ops from '../../generated/ops.ts'
import { refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { TensorLike } from '../../native/write.ts'
import { dimension } from '../../tensor/compose.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** eˣ - 1 below 0, and 0 above, where eˣ could overflow. */
const expm1Below = (x: TensorLike) => ops.expm1(ops.minimum(x, 0))

/** min(max(x, 0), 6); no gradient at the bounds. */
export function relu6(x: TensorLike): Tensor {
  return hardtanh(x, 0, 6)
}

/** max(x, 0) + negativeSlope · min(x, 0). Maas, Hannun and Ng, ICML 2013 workshop. */
export function leakyRelu(x: TensorLike, negativeSlope: TensorLike = 0.01): Tensor {
  return ops.where(ops.gt(x, 0), x, ops.mul(x, negativeSlope))
}

/** x above 0, else α (eˣ - 1). Clevert et al. 2016, https://arxiv.org/abs/1511.07289 */
export function elu(x: TensorLike, alpha: TensorLike = 1): Tensor {
  return ops.where(ops.gt(x, 0), x, ops.mul(expm1Below(x), alpha))
}

/** x above 0, else α (e^(x / α) - 1). Barron 2017, https://arxiv.org/abs/1704.07483 */
export function celu(x: TensorLike, alpha: TensorLike = 1): Tensor {
  return ops.where(ops.gt(x, 0), x, ops.mul(expm1Below(ops.div(x, alpha)), alpha))
}

/** The constants with which activations keep mean 0 and variance 1. */
const [SELU_ALPHA, SELU_SCALE] = [1.6732632423543772, 1.0507009873554805]

/** λ elu(x, α) with the constants of Klambauer et al. 2017, https://arxiv.org/abs/1706.02515 */
export function selu(x: TensorLike): Tensor {
  return ops.mul(elu(x, SELU_ALPHA), SELU_SCALE)
}

/** x tanh(softplus(x)). Misra 2019, https://arxiv.org/abs/1908.08681 */
export function mish(x: TensorLike): Tensor {
  return ops.mul(x, ops.tanh(ops.softplus(x)))
}

/** x / (1 + |x|). */
export function softsign(x: TensorLike): Tensor {
  return ops.div(x, ops.add(ops.abs(x), 1))
}

/** log(1 / (1 + exp(-x))). */
export function logsigmoid(x: TensorLike): Tensor {
  return ops.neg(ops.softplus(ops.neg(x)))
}

/** min(max(x + 3, 0), 6) / 6. */
export function hardsigmoid(x: TensorLike): Tensor {
  return ops.div(relu6(ops.add(x, 3)), 6)
}

/** x limited to [min, max]; no gradient at the bounds. */
export function hardtanh(x: TensorLike, min: TensorLike = -1, max: TensorLike = 1): Tensor {
  const inside = ops.logicalAnd(ops.gt(x, min), ops.lt(x, max))
  return ops.where(inside, x, ops.where(ops.le(x, min), min, max))
}

/** x above `limit`, else `value`. */
export function threshold(x: TensorLike, limit: TensorLike, value: TensorLike): Tensor {
  return ops.where(ops.gt(x, limit), x, value)
}

/**
 * x above 0, else weight · x, with a weight for each channel [C] of x [N, C, ...] or one for all [1]. He et al. 2015,
 * https://arxiv.org/abs/1502.01852. Throws a ShapeError for any other number of weights.
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  if (!isTensor(x)) refuse('prelu', 'x', 'a Tensor', x)
  if (!isTensor(weight)) refuse('prelu', 'weight', 'a Tensor', weight)
  if (weight.size === 1) return leakyRelu(x, ops.reshape(weight, []))
  const channels = x.rank > 1 ? x.shape[1]! : 1
  if (weight.rank !== 1 || weight.size !== channels) {
    const [expected, received] = [`[1] or [${channels}]`, `[${weight.shape.join(', ')}]`]
    throw new ShapeError(`prelu: weight must have shape ${expected}, a number for each channel, got ${received}`, {
      op: 'prelu',
      argument: 'weight',
      expected,
      received,
    })
  }
  return leakyRelu(x, ops.reshape(weight, [-1, ...x.shape.slice(2).map(() => 1)]))
}

/** x beyond ±λ, else 0. */
export function hardshrink(x: TensorLike, lambd = 0.5): Tensor {
  return ops.where(ops.le(ops.abs(x), lambd), 0, x)
}

/** x moved by λ towards 0, which it doesn't pass. */
export function softshrink(x: TensorLike, lambd = 0.5): Tensor {
  if (typeof lambd !== 'number' || !(lambd >= 0)) refuse('softshrink', 'lambd', 'a number from 0 on', lambd)
  return ops.sub(x, ops.clamp(x, { min: -lambd, max: lambd }))
}

/** x - tanh x. */
export function tanhshrink(x: TensorLike): Tensor {
  return ops.sub(x, ops.tanh(x))
}

/** exp(-x) / Σ exp(-x) along a dimension. */
export function softmin(x: Tensor, options: ops.SoftmaxOptions): Tensor {
  return ops.softmax(ops.neg(x), options)
}

/** The first half of a dimension times the sigmoid of the second. Dauphin et al., https://arxiv.org/abs/1612.08083 */
export function glu(x: Tensor, options: { dim?: number } = {}): Tensor {
  if (!isTensor(x)) refuse('glu', 'x', 'a Tensor', x)
  const d = dimension(options.dim ?? -1, x.rank, 'glu')
  const size = x.shape[d]!
  if (size % 2 !== 0) {
    const [expected, received] = ['an even dimension', `${size}`]
    const what = `glu: dimension ${d} of shape [${x.shape.join(', ')}] must be even`
    throw new ShapeError(what, { op: 'glu', argument: 'dim', expected, received })
  }
  const steps = x.shape.map(() => 1)
  const lengths = x.shape.map((n, i) => (i === d ? n / 2 : n))
  const half = (start: number) => {
    const starts = x.shape.map((_, i) => (i === d ? start : 0))
    return ops.slice(x, starts, lengths, steps)
  }
  return ops.mul(half(0), ops.sigmoid(half(size / 2)))
}
