/** Losses made of ops. Each takes the prediction first, the target second. */
import * as ops from '../generated/ops.ts'
import { DTypeError, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { TensorLike } from '../native/write.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** How the losses of single elements become one: their mean, their sum, or none of it. */
export type Reduction = 'mean' | 'sum' | 'none'

export interface LossOptions {
  /** Default mean. */
  reduction?: Reduction | undefined
}

export function reduce(loss: Tensor, reduction: Reduction | undefined, op: string): Tensor {
  switch (reduction ?? 'mean') {
    case 'mean':
      return ops.mean(loss)
    case 'sum':
      return ops.sum(loss)
    case 'none':
      return loss
    default:
      return refuse(op, 'reduction', 'mean, sum or none', reduction)
  }
}

/** Refuses a target that would broadcast the loss to another shape than the prediction's. */
function fit(op: string, prediction: Tensor, target: TensorLike): void {
  if (!isTensor(prediction)) refuse(op, 'prediction', 'a Tensor', prediction)
  if (typeof target === 'number') return
  if (!isTensor(target)) refuse(op, 'target', 'a Tensor or a number', target)
  const [wanted, got] = [prediction.shape, target.shape]
  const fits = got.length <= wanted.length && got.every((d, i) => d === 1 || d === wanted.at(i - got.length))
  if (fits) return
  const [expected, received] = [`[${wanted.join(', ')}]`, `[${got.join(', ')}]`]
  throw new ShapeError(
    `${op}: target must have the prediction's shape ${expected}, or broadcast to it, got ${received}`,
    {
      op,
      argument: 'target',
      expected,
      received,
    },
  )
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
  const tail = ops.add(ops.log1p(ops.exp(ops.neg(ops.abs(logits)))), ops.relu(ops.neg(logits)))
  const scaled = posWeight === null ? tail : ops.mul(ops.add(ops.mul(ops.sub(posWeight, 1), target), 1), tail)
  const loss = ops.add(ops.mul(ops.sub(1, target), logits), scaled)
  return reduce(weight === null ? loss : ops.mul(loss, weight), reduction, 'bceWithLogits')
}

export interface CrossEntropyOptions extends Omit<ops.CrossEntropyOptions, 'reduction'>, LossOptions {}

/** The numbers by which the op calls the reductions. */
const REDUCTIONS: readonly Reduction[] = ['none', 'mean', 'sum']

/**
 * -log softmax(logits)[target]: logits [N, C, ...] or [C], target classes [N, ...] or []. The mean is over the weights
 * of the targets that count, as in PyTorch. Throws an ArgumentError for a target that is no class.
 */
export function crossEntropy(logits: Tensor, target: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { reduction = 'mean', ...rest } = options
  const code = REDUCTIONS.indexOf(reduction)
  if (code < 0) refuse('crossEntropy', 'reduction', 'mean, sum or none', reduction)
  return ops.crossEntropy(logits, target, { ...rest, reduction: code })
}

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
  const expected = `[${logProbabilities.shape.filter((_, i) => i !== 1).join(', ')}]`
  if (!/^i(32|64)$/.test(target.dtype) || `[${target.shape.join(', ')}]` !== expected) {
    const received = `${target.dtype} [${target.shape.join(', ')}]`
    throw new (target.dtype.startsWith('i') ? ShapeError : DTypeError)(
      `nllLoss: target must be class indices, i32 or i64 ${expected}, got ${received}`,
      { op: 'nllLoss', argument: 'target', expected: `i32 or i64 ${expected}`, received },
    )
  }
  const counted = ops.ne(target, ignoreIndex) // [N, ...]
  const classes = ops.where(counted, target, 0)
  const picked = ops.gather(logProbabilities, 1, classes.unsqueeze(1)).squeeze(1)
  const factor = weight === null ? ops.cast(counted, picked.dtype) : ops.where(counted, rows(weight, classes), 0)
  const loss = ops.neg(ops.mul(picked, factor))
  if (reduction !== 'mean') return reduce(loss, reduction, 'nllLoss')
  return ops.div(ops.sum(loss), ops.sum(factor))
}

/** weight[classes] for a weight [C]. */
function rows(weight: Tensor, classes: Tensor): Tensor {
  return ops.reshape(ops.gather(weight, 0, ops.reshape(classes, [classes.size])), classes.shape)
}
