import { add, div, maximum, mul, sqrt, square, sub } from '../generated/ops.ts'
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

export interface AdamOptions extends OptimizerOptions {
  /** Default 1e-3. */
  lr: number
  /** Decay of the means of gradients and of their squares. Default [0.9, 0.999]. */
  betas: readonly [number, number]
  /** Added to the root of the mean square. Default 1e-8. */
  eps: number
  /** Default 0; 0.01 in AdamW. */
  weightDecay: number
  /** Whether the largest mean square so far takes its place (Reddi et al. 2018). Default false. */
  amsgrad: boolean
}

const DEFAULTS: AdamOptions = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, amsgrad: false }

/** The means of gradients and of their squares, m += (1 - β₁) (g - m) and v = β₂ v + (1 - β₂) g², moved on by g. */
export function moments(p: Parameter, g: Tensor, betas: readonly [number, number], state: ParameterState) {
  const [beta1, beta2] = betas
  const mean = moment(state, 'exp_avg', p)
  const meanSquare = moment(state, 'exp_avg_sq', p)
  const m = add(mean, mul(sub(g, mean), distinct(1 - beta1)))
  const v = add(mul(meanSquare, distinct(beta2)), mul(square(g), distinct(1 - beta2)))
  mean.assign(m)
  meanSquare.assign(v)
  return { m, v }
}

/** The update from the two moments: lr (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps). */
function change(p: Parameter, g: Tensor, options: AdamOptions, state: ParameterState): Tensor {
  const { lr, betas, eps, amsgrad } = options
  const { m, v } = moments(p, g, betas, state)
  const root = Math.sqrt(1 - betas[1] ** state.step)
  const spread = amsgrad ? largest(p, v, state) : v
  const denominator = add(div(sqrt(spread), distinct(root)), distinct(eps))
  return mul(div(m, denominator), distinct(lr / (1 - betas[0] ** state.step)))
}

/** The largest v that the parameter has seen. */
function largest(p: Parameter, v: Tensor, state: ParameterState): Tensor {
  const variable = moment(state, 'max_exp_avg_sq', p)
  const most = maximum(variable, v)
  variable.assign(most)
  return most
}

function check(op: string, options: AdamOptions): void {
  checkMoments(op, options)
  if (typeof options.amsgrad !== 'boolean') refuse(op, 'amsgrad', 'a boolean', options.amsgrad)
}

export function checkMoments(op: string, options: Pick<AdamOptions, 'betas' | 'eps' | 'weightDecay'>): void {
  const { betas, eps, weightDecay } = options
  within(op, 'eps', eps, 0)
  within(op, 'weightDecay', weightDecay, 0)
  if (!Array.isArray(betas) || betas.length !== 2) refuse(op, 'betas', 'two numbers', betas)
  within(op, 'betas[0]', betas[0]!, 0, 1)
  within(op, 'betas[1]', betas[1]!, 0, 1)
}

/** Adam, as PyTorch's; weight decay is added to the gradient. Kingma and Ba 2015, https://arxiv.org/abs/1412.6980 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(target: Target<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(target, { ...DEFAULTS, ...options })
  }

  override _check(group: ParameterGroup<AdamOptions>): void {
    check('Adam', group)
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<AdamOptions>, state: ParameterState): void {
    const { weightDecay } = group
    const g = weightDecay === 0 ? gradient : add(gradient, mul(p, distinct(weightDecay)))
    p.assign(sub(p, change(p, g, group, state)))
  }
}

/**
 * Adam with weight decay apart from the gradient, as PyTorch's: θ shrinks by lr · weightDecay before the update.
 * Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
 */
export class AdamW extends Optimizer<AdamOptions> {
  constructor(target: Target<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(target, { ...DEFAULTS, weightDecay: 1e-2, ...options })
  }

  override _check(group: ParameterGroup<AdamOptions>): void {
    check('AdamW', group)
  }

  override _update(p: Parameter, gradient: Tensor, group: ParameterGroup<AdamOptions>, state: ParameterState): void {
    const { lr, weightDecay } = group
    const shrunk = weightDecay === 0 ? p : mul(p, distinct(1 - lr * weightDecay))
    p.assign(sub(shrunk, change(p, gradient, group, state)))
  }
}
