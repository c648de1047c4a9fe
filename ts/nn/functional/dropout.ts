/** What is dropped at random. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { ones } from '../../tensor/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** Options of {@link dropout} and its kin. */
export interface DropoutOptions {
  /** Whether anything is dropped. Default true. */
  training?: boolean | undefined
}

/** Elements dropped with probability `p`, the others scaled by 1 / (1 - p). */
export function dropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkProbability('dropout', p)
  return options.training === false || p === 0 ? x : ops.dropout(x, p)
}

function checkProbability(op: string, p: number): void {
  if (typeof p !== 'number' || !(p >= 0 && p <= 1)) refuse(op, 'p', 'a number from 0 to 1', p)
}

/** Whole channels of x [N, C, ...] dropped with probability `p`, the others scaled by 1 / (1 - p). */
export function dropout2d(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkProbability('dropout2d', p)
  if (!isTensor(x) || x.rank < 2) refuse('dropout2d', 'x', 'a Tensor of shape [N, C, ...]', x)
  if (options.training === false || p === 0) return x
  const channels = ones(
    x.shape.map((n, i) => (i < 2 ? n : 1)),
    { dtype: x.dtype, device: x.device },
  )
  return ops.mul(x, ops.dropout(channels, p))
}

/**
 * A residual branch x [N, ...] dropped with probability `p`, for each item (row) or for all together (batch), or scaled
 * by 1 / (1 - p). Huang et al. 2016, "Deep Networks with Stochastic Depth", https://arxiv.org/abs/1603.09382
 */
export function stochasticDepth(
  x: Tensor,
  p: number,
  options: DropoutOptions & { mode?: 'row' | 'batch' | undefined } = {},
): Tensor {
  const { mode = 'row', training = true } = options
  checkProbability('stochasticDepth', p)
  if (mode !== 'row' && mode !== 'batch') refuse('stochasticDepth', 'mode', 'row or batch', mode)
  if (!isTensor(x) || x.rank < 1) refuse('stochasticDepth', 'x', 'a Tensor of shape [N, ...]', x)
  if (!training || p === 0) return x
  const items = x.shape.map((n, i) => (i === 0 && mode === 'row' ? n : 1))
  return ops.mul(x, ops.dropout(ones(items, { dtype: x.dtype, device: x.device }), p))
}

/** What SELU tends to far below 0: -λα. */
const SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772

/**
 * Elements set to SELU's lower limit with probability `p`, then scaled and moved so that mean 0 and variance 1 stay.
 * Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
 */
export function alphaDropout(x: Tensor, p = 0.5, options: DropoutOptions = {}): Tensor {
  checkProbability('alphaDropout', p)
  if (options.training === false || p === 0) return x
  if (p === 1) return ops.mul(x, 0)
  const kept = ops.bernoulli(1 - p, x.shape, { dtype: x.dtype })
  const here = kept.device === x.device ? kept : kept.to(x.device)
  const scale = 1 / Math.sqrt((1 - p) * (1 + p * SELU_FLOOR ** 2))
  return ops.add(ops.mul(ops.where(ops.eq(here, 1), x, SELU_FLOOR), scale), -scale * p * SELU_FLOOR)
}
