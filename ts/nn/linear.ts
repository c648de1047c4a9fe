import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { linear } from './functional.ts'
import { layerDefaults } from './init.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** A whole number from `least` on, or an ArgumentError. */
export function count(value: number, op: string, argument: string, least = 1): number {
  const what = `a whole number from ${least} on`
  return Number.isSafeInteger(value) && value >= least ? value : refuse(op, argument, what, value)
}

/** y = x Wᵀ + b: [..., in] to [..., out]. Weights start as PyTorch's: uniform within 1 / √in. */
export class Linear extends Module {
  readonly weight: Parameter // [out, in]
  readonly bias: Parameter | null // [out]

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super()
    const [out, inside] = [count(outFeatures, 'Linear', 'outFeatures'), count(inFeatures, 'Linear', 'inFeatures')]
    this.weight = unset(out, inside)
    this.bias = (options.bias ?? true) ? unset(out) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias)
  }
}
