import { add, div, mul, sqrt, square, sub } from '../generated/ops.ts'
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

export interface AdagradOptions extends OptimizerOptions {
  /** Default 1e-2. */
  lr: number
  /** The learning rate of step t is lr / (1 + (t - 1) lrDecay). Default 0. */
  lrDecay: number
  /** Factor of the parameter that is added to its gradient. Default 0. */
  weightDecay: number
  /** What the sums of squares start from. Default 0. */
  initialAccumulatorValue: number
  /** Added to the root of the sum of squares. Default 1e-10. */
  eps: number
}

/**
 * Adagrad, as PyTorch's: s += g²; θ -= lr g / (√s + eps). Duchi, Hazan and Singer, "Adaptive Subgradient Methods for
 * Online Learning and Stochastic Optimization", JMLR 2011.
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(target: Target<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(target, { lr: 1e-2, lrDecay: 0, weightDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, ...options })
  }

  override _check(group: ParameterGroup<AdagradOptions>): void {
    for (const name of ['lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const) {
      within('Adagrad', name, group[name], 0)
    }
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<AdagradOptions>, state: ParameterState): void {
    const { lr, lrDecay, weightDecay, initialAccumulatorValue, eps } = group
    const g = weightDecay === 0 ? gradient : add(gradient, mul(p, distinct(weightDecay)))
    const total = moment(state, 'sum', p, initialAccumulatorValue)
    const next = add(total, square(g))
    total.assign(next)
    const rate = lr / (1 + (state.step - 1) * lrDecay)
    p.assign(sub(p, mul(div(g, add(sqrt(next), distinct(eps))), distinct(rate))))
  }
}
