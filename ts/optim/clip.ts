/** Gradients kept within bounds before a step. */
import { add, clamp, concat, div, minimum, mul, reshape, sqrt, square, sum } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import { zeros } from '../tensor/create.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { internally } from './optimizer.ts'

function withGradient(parameters: Iterable<Parameter>): [Parameter, Tensor][] {
  return [...parameters].flatMap((p) => {
    const gradient = p.grad
    return gradient === null ? [] : [[p, gradient] as [Parameter, Tensor]]
  })
}

/**
 * Scales all gradients by the same factor so that their norm as one vector is at most `max`. Returns the norm before.
 * Pascanu et al. 2013, https://arxiv.org/abs/1211.5063
 */
export function clipGradNorm(parameters: Iterable<Parameter>, max: number): Tensor {
  if (typeof max !== 'number' || !(max >= 0)) refuse('clipGradNorm', 'max', 'a number from 0 on', max)
  return internally(() => {
    const all = withGradient(parameters)
    if (all.length === 0) return zeros([])
    const squares = all.map(([, g]) => reshape(sum(square(g)), [1]))
    const norm = sqrt(sum(concat(squares)))
    const factor = minimum(div(distinct(max), add(norm, 1e-6)), 1)
    for (const [p, g] of all) p.grad = mul(g, factor)
    return norm
  })
}

/** Limits every element of every gradient to [-max, max]. */
export function clipGradValue(parameters: Iterable<Parameter>, max: number): void {
  if (typeof max !== 'number' || !(max >= 0)) refuse('clipGradValue', 'max', 'a number from 0 on', max)
  internally(() => {
    for (const [p, g] of withGradient(parameters)) p.grad = clamp(g, { min: -max, max })
  })
}
