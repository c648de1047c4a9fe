/** Gradients kept within bounds before a step. */
import {
  abs,
  add,
  clamp,
  concat,
  div,
  max as largest,
  minimum,
  mul,
  pow,
  reshape,
  sqrt,
  square,
  sum,
} from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import { zeros } from '../tensor/create.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { internally, listOf } from './optimizer.ts'

function withGradient(parameters: Iterable<Parameter> | AnyModule, op: string): [Parameter, Tensor][] {
  return listOf(parameters, op, 'parameters').flatMap((p) => {
    const gradient = p.grad
    return gradient === null ? [] : [[p, gradient] as [Parameter, Tensor]]
  })
}

/** The norm of order `p` of all gradients as one vector. */
function normOf(gradients: readonly Tensor[], p: number): Tensor {
  const all = (parts: (g: Tensor) => Tensor) => concat(gradients.map((g) => reshape(parts(g), [1])))
  if (p === Infinity) return largest(all((g) => largest(abs(g))))
  if (p === 1) return sum(all((g) => sum(abs(g))))
  if (p === 2) return sqrt(sum(all((g) => sum(square(g)))))
  return pow(sum(all((g) => sum(pow(abs(g), p)))), 1 / p)
}

/**
 * Scales all gradients by the same factor so that their norm as one vector is at most `max`. Returns the norm before, which
 * stays readable.
 * `normType` is the order of the norm, 2 by default; Infinity is the largest element. Pascanu et al. 2013,
 * https://arxiv.org/abs/1211.5063
 */
export function clipGradNorm(
  parameters: Iterable<Parameter> | AnyModule,
  max: number,
  options: { normType?: number } = {},
): Tensor {
  const { normType = 2 } = options
  if (typeof max !== 'number' || !(max >= 0)) refuse('clipGradNorm', 'max', 'a number from 0 on', max)
  if (typeof normType !== 'number' || !(normType > 0)) refuse('clipGradNorm', 'normType', 'a number above 0', normType)
  return internally(() => {
    const all = withGradient(parameters, 'clipGradNorm')
    if (all.length === 0) return zeros([])
    const norm = normOf(
      all.map(([, g]) => g),
      normType,
    )
    const factor = minimum(div(distinct(max), add(norm, 1e-6)), 1)
    for (const [p, g] of all) p.grad = mul(g, factor)
    return norm.keep()
  })
}

/** Limits every element of every gradient to [-max, max]. */
export function clipGradValue(parameters: Iterable<Parameter> | AnyModule, max: number): void {
  if (typeof max !== 'number' || !(max >= 0)) refuse('clipGradValue', 'max', 'a number from 0 on', max)
  internally(() => {
    for (const [p, g] of withGradient(parameters, 'clipGradValue')) {
      p.grad = clamp(g, { min: -max, max: max })
    }
  })
}
