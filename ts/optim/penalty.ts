/** Regularisers: terms that are added to a loss. */
import { abs, add, mul, square, sum } from '../generated/ops.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { listOf } from './optimizer.ts'

type Source = Iterable<Parameter> | AnyModule

/** Parameters and how much their size costs. */
export interface PenaltyGroup {
  parameters: Source
  /** Factor of Σ |θ|. Default 0. */
  l1?: number
  /** Factor of Σ θ². Default 0. */
  l2?: number
}

function total(terms: Tensor[], op: string): Tensor {
  const [first, ...others] = terms
  if (first) return others.reduce((a, b) => add(a, b), first)
  throw new ArgumentError(`${op}: there are no parameters`, { op, argument: 'parameters', expected: 'at least one' })
}

/** Σ |θ| over all parameters: a sparse solution (lasso). */
export function l1Penalty(parameters: Source): Tensor {
  const terms = listOf(parameters, 'l1Penalty', 'parameters').map((p) => sum(abs(p)))
  return total(terms, 'l1Penalty')
}

/** Σ θ² over all parameters (ridge); its gradient is that of a coupled weight decay of 2. */
export function l2Penalty(parameters: Source): Tensor {
  const terms = listOf(parameters, 'l2Penalty', 'parameters').map((p) => sum(square(p)))
  return total(terms, 'l2Penalty')
}

/**
 * Σ β θ² + |θ| over all parameters. Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
 */
export function elasticNet(parameters: Source, options: { beta?: number } = {}): Tensor {
  const { beta = 1 } = options
  if (!(Number.isFinite(beta) && beta >= 0)) refuse('elasticNet', 'beta', 'a finite number from 0 on', beta)
  const terms = listOf(parameters, 'elasticNet', 'parameters').map((p) => sum(add(mul(square(p), beta), abs(p))))
  return total(terms, 'elasticNet')
}

/**
 * Σ l1 |θ| + l2 θ² with factors for each group of parameters:
 *
 *     loss.add(optim.penalty([{ parameters: model.features, l2: 1e-4 }, { parameters: model.head, l1: 1e-5 }]))
 */
export function penalty(groups: readonly PenaltyGroup[]): Tensor {
  if (!Array.isArray(groups)) refuse('penalty', 'groups', 'an array of groups', groups)
  const terms = groups.flatMap(({ parameters, l1 = 0, l2 = 0 }: PenaltyGroup, i) => {
    for (const [name, value] of Object.entries({ l1, l2 })) {
      if (!(Number.isFinite(value) && value >= 0)) {
        refuse('penalty', `groups[${i}].${name}`, 'a finite number from 0 on', value)
      }
    }
    return listOf(parameters, 'penalty', `groups[${i}].parameters`).map((p) =>
      sum(add(mul(abs(p), l1), mul(square(p), l2))),
    )
  })
  return total(terms, 'penalty')
}
