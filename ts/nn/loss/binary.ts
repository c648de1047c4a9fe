/** Losses of yes and no. */
import * as ops from '../../generated/ops.ts'
import type { TensorLike } from '../../native/write.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { fit, type LossOptions, reduce } from './reduction.ts'

export interface BceOptions extends LossOptions {
  /** Factor of each element's loss. */
  weight?: TensorLike | null | undefined
  /** Factor of the positive part, for each class. */
  posWeight?: TensorLike | null | undefined
}

/**
 * Binary cross-entropy of σ(logits) with targets in [0, 1], computed without overflow:
 * (1 - t) x + (1 + (p - 1) t) (log(1 + exp(-|x|)) + max(-x, 0)).
 */
export function bceWithLogits(logits: Tensor, target: TensorLike, options: BceOptions = {}): Tensor {
  const { weight = null, posWeight = null, reduction } = options
  fit('bceWithLogits', logits, target)
  const tail = ops.add(ops.log1p(ops.exp(ops.neg(ops.abs(logits)))), ops.relu(ops.neg(logits)))
  const scaled = posWeight === null ? tail : ops.mul(ops.add(ops.mul(ops.sub(posWeight, 1), target), 1), tail)
  const loss = ops.add(ops.mul(ops.sub(1, target), logits), scaled)
  return reduce(weight === null ? loss : ops.mul(loss, weight), reduction, 'bceWithLogits')
}

/** max(log x, -100) with no gradient where x is 0. */
function boundedLog(x: Tensor): Tensor {
  const positive = ops.gt(x, 0)
  return ops.where(positive, ops.clampMin(ops.log(ops.where(positive, x, 1)), -100), -100)
}

/**
 * Binary cross-entropy -(t log p + (1 - t) log(1 - p)) of probabilities; logarithms are at least -100, as in PyTorch.
 * {@link bceWithLogits} is more exact.
 */
export function bceLoss(
  probabilities: Tensor,
  target: TensorLike,
  options: Omit<BceOptions, 'posWeight'> = {},
): Tensor {
  const { weight = null, reduction } = options
  fit('bceLoss', probabilities, target)
  const yes = ops.mul(boundedLog(probabilities), target)
  const no = ops.mul(boundedLog(ops.sub(1, probabilities)), ops.sub(1, target))
  const loss = ops.neg(ops.add(yes, no))
  return reduce(weight === null ? loss : ops.mul(loss, weight), reduction, 'bceLoss')
}

export interface SigmoidFocalOptions extends LossOptions {
  /** Weight of the positive cases, 1 - alpha of the negative ones; negative: neither. Default 0.25. */
  alpha?: number | undefined
  /** Power that makes easy cases count less. Default 2. */
  gamma?: number | undefined
}

/**
 * α_t (1 - p_t)^gamma times the binary cross-entropy of logits with targets in [0, 1]; p_t is the probability of the
 * truth. As torchvision's, but for its default reduction. Lin et al. 2017, https://arxiv.org/abs/1708.02002
 */
export function sigmoidFocalLoss(logits: Tensor, target: TensorLike, options: SigmoidFocalOptions = {}): Tensor {
  const { alpha = 0.25, gamma = 2, reduction } = options
  const entropy = bceWithLogits(logits, target, { reduction: 'none' })
  const p = ops.sigmoid(logits)
  const wrong = ops.add(ops.mul(p, ops.sub(1, target)), ops.mul(ops.sub(1, p), target)) // 1 - p_t
  const loss = ops.mul(entropy, ops.pow(wrong, gamma))
  if (alpha < 0) return reduce(loss, reduction, 'sigmoidFocalLoss')
  const factor = ops.add(ops.mul(ops.sub(1, target), 1 - alpha), ops.mul(target, alpha))
  return reduce(ops.mul(loss, factor), reduction, 'sigmoidFocalLoss')
}

/** log(1 + exp(-t x)) for targets t of 1 and -1. */
export function softMarginLoss(prediction: Tensor, target: TensorLike, options: LossOptions = {}): Tensor {
  fit('softMarginLoss', prediction, target)
  return reduce(ops.softplus(ops.neg(ops.mul(prediction, target))), options.reduction, 'softMarginLoss')
}

/** The binary cross-entropy of logits [N, C] with targets in [0, 1], as a mean over classes: [N]. */
export function multiLabelSoftMarginLoss(
  logits: Tensor,
  target: TensorLike,
  options: Omit<BceOptions, 'posWeight'> = {},
): Tensor {
  const { weight, reduction } = options
  const each = bceWithLogits(logits, target, { weight, reduction: 'none' })
  return reduce(ops.mean(each, { dim: -1 }), reduction, 'multiLabelSoftMarginLoss')
}
