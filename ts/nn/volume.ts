/** Convolution and pooling of volumes as modules. */
import type { Tensor } from '../tensor/tensor.ts'
import { checkGroups } from './conv.ts'
import { type Triple, triple } from './functional/pair.ts'
import { avgPool3d, conv3d, maxPool3d } from './functional/volume.ts'
import { layerDefaults } from './init.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'
import type { AvgPoolOptions, PoolOptions } from './pooling.ts'

/** Options of {@link Conv3d}. */
export interface Conv3dOptions {
  /** Step of the window. Default 1. */
  stride?: Triple
  /** Zeros around the volume. Default 0. */
  padding?: Triple
  /** Distance of the window's taps. Default 1. */
  dilation?: Triple
  /** Groups of channels that don't see each other. Default 1. */
  groups?: number
  /** Default true. */
  bias?: boolean
}

/** Cross-correlation of volumes [N, in, D, H, W] with learned windows: [N, out, D', H', W']. */
export class Conv3d extends Module {
  weight: Parameter // [out, in / groups, KD, KH, KW]
  bias: Parameter | null // [out]
  readonly stride: Triple
  readonly padding: Triple
  readonly dilation: Triple
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: Triple, options: Conv3dOptions = {}) {
    super()
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options
    checkGroups('Conv3d', inChannels, outChannels, groups)
    this.stride = stride
    this.padding = padding
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(outChannels, inChannels / groups, ...triple(kernel, 'Conv3d', 'kernel', 1))
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, dilation, groups } = this
    return conv3d(x, this.weight, { bias, stride, padding, dilation, groups })
  }
}

/** The largest value of each window: [N, C, D, H, W] to [N, C, D', H', W']. */
export class MaxPool3d extends Module {
  readonly stride: Triple
  readonly padding: Triple

  constructor(
    readonly size: Triple,
    options: PoolOptions<Triple> = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
  }

  forward(x: Tensor): Tensor {
    return maxPool3d(x, this.size, { stride: this.stride, padding: this.padding })
  }
}

/** The mean of each window: [N, C, D, H, W] to [N, C, D', H', W']. */
export class AvgPool3d extends Module {
  readonly stride: Triple
  readonly padding: Triple
  readonly countIncludePad: boolean

  constructor(
    readonly size: Triple,
    options: AvgPoolOptions<Triple> = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
    this.countIncludePad = options.countIncludePad ?? true
  }

  forward(x: Tensor): Tensor {
    const { stride, padding, countIncludePad } = this
    return avgPool3d(x, this.size, { stride, padding, countIncludePad })
  }
}
