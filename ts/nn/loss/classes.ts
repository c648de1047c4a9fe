/** Losses of predicted classes. Each takes the prediction first, the target second. */
import * as ops from '../../generated/ops.ts'
import { DTypeError, refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { sameShape } from '../../tensor/structure.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type LossOptions, reduce, type Reduction } from './reduction.ts'

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends Omit<ops.CrossEntropyOptions, 'reduction'>, LossOptions {}

/** The numbers by which the op calls the reductions. */
const REDUCTIONS: readonly Reduction[] = ['none', 'mean', 'sum']

/**
 * -log softmax(logits)[target]: logits [N, C, ...] or [C], target classes [N, ...] or []. The mean is over the weights
 * of the targets that count, as in PyTorch. A float target of the logits' shape holds a probability for each class; the
 * mean is then over all places. Throws an ArgumentError for a target that is no class.
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction = 'mean', ...rest } = options
  const code = REDUCTIONS.indexOf(reduction)
  if (code < 0) refuse('crossEntropy', 'reduction', 'mean, sum or none', reduction)
  if (isTensor(target) && isTensor(logits) && target.dtype.startsWith('f'))
    return softCrossEntropy(logits, target, options)
  return ops.crossEntropy(logits, target, { ...rest, reduction: code })
}

/** Cross-entropy with a probability for each class. */
function softCrossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, reduction } = options
  if (!sameShape(logits, target)) {
    const [expected, received] = [`[${logits.shape.join(', ')}]`, `[${target.shape.join(', ')}]`]
    const text = `a float target holds probabilities and must have the logits' shape ${expected}, got ${received}`
    throw new ShapeError(`crossEntropy: ${text}; classes are i32 or i64`, {
      op: 'crossEntropy',
      argument: 'target',
      expected,
      received,
    })
  }
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    refuse('crossEntropy', 'labelSmoothing', 'a number from 0 to 1', labelSmoothing)
  }
  const dim = logits.rank > 1 ? 1 : 0
  const classes = logits.shape[dim]!
  const smoothed = labelSmoothing === 0 ? target : target.mul(1 - labelSmoothing).add(labelSmoothing / classes)
  const along = logits.shape.map((d, i) => (i === dim ? d : 1)) // [1, C, 1, …]
  const factor = isTensor(weight) ? smoothed.mul(weight.reshape(along)) : smoothed
  return reduce(ops.neg(ops.sum(factor.mul(ops.logSoftmax(logits, { dim })), { dim })), reduction, 'crossEntropy')
}

/** Options of {@link nllLoss}. */
export interface NllOptions extends LossOptions {
  /** Factor of each class, [C]. */
  weight?: Tensor | null | undefined
  /** A target that counts for nothing. Default -100. */
  ignoreIndex?: number | undefined
}

/**
 * -logProbabilities[target]: [N, C, ...] and classes [N, ...]. The mean is over the weights of the targets, as in
 * PyTorch.
 */
export function nllLoss(logProbabilities: Tensor, target: Tensor, options: NllOptions = {}): Tensor {
  const { weight = null, ignoreIndex = -100, reduction = 'mean' } = options
  checkClasses('nllLoss', logProbabilities, target)
  const counted = ops.ne(target, ignoreIndex) // [N, ...]
  const classes = ops.where(counted, target, 0)
  const picked = ops.gather(logProbabilities, 1, classes.unsqueeze(1)).squeeze(1)
  const factor = weight === null ? ops.cast(counted, picked.dtype) : ops.where(counted, rows(weight, classes), 0)
  const loss = ops.neg(ops.mul(picked, factor))
  if (reduction !== 'mean') return reduce(loss, reduction, 'nllLoss')
  return ops.div(ops.sum(loss), ops.sum(factor))
}

