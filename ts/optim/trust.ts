/** Layer-wise learning rates, for large batches. */
import {
  add,
  clampMax,
  clampMin,
  concat,
  div,
  gt,
  logicalAnd,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  where,
} from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkMoments, moments } from './adam.ts'
import {
  Optimizer,
  type OptimizerOptions,
  type ParameterGroup,
  type ParameterState,
  type Target,
  within,
} from './optimizer.ts'
import { checkMomentum, withMomentum } from './sgd.ts'

const length = (x: Tensor) => sqrt(sum(square(x)))

/** `ratio` where both norms are above 0, else 1. */
function trusted(ratio: Tensor, parameterNorm: Tensor, updateNorm: Tensor): Tensor {
  return where(logicalAnd(gt(parameterNorm, 0), gt(updateNorm, 0)), ratio, 1)
}

function checkFlags(op: string, group: { trustClip: boolean; alwaysAdapt: boolean }): void {
  for (const name of ['trustClip', 'alwaysAdapt'] as const) {
    if (typeof group[name] !== 'boolean') refuse(op, name, 'a boolean', group[name])
  }
}

export interface LAMBOptions extends OptimizerOptions {
  /** Default 1e-3. */
  lr: number
  /** Decay of the means of gradients and of their squares. Default [0.9, 0.999]. */
  betas: readonly [number, number]
  /** Added to the root of the mean square. Default 1e-6. */
  eps: number
  /** Default 0.01. */
  weightDecay: number
  /** Norm of all gradients together above which they are scaled down; null: never. Of the optimizer. Default 1. */
  maxGradNorm: number | null
  /** Whether the trust ratio is at most 1. Default false. */
  trustClip: boolean
  /** Whether the trust ratio counts also where weightDecay is 0. Default false. */
  alwaysAdapt: boolean
}

/**
 * LAMB, as timm's: u = m̂ / (√v̂ + eps) + weightDecay θ; θ -= lr ‖θ‖ / ‖u‖ u. You et al., "Large Batch Optimization for
 * Deep Learning: Training BERT in 76 minutes", ICLR 2020, https://arxiv.org/abs/1904.00962
 */
export class LAMB extends Optimizer<LAMBOptions> {
  readonly #maxGradNorm: number | null

  constructor(target: Target<LAMBOptions>, options: Partial<LAMBOptions> = {}) {
    const defaults = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-6, weightDecay: 0.01 } as const
    const flags = { maxGradNorm: 1, trustClip: false, alwaysAdapt: false }
    super(target, { ...defaults, ...flags, ...options })
    this.#maxGradNorm = options.maxGradNorm === undefined ? 1 : options.maxGradNorm
  }

  override _check(group: ParameterGroup<LAMBOptions>): void {
    checkMoments('LAMB', group)
    checkFlags('LAMB', group)
    const { maxGradNorm } = group
    if (maxGradNorm !== null && !(maxGradNorm > 0))
      refuse('LAMB', 'maxGradNorm', 'a number above 0 or null', maxGradNorm)
  }

  override _divisor(gradients: readonly Tensor[]): Tensor | null {
    if (this.#maxGradNorm === null || gradients.length === 0) return null
    const squares = gradients.map((g) => reshape(sum(square(g)), [1]))
    return clampMin(div(sqrt(sum(concat(squares))), distinct(this.#maxGradNorm)), 1)
  }

  override _update(p: Parameter, g: Tensor, group: ParameterGroup<LAMBOptions>, state: ParameterState): void {
    const { lr, betas, eps, weightDecay, trustClip, alwaysAdapt } = group
    const { m, v } = moments(p, g, betas, state)
    const root = Math.sqrt(1 - betas[1] ** state.step)
    const mean = div(m, distinct(1 - betas[0] ** state.step))
    const plain = div(mean, add(div(sqrt(v), distinct(root)), distinct(eps)))
    const update = weightDecay === 0 ? plain : add(plain, mul(p, distinct(weightDecay)))
    if (weightDecay === 0 && !alwaysAdapt) return p.assign(sub(p, mul(update, distinct(lr))))
    const [parameterNorm, updateNorm] = [length(p), length(update)]
    const ratio = trusted(div(parameterNorm, updateNorm), parameterNorm, updateNorm)
    p.assign(sub(p, mul(mul(update, trustClip ? clampMax(ratio, 1) : ratio), distinct(lr))))
  }
}

export interface LARSOptions extends OptimizerOptions {
  /** Default 1. */
  lr: number
  /** Default 0. */
  momentum: number
  /** Share of a gradient that doesn't enter the momentum. Default 0. */
  dampening: number
  /** Factor of the parameter that is added to its gradient. Default 0. */
  weightDecay: number
  /** Looks ahead along the momentum. Default false. */
  nesterov: boolean
  /** Factor of the trust ratio, η in the paper. Default 0.001. */
  trustCoeff: number
  /** Added to the trust ratio's denominator. Default 1e-8. */
  eps: number
  /** Whether the learning rate of a layer is at most lr (LARC). Default false. */
  trustClip: boolean
  /** Whether the trust ratio counts also where weightDecay is 0. Default false. */
  alwaysAdapt: boolean
}

/**
 * LARS, as timm's: SGD with the gradient g + weightDecay θ scaled by trustCoeff ‖θ‖ / (‖g‖ + weightDecay ‖θ‖ + eps).
 * You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017, https://arxiv.org/abs/1708.03888
 */
export class LARS extends Optimizer<LARSOptions> {
  constructor(target: Target<LARSOptions>, options: Partial<LARSOptions> = {}) {
    const defaults = { lr: 1, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false }
    super(target, { ...defaults, trustCoeff: 1e-3, eps: 1e-8, trustClip: false, alwaysAdapt: false, ...options })
  }

  override _check(group: ParameterGroup<LARSOptions>): void {
    checkMomentum('LARS', group)
    checkFlags('LARS', group)
    within('LARS', 'trustCoeff', group.trustCoeff, 0)
    within('LARS', 'eps', group.eps, 0)
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<LARSOptions>, state: ParameterState): void {
    const adapts = group.weightDecay !== 0 || group.alwaysAdapt
    const g = adapts ? adapted(p, gradient, group) : gradient
    p.assign(sub(p, mul(withMomentum(p, g, group, state), distinct(group.lr))))
  }
}

function adapted(p: Parameter, gradient: Tensor, group: LARSOptions): Tensor {
  const { lr, weightDecay, trustCoeff, eps, trustClip } = group
  const [parameterNorm, gradientNorm] = [length(p), length(gradient)]
  const decay = mul(parameterNorm, distinct(weightDecay))
  const denominator = add(add(gradientNorm, decay), distinct(eps))
  const ratio = trusted(div(mul(parameterNorm, distinct(trustCoeff)), denominator), parameterNorm, gradientNorm)
  const factor = trustClip ? clampMax(div(ratio, distinct(lr)), 1) : ratio
  return mul(add(gradient, mul(p, distinct(weightDecay))), factor)
}
