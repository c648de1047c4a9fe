import { add, mul, sub } from '../generated/ops.ts'
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

export interface SGDOptions extends OptimizerOptions {
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

export type MomentumOptions = Pick<SGDOptions, 'momentum' | 'dampening' | 'weightDecay' | 'nesterov'>

export function checkMomentum(op: string, { momentum, dampening, weightDecay, nesterov }: MomentumOptions): void {
  within(op, 'momentum', momentum, 0)
  within(op, 'weightDecay', weightDecay, 0)
  within(op, 'dampening', dampening, -Infinity)
  if (typeof nesterov !== 'boolean') refuse(op, 'nesterov', 'a boolean', nesterov)
  if (nesterov && (momentum === 0 || dampening !== 0)) {
    refuse(op, 'nesterov', 'false without momentum or with dampening', nesterov)
  }
}

/** The direction of a step: b = momentum b + (1 - dampening) g, b = g at first; or g + momentum b (Nesterov). */
export function withMomentum(p: Parameter, g: Tensor, options: MomentumOptions, state: ParameterState): Tensor {
  const { momentum, dampening, nesterov } = options
  if (momentum === 0) return g
  // The first step has the graph of all others, so that they share a plan: b = 0 b + 1 g.
  const [kept, added] = 'momentum_buffer' in state.variables ? [momentum, 1 - dampening] : [0, 1]
  const buffer = moment(state, 'momentum_buffer', p)
  const next = add(mul(buffer, distinct(kept)), mul(g, distinct(added)))
  buffer.assign(next)
  return nesterov ? add(g, mul(next, distinct(momentum))) : next
}

/**
 * Stochastic gradient descent, as PyTorch's: g += weightDecay θ; b = momentum b + (1 - dampening) g, b = g at first;
 * θ -= lr b, or lr (g + momentum b) with Nesterov's momentum (Sutskever et al. 2013).
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(target: Target<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(target, { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options })
  }

  override _check(group: ParameterGroup<SGDOptions>): void {
    checkMomentum('SGD', group)
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<SGDOptions>, state: ParameterState): void {
    const { lr, weightDecay } = group
    const g = weightDecay === 0 ? gradient : add(gradient, mul(p, distinct(weightDecay)))
    p.assign(sub(p, mul(withMomentum(p, g, group, state), distinct(lr))))
  }
}
