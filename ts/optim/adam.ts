import { add, div, mul, sqrt, square, sub } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { moment, Optimizer, type ParameterGroup, type ParameterState, type Target, within } from './optimizer.ts'

export interface AdamOptions {
  /** Default 1e-3. */
  lr: number
  /** Decay of the means of gradients and of their squares. Default [0.9, 0.999]. */
  betas: readonly [number, number]
  /** Added to the root of the mean square. Default 1e-8. */
  eps: number
  /** Default 0; 0.01 in AdamW. */
  weightDecay: number
}

/** The update from the two moments: lr (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps). */
function change(p: Parameter, g: Tensor, { lr, betas, eps }: AdamOptions, state: ParameterState): Tensor {
  const [beta1, beta2] = betas
  const mean = moment(state, 'exp_avg', p)
  const meanSquare = moment(state, 'exp_avg_sq', p)
  const m = add(mean, mul(sub(g, mean), distinct(1 - beta1)))
  const v = add(mul(meanSquare, distinct(beta2)), mul(square(g), distinct(1 - beta2)))
  mean.assign(m)
  meanSquare.assign(v)
  const root = Math.sqrt(1 - beta2 ** state.step)
  const denominator = add(div(sqrt(v), distinct(root)), distinct(eps))
  return mul(div(m, denominator), distinct(lr / (1 - beta1 ** state.step)))
}

function check(op: string, { lr, betas, eps, weightDecay }: AdamOptions): void {
  within(op, 'lr', lr, 0)
  within(op, 'eps', eps, 0)
  within(op, 'weightDecay', weightDecay, 0)
  if (!Array.isArray(betas) || betas.length !== 2) refuse(op, 'betas', 'two numbers', betas)
  within(op, 'betas[0]', betas[0]!, 0, 1)
  within(op, 'betas[1]', betas[1]!, 0, 1)
}

/** Adam, as PyTorch's; weight decay is added to the gradient. Kingma and Ba 2015, https://arxiv.org/abs/1412.6980 */
export class Adam extends Optimizer<AdamOptions> {
  constructor(target: Target<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(target, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, ...options })
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
    super(target, { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, ...options })
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