/** Refuses a target that isn't one class index for each place of a prediction [N, C, ...]. */
function checkClasses(op: string, prediction: Tensor, target: Tensor): void {
  if (!isTensor(prediction)) refuse(op, 'prediction', 'a Tensor', prediction)
  if (!isTensor(target)) refuse(op, 'target', 'a Tensor', target)
  const expected = `[${prediction.shape.filter((_, i) => i !== 1).join(', ')}]`
  if (/^i(32|64)$/.test(target.dtype) && `[${target.shape.join(', ')}]` === expected) return
  const received = `${target.dtype} [${target.shape.join(', ')}]`
  throw new (target.dtype.startsWith('i') ? ShapeError : DTypeError)(
    `${op}: target must be class indices, i32 or i64 ${expected}, got ${received}`,
    { op, argument: 'target', expected: `i32 or i64 ${expected}`, received },
  )
}

/** weight[classes] for a weight [C]. */
function rows(weight: Tensor, classes: Tensor): Tensor {
  return ops.reshape(ops.gather(weight, 0, ops.reshape(classes, [classes.size])), classes.shape)
}

/** Options of {@link multiMarginLoss}. */
export interface MultiMarginOptions extends LossOptions {
  /** Power of each margin, 1 or 2. Default 1. */
  p?: 1 | 2 | undefined
  /** Default 1. */
  margin?: number | undefined
  /** Factor of each class, [C]. */
  weight?: Tensor | null | undefined
}

/** Σ_{j ≠ y} max(0, margin - x_y + x_j)^p of scores [N, C] and classes [N]: [N]. */
function margins(op: string, scores: Tensor, target: Tensor, margin: number, p: number): Tensor {
  checkClasses(op, scores, target)
  if (scores.rank !== 2) refuse(op, 'scores', 'a Tensor of shape [N, C]', scores)
  const index = ops.reshape(target, [target.size, 1])
  const classes = ops.arange(0, scores.shape[1]!, 1, { dtype: target.dtype })
  const excess = ops.clampMin(ops.add(ops.sub(scores, ops.gather(scores, 1, index)), margin), 0)
  const others = ops.where(ops.ne(classes, index), p === 1 ? excess : ops.square(excess), 0)
  return ops.sum(others, { dim: 1 })
}

/**
 * The multi-class hinge loss Σ_{j ≠ y} max(0, s_j - s_y + margin) of scores [N, C] and classes [N]; `margin` is 1
 * unless given. Weston and Watkins, "Support Vector Machines for Multi-Class Pattern Recognition", ESANN 1999.
 */
export function hingeLoss(scores: Tensor, target: Tensor, options: LossOptions & { margin?: number } = {}): Tensor {
  return reduce(margins('hingeLoss', scores, target, options.margin ?? 1, 1), options.reduction, 'hingeLoss')
}

/** Σ_{j ≠ y} weight_y max(0, margin - x_y + x_j)^p / C of scores [N, C] and classes [N]: {@link hingeLoss} by C. */
export function multiMarginLoss(scores: Tensor, target: Tensor, options: MultiMarginOptions = {}): Tensor {
  const { p = 1, margin = 1, weight = null, reduction } = options
  if (p !== 1 && p !== 2) refuse('multiMarginLoss', 'p', '1 or 2', p)
  const loss = ops.div(margins('multiMarginLoss', scores, target, margin, p), scores.shape[1]!)
  return reduce(weight === null ? loss : loss.mul(rows(weight, target)), reduction, 'multiMarginLoss')
}

/** Options of {@link focalLoss}. */
export interface FocalOptions extends LossOptions {
  /** Power that makes easy cases count less. Default 2. */
  gamma?: number | undefined
}

/**
 * -(1 - p)^gamma log p with p = softmax(logits)[target]: logits [N, C, ...], classes [N, ...]. Lin et al. 2017, "Focal
 * Loss for Dense Object Detection", https://arxiv.org/abs/1708.02002
 */
export function focalLoss(logits: Tensor, target: Tensor, options: FocalOptions = {}): Tensor {
  const { gamma = 2, reduction } = options
  const entropy = crossEntropy(logits, target, { reduction: 'none' })
  const easy = ops.pow(ops.neg(ops.expm1(ops.neg(entropy))), gamma)
  return reduce(easy.mul(entropy), reduction, 'focalLoss')
}
