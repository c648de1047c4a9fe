/** Values that models own. */
import { ones } from '../tensor/create.ts'
import type { Nested } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import type { TypedArray } from '../native/types.ts'

/** A variable that is trained: modules find it in their fields, optimizers take it. */
export class Parameter extends Variable {
  constructor(value: Tensor | Nested | TypedArray, options: { requiresGrad?: boolean } = {}) {
    super(value, { requiresGrad: options.requiresGrad ?? true })
  }
}

/** A parameter of this shape whose values are yet to be set by {@link init}. */
export function unset(...shape: number[]): Parameter {
  return new Parameter(ones(shape))
}
