import { add, mul, sub } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { moment, Optimizer, type ParameterGroup, type ParameterState, type Target, within } from './optimizer.ts'

export interface SGDOptions {
  /** Default 1e-3. */
  lr: number
  /** Default 0. */
  momentum: number
  /** Share of a gradient that doesn't enter the momentum. Default 0. */
  dampening: number
  /** Factor of the parameter that is added to its gradient. Default 0. */
  weightDecay: number
  /** Looks ahead along the momentum. Default false. */
  nesterov: boolean
}

/**
 * Stochastic gradient descent, as PyTorch's: g += weightDecay θ; b = momentum b + (1 - dampening) g, b = g at first;
 * θ -= lr b, or lr (g + momentum b) with Nesterov's momentum (Sutskever et al. 2013).
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(target: Target<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(target, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options })
  }

  override _check({ lr, momentum, dampening, weightDecay, nesterov }: ParameterGroup<SGDOptions>): void {
    within('SGD', 'lr', lr, 0)
    within('SGD', 'momentum', momentum, 0)
    within('SGD', 'weightDecay', weightDecay, 0)
    within('SGD', 'dampening', dampening, -Infinity)
    if (typeof nesterov !== 'boolean') refuse('SGD', 'nesterov', 'a boolean', nesterov)
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      refuse('SGD', 'nesterov', 'false without momentum or with dampening', nesterov)
    }
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<SGDOptions>, state: ParameterState): void {
    const { lr, momentum, dampening, weightDecay, nesterov } = group
    let g = weightDecay === 0 ? gradient : add(gradient, mul(p, distinct(weightDecay)))
    if (momentum !== 0) {
      // The first step has the graph of all others, so that they share a plan: b = 0 b + 1 g.
      const [kept, added] = state.step === 1 ? [0, 1] : [momentum, 1 - dampening]
      const buffer = moment(state, 'momentum_buffer', p)
      const next = add(mul(buffer, distinct(kept)), mul(g, distinct(added)))
      buffer.assign(next)
      g = nesterov ? add(g, mul(next, distinct(momentum))) : next
    }
    p.assign(sub(p, mul(g, distinct(lr))))
  }
}
