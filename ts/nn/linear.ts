import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { bilinear, linear } from './functional/linear.ts'
import { layerDefaults, uniform } from './init.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** A whole number from `least` on, or an ArgumentError. */
export function count(value: number, op: string, argument: string, least = 1): number {
  const what = `a whole number from ${least} on`
  return Number.isSafeInteger(value) && value >= least ? value : refuse(op, argument, what, value)
}

/** y = x Wᵀ + b: [..., in] to [..., out]. Weights start as PyTorch's: uniform within 1 / √in. */
export class Linear extends Module {
  weight: Parameter // [out, in]
  bias: Parameter | null // [out]

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

/** y_k = aᵀ W_k b + bias_k: [..., in1] and [..., in2] to [..., out]. */
export class Bilinear extends Module<[Tensor, Tensor]> {
  weight: Parameter // [out, in1, in2]
  bias: Parameter | null // [out]

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: { bias?: boolean } = {}) {
    super()
    const in1 = count(in1Features, 'Bilinear', 'in1Features')
    const in2 = count(in2Features, 'Bilinear', 'in2Features')
    const out = count(outFeatures, 'Bilinear', 'outFeatures')
    const bound = 1 / Math.sqrt(in1)
    this.weight = uniform(unset(out, in1, in2), -bound, bound)
    this.bias = (options.bias ?? true) ? uniform(unset(out), -bound, bound) : null
  }

  forward(a: Tensor, b: Tensor): Tensor {
    return bilinear(a, b, this.weight, { bias: this.bias })
  }
}
