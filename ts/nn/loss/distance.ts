/** Losses that pull vectors together and push them apart. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { checkOptions, type TensorLike } from '../../native/write.ts'
import { unsqueeze } from '../../tensor/compose.ts'
import { norm } from '../../tensor/reductions.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { fit, type LossOptions, reduce } from './reduction.ts'

/**
 * a · b / (max(‖a‖, eps) max(‖b‖, eps)) along `dim` (default 1); `eps` is 1e-8 unless given. The gradient is that of
 * this formula also where a norm is below eps, which PyTorch's isn't.
 */
export function cosineSimilarity(a: Tensor, b: Tensor, options: { dim?: number; eps?: number } = {}): Tensor {
  const { dim = 1, eps = 1e-8 } = options
  const size = (x: Tensor) => ops.sqrt(ops.clampMin(ops.sum(ops.square(x), { dim }), eps * eps))
  return ops.div(ops.sum(ops.mul(a, b), { dim }), ops.mul(size(a), size(b)))
}

/** x / max(‖x‖, eps) along `dim` (default 1), with the Euclidean norm; `eps` is 1e-12 unless given. */
export function normalize(x: Tensor, options: { dim?: number; eps?: number } = {}): Tensor {
  const { dim = 1, eps = 1e-12 } = options
  return ops.div(x, ops.sqrt(ops.clampMin(ops.sum(ops.square(x), { dim, keepDim: true }), eps * eps)))
}

/** Options of {@link pairwiseDistance}. */
export interface DistanceOptions {
  /** Order of the norm. Default 2. */
  p?: number | undefined
  /** Added to each difference. Default 1e-6. */
  eps?: number | undefined
  keepDim?: boolean | undefined
}

/** ‖a - b + eps‖_p along the last dimension. */
export function pairwiseDistance(a: Tensor, b: Tensor, options: DistanceOptions = {}): Tensor {
  const { p = 2, eps = 1e-6, keepDim = false } = options
  if (!(p > 0)) refuse('pairwiseDistance', 'p', 'a number above 0', p)
  const d = ops.add(ops.sub(a, b), eps)
  const along = { dim: -1, keepDim }
  if (p === 2) return ops.sqrt(ops.sum(ops.square(d), along))
  if (p === 1) return ops.sum(ops.abs(d), along)
  if (p === Infinity) return ops.max(ops.abs(d), along)
  return ops.pow(ops.sum(ops.pow(ops.abs(d), p), along), 1 / p)
}

/**
 * Distances of every row of `a` [..., N, D] from every row of `b` [..., M, D] as [..., N, M]: (Σ |aᵢ - bⱼ|ᵖ)^(1/p), with p
 * 2 unless given. The gradient where a distance is 0 is 0.
 */
export function cdist(a: Tensor, b: Tensor, options: { p?: number } = {}): Tensor {
  checkOptions(options, 'cdist', ['p'])
  for (const [name, x] of Object.entries({ a, b })) {
    if (!isTensor(x) || x.rank < 2) refuse('cdist', name, 'a Tensor of rank 2 or more', x)
  }
  return norm(ops.sub(unsqueeze(a, -2), unsqueeze(b, -3)), { p: options.p ?? 2, dim: -1 })
}

/** Options of losses with a margin. */
export interface MarginOptions extends LossOptions {
  margin?: number | undefined
}

/**
 * 1 - cos(a, b) for vectors [N, D] that belong together (target 1), max(0, cos(a, b) - margin) for others (-1), [N];
 * `margin` is 0 unless given.
 */
export function cosineEmbeddingLoss(a: Tensor, b: Tensor, target: Tensor, options: MarginOptions = {}): Tensor {
  const { margin = 0, reduction } = options
  // The constant is that of PyTorch's kernel: it keeps vectors of zeros finite.
  const square = (x: Tensor) => ops.add(ops.sum(ops.square(x), { dim: -1 }), 1e-12)
  const cosine = ops.div(ops.sum(ops.mul(a, b), { dim: -1 }), ops.sqrt(ops.mul(square(a), square(b))))
  fit('cosineEmbeddingLoss', cosine, target)
  const apart = ops.where(ops.eq(target, -1), ops.clampMin(ops.sub(cosine, margin), 0), 0)
  return reduce(ops.where(ops.eq(target, 1), ops.sub(1, cosine), apart), reduction, 'cosineEmbeddingLoss')
}

/** Options of {@link tripletMarginLoss}. */
export interface TripletOptions extends LossOptions {
  /** How much farther negatives must be. Default 1. */
  margin?: number | undefined
  /** Order of the norm. Default 2. */
  p?: number | undefined
  /** Added to each difference. Default 1e-6. */
  eps?: number | undefined
  /** Whether the positive's distance to the negative counts where it is the smaller one. Default false. */
  swap?: boolean | undefined
}

/**
 * max(0, margin + d(anchor, positive) - d(anchor, negative)) for vectors [N, D]. Schroff et al. 2015, "FaceNet",
 * https://arxiv.org/abs/1503.03832; swap: Balntas et al., BMVC 2016.
 */
export function tripletMarginLoss(
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options: TripletOptions = {},
): Tensor {
  const { margin = 1, p, eps, swap = false, reduction } = options
  const near = pairwiseDistance(anchor, positive, { p, eps })
  const far = pairwiseDistance(anchor, negative, { p, eps })
  const least = swap ? ops.minimum(far, pairwiseDistance(positive, negative, { p, eps })) : far
  return reduce(ops.clampMin(ops.add(ops.sub(near, least), margin), 0), reduction, 'tripletMarginLoss')
}

/**
 * (t d² + (1 - t) max(0, margin - d)²) / 2 with d = ‖a - b‖ for vectors [N, D] that belong together (t = 1) or not
 * (0); `margin` is 1 unless given. Hadsell, Chopra and LeCun, "Dimensionality Reduction by Learning an Invariant
 * Mapping", CVPR 2006, whose Y is 1 - t.
 */
export function contrastiveLoss(a: Tensor, b: Tensor, target: TensorLike, options: MarginOptions = {}): Tensor {
  const { margin = 1, reduction } = options
  const d = pairwiseDistance(a, b)
  fit('contrastiveLoss', d, target)
  const apart = ops.square(ops.clampMin(ops.sub(margin, d), 0))
  const loss = ops.add(ops.mul(ops.square(d), target), ops.mul(apart, ops.sub(1, target)))
  return reduce(ops.mul(loss, 0.5), reduction, 'contrastiveLoss')
}

/** max(0, margin - t (a - b)): a should be the larger one where t is 1, b where it is -1. `margin` is 0 unless given. */
export function marginRankingLoss(a: Tensor, b: Tensor, target: TensorLike, options: MarginOptions = {}): Tensor {
  const { margin = 0, reduction } = options
  fit('marginRankingLoss', a, b)
  fit('marginRankingLoss', a, target)
  const excess = ops.sub(margin, ops.mul(target, ops.sub(a, b)))
  return reduce(ops.clampMin(excess, 0), reduction, 'marginRankingLoss')
}

/** x where t is 1, max(0, margin - x) where it is -1; `margin` is 1 unless given. */
export function hingeEmbeddingLoss(distance: Tensor, target: Tensor, options: MarginOptions = {}): Tensor {
  const { margin = 1, reduction } = options
  fit('hingeEmbeddingLoss', distance, target)
  const apart = ops.where(ops.eq(target, -1), ops.clampMin(ops.sub(margin, distance), 0), 0)
  return reduce(ops.where(ops.eq(target, 1), distance, apart), reduction, 'hingeEmbeddingLoss')
}
