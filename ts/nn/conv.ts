import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { conv2d, type Pair } from './functional.ts'
import { layerDefaults } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

export interface Conv2dOptions {
  /** Step of the window. Default 1. */
  stride?: Pair
  /** Zeros around the image. Default 0. */
  padding?: Pair
  /** Distance of the window's taps. Default 1. */
  dilation?: Pair
  /** Groups of channels that don't see each other. Default 1. */
  groups?: number
  /** Default true. */
  bias?: boolean
}

/** Cross-correlation of images [N, in, H, W] with learned windows: [N, out, H', W']. */
export class Conv2d extends Module {
  readonly weight: Parameter // [out, in / groups, KH, KW]
  readonly bias: Parameter | null // [out]
  readonly stride: Pair
  readonly padding: Pair
  readonly dilation: Pair
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: Conv2dOptions = {}) {
    super()
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options
    const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel
    count(groups, 'Conv2d', 'groups')
    if (count(inChannels, 'Conv2d', 'inChannels') % groups !== 0) {
      refuse('Conv2d', 'inChannels', `a multiple of groups (${groups})`, inChannels)
    }
    if (count(outChannels, 'Conv2d', 'outChannels') % groups !== 0) {
      refuse('Conv2d', 'outChannels', `a multiple of groups (${groups})`, outChannels)
    }
    count(height, 'Conv2d', 'kernel')
    count(width, 'Conv2d', 'kernel')
    this.stride = stride
    this.padding = padding
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(outChannels, inChannels / groups, height, width)
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this
    return conv2d(x, this.weight, { bias, stride, padding, dilation, groups })
  }
}
