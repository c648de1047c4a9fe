import { add, div, mul, sqrt, square, sub } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  moment,
  Optimizer,
  type OptimizerOptions,
  type ParameterGroup,
  type ParameterState,
  type Target,
  within,
} from './optimizer.ts'

export interface RMSpropOptions extends OptimizerOptions {
  /** Default 1e-2. */
  lr: number
  /** Decay of the mean of squares. Default 0.99. */
  alpha: number
  /** Added to the root of the mean square. Default 1e-8. */
  eps: number
  /** Factor of the parameter that is added to its gradient. Default 0. */
  weightDecay: number
  /** Default 0. */
  momentum: number
  /** Whether the mean square is that of deviations from the mean gradient (Graves 2013). Default false. */
  centered: boolean
}

/**
 * RMSprop, as PyTorch's: v = α v + (1 - α) g²; θ -= lr g / (√v + eps), or with momentum b = momentum b + g / (√v +
 * eps), θ -= lr b. Hinton, lecture 6e of "Neural Networks for Machine Learning", 2012; centered:
 * https://arxiv.org/abs/1308.0850
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(target: Target<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(target, { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, centered: false, ...options })
  }

  override _check(group: ParameterGroup<RMSpropOptions>): void {
    for (const name of ['alpha', 'eps', 'weightDecay', 'momentum'] as const) within('RMSprop', name, group[name], 0)
    if (typeof group.centered !== 'boolean') refuse('RMSprop', 'centered', 'a boolean', group.centered)
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<RMSpropOptions>, state: ParameterState): void {
    const { lr, alpha, eps, weightDecay, momentum, centered } = group
    const g = weightDecay === 0 ? gradient : add(gradient, mul(p, distinct(weightDecay)))
    const meanSquare = moment(state, 'square_avg', p)
    const v = add(mul(meanSquare, distinct(alpha)), mul(square(g), distinct(1 - alpha)))
    meanSquare.assign(v)
    const spread = centered ? sub(v, square(meanGradient(p, g, alpha, state))) : v
    let direction = div(g, add(sqrt(spread), distinct(eps)))
    if (momentum !== 0) {
      const buffer = moment(state, 'momentum_buffer', p)
      direction = add(mul(buffer, distinct(momentum)), direction)
      buffer.assign(direction)
    }
    p.assign(sub(p, mul(direction, distinct(lr))))
  }
}

/** The running mean of gradients, moved on by g. */
function meanGradient(p: Parameter, g: Tensor, alpha: number, state: ParameterState): Tensor {
  const mean = moment(state, 'grad_avg', p)
  const next = add(mean, mul(sub(g, mean), distinct(1 - alpha)))
  mean.assign(next)
  return next
}
