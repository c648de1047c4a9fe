/** Losses of predicted numbers and distributions. Each takes the prediction first, the target second. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import type { TensorLike } from '../../native/write.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { fit, type LossOptions, reduce, type Reduction } from './reduction.ts'

function positive(op: string, name: string, value: number, zero = false): void {
  if (Number.isFinite(value) && (zero ? value >= 0 : value > 0)) return
  refuse(op, name, `a finite number ${zero ? 'from 0 on' : 'above 0'}`, value)
}

/** (prediction - target)². */
export function mseLoss(prediction: Tensor, target: TensorLike, options: LossOptions = {}): Tensor {
  fit('mseLoss', prediction, target)
  return reduce(ops.square(ops.sub(prediction, target)), options.reduction, 'mseLoss')
}

/** |prediction - target|. */
export function l1Loss(prediction: Tensor, target: TensorLike, options: LossOptions = {}): Tensor {
  fit('l1Loss', prediction, target)
  return reduce(ops.abs(ops.sub(prediction, target)), options.reduction, 'l1Loss')
}

/** d² / (2 beta) where |d| = |prediction - target| is below `beta` (default 1), |d| - beta / 2 elsewhere. */
export function smoothL1Loss(
  prediction: Tensor,
  target: TensorLike,
  options: LossOptions & { beta?: number | undefined } = {},
): Tensor {
  const { beta = 1, reduction } = options
  fit('smoothL1Loss', prediction, target)
  positive('smoothL1Loss', 'beta', beta, true)
  if (beta === 0) return l1Loss(prediction, target, { reduction })
  const d = ops.sub(prediction, target)
  const size = ops.abs(d)
  const near = ops.mul(ops.square(d), 0.5 / beta)
  return reduce(ops.where(ops.lt(size, beta), near, ops.sub(size, beta / 2)), reduction, 'smoothL1Loss')
}

/**
 * d² / 2 where |d| = |prediction - target| is at most `delta` (default 1), delta (|d| - delta / 2) elsewhere. Huber,
 * "Robust Estimation of a Location Parameter", 1964.
 */
export function huberLoss(
  prediction: Tensor,
  target: TensorLike,
  options: LossOptions & { delta?: number | undefined } = {},
): Tensor {
  const { delta = 1, reduction } = options
  fit('huberLoss', prediction, target)
  positive('huberLoss', 'delta', delta)
  const d = ops.sub(prediction, target)
  const size = ops.abs(d)
  const far = ops.mul(ops.sub(size, delta / 2), delta)
  return reduce(ops.where(ops.le(size, delta), ops.mul(ops.square(d), 0.5), far), reduction, 'huberLoss')
}

/** Options of {@link klDiv}. */
export interface KlOptions {
  /** Default mean, over all elements; batchMean divides the sum by the batch's size, as the definition asks. */
  reduction?: Reduction | 'batchMean' | undefined
  /** Whether the target is given as logarithms too. Default false. */
  logTarget?: boolean | undefined
}

/** Kullback–Leibler divergence t (log t - x) of log-probabilities x from probabilities t; 0 where t is 0. */
export function klDiv(logProbabilities: Tensor, target: Tensor, options: KlOptions = {}): Tensor {
  const { reduction, logTarget = false } = options
  fit('klDiv', logProbabilities, target)
  const loss = logTarget
    ? ops.mul(ops.exp(target), ops.sub(target, logProbabilities))
    : ops.sub(timesLog(target), ops.mul(target, logProbabilities))
  if (reduction !== 'batchMean') return reduce(loss, reduction, 'klDiv')
  return ops.div(ops.sum(loss), logProbabilities.shape[0] ?? 1)
}

/** x log x, 0 where x is 0. */
function timesLog(x: Tensor): Tensor {
  const zero = ops.eq(x, 0)
  return ops.where(zero, 0, ops.mul(x, ops.log(ops.where(zero, 1, x))))
}

/** Options of {@link poissonNLLLoss}. */
export interface PoissonOptions extends LossOptions {
  /** Whether the prediction is the logarithm of the rate. Default true. */
  logInput?: boolean | undefined
  /** Whether Stirling's approximation of log t! is added where t > 1. Default false. */
  full?: boolean | undefined
  /** Added to the rate before its logarithm is taken. Default 1e-8. */
  eps?: number | undefined
}

/** Negative log-likelihood of counts t under Poisson's distribution: exp(x) - t x, or x - t log(x + eps). */
export function poissonNLLLoss(prediction: Tensor, target: Tensor, options: PoissonOptions = {}): Tensor {
  const { logInput = true, full = false, eps = 1e-8, reduction } = options
  fit('poissonNLLLoss', prediction, target)
  const loss = logInput
    ? ops.sub(ops.exp(prediction), ops.mul(target, prediction))
    : ops.sub(prediction, ops.mul(target, ops.log(ops.add(prediction, eps))))
  if (!full) return reduce(loss, reduction, 'poissonNLLLoss')
  const several = ops.gt(target, 1)
  const t = ops.where(several, target, 1)
  const logT = ops.log(t)
  const stirling = ops.add(ops.sub(ops.mul(t, logT), t), ops.mul(ops.add(logT, Math.log(2 * Math.PI)), 0.5))
  return reduce(ops.add(loss, ops.where(several, stirling, 0)), reduction, 'poissonNLLLoss')
}

/** Options of {@link gaussianNLLLoss}. */
export interface GaussianOptions extends LossOptions {
  /** Whether the constant log(2π) / 2 is added. Default false. */
  full?: boolean | undefined
  /** Least variance. Default 1e-6. */
  eps?: number | undefined
}

/**
 * Negative log-likelihood of the target under normal distributions: (log v + (prediction - target)² / v) / 2. Where
 * the variance v is below eps, eps takes its place and its gradient passes, as in PyTorch.
 */
export function gaussianNLLLoss(
  prediction: Tensor,
  target: TensorLike,
  variance: Tensor,
  options: GaussianOptions = {},
): Tensor {
  const { full = false, eps = 1e-6, reduction } = options
  fit('gaussianNLLLoss', prediction, target)
  fit('gaussianNLLLoss', prediction, variance)
  positive('gaussianNLLLoss', 'eps', eps)
  const v = ops.add(variance, ops.sub(ops.clampMin(variance, eps), variance).detach())
  const loss = ops.mul(ops.add(ops.log(v), ops.div(ops.square(ops.sub(prediction, target)), v)), 0.5)
  return reduce(full ? ops.add(loss, Math.log(2 * Math.PI) / 2) : loss, reduction, 'gaussianNLLLoss')
}
