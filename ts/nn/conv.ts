/** Convolutions as modules. */
import { refuse } from '../native/errors.ts'
import { pad, type PadMode } from '../tensor/padding.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { conv1d, conv2d, convTranspose1d, convTranspose2d, samePadding } from './functional/conv.ts'
import { type Pair, pair } from './functional/pair.ts'
import { layerDefaults } from './init.ts'
import { count } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** What stands around an image: zeros, the image mirrored, its edge repeated, or the image again. */
export type PaddingMode = 'zeros' | Exclude<PadMode, 'constant'>

interface CommonOptions {
  /** Groups of channels that don't see each other. Default 1. */
  groups?: number
  /** Default true. */
  bias?: boolean
}

/** Options of {@link Conv2d}. */
export interface Conv2dOptions extends CommonOptions {
  /** Step of the window. Default 1. */
  stride?: Pair
  /** How much stands around the image, or 'same': as much as keeps its size (stride 1 only). Default 0. */
  padding?: Pair | 'same'
  /** What stands there: zeros, the image mirrored, its edge repeated, or the image again. Default zeros. */
  paddingMode?: PaddingMode
  /** Distance of the window's taps. Default 1. */
  dilation?: Pair
}

/** Refuses channels that groups don't divide. */
export function checkGroups(op: string, inChannels: number, outChannels: number, groups: number): void {
  count(groups, op, 'groups')
  for (const [name, channels] of Object.entries({ inChannels, outChannels })) {
    if (count(channels, op, name) % groups !== 0) refuse(op, name, `a multiple of groups (${groups})`, channels)
  }
}

const MODES = ['zeros', 'reflect', 'replicate', 'circular'] as const

function checkMode<M>(op: string, mode: M): M {
  if (!(MODES as readonly unknown[]).includes(mode)) refuse(op, 'paddingMode', MODES.join(', '), mode)
  return mode
}

/** Cross-correlation of images [N, in, H, W] with learned windows: [N, out, H', W']. */
export class Conv2d extends Module {
  weight: Parameter // [out, in / groups, KH, KW]
  bias: Parameter | null // [out]
  readonly stride: Pair
  readonly padding: Pair | 'same'
  readonly paddingMode: PaddingMode
  readonly dilation: Pair
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: Conv2dOptions = {}) {
    super()
    const { stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true } = options
    const [height, width] = pair(kernel, 'Conv2d', 'kernel', 1)
    checkGroups('Conv2d', inChannels, outChannels, groups)
    this.stride = stride
    this.padding = padding
    this.paddingMode = checkMode('Conv2d', paddingMode)
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(outChannels, inChannels / groups, height, width)
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, paddingMode, dilation, groups } = this
    if (paddingMode === 'zeros') return conv2d(x, this.weight, { bias, stride, padding, dilation, groups })
    const kernel = this.weight.shape.slice(2)
    const steps = pair(dilation, 'Conv2d', 'dilation', 1)
    const around = padding === 'same' ? null : pair(padding, 'Conv2d', 'padding')
    const edges = ([1, 0] as const).flatMap((d) => {
      return around === null ? samePadding(kernel[d]!, steps[d]) : [around[d], around[d]]
    })
    return conv2d(pad(x, edges, { mode: paddingMode }), this.weight, { bias, stride, dilation, groups })
  }
}

/** Options of {@link Conv1d}. */
export interface Conv1dOptions extends CommonOptions {
  /** Step of the window. Default 1. */
  stride?: number
  /** How much stands at both ends, or 'same': as much as keeps the length (stride 1 only). Default 0. */
  padding?: number | 'same'
  /** What stands there: zeros, the sequence mirrored, its end repeated, or the sequence again. Default zeros. */
  paddingMode?: PaddingMode
  /** Distance of the window's taps. Default 1. */
  dilation?: number
}

/** Cross-correlation of sequences [N, in, L] with learned windows: [N, out, L']. */
export class Conv1d extends Module {
  weight: Parameter // [out, in / groups, K]
  bias: Parameter | null // [out]
  readonly stride: number
  readonly padding: number | 'same'
  readonly paddingMode: PaddingMode
  readonly dilation: number
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: number, options: Conv1dOptions = {}) {
    super()
    const { stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true } = options
    checkGroups('Conv1d', inChannels, outChannels, groups)
    this.stride = stride
    this.padding = padding
    this.paddingMode = checkMode('Conv1d', paddingMode)
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(outChannels, inChannels / groups, count(kernel, 'Conv1d', 'kernel'))
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { bias, stride, padding, paddingMode, dilation, groups } = this
    if (paddingMode === 'zeros') return conv1d(x, this.weight, { bias, stride, padding, dilation, groups })
    const ends = padding === 'same' ? samePadding(this.weight.shape[2]!, dilation) : [padding, padding]
    return conv1d(pad(x, ends, { mode: paddingMode }), this.weight, { bias, stride, dilation, groups })
  }
}

/** Options of {@link ConvTranspose2d}. */
export interface ConvTranspose2dOptions extends CommonOptions {
  /** How far the image's elements are set apart. Default 1. */
  stride?: Pair
  /** Rows and columns of the result that are left out on each side. Default 0. */
  padding?: Pair
  /** Rows and columns added at the end. Default 0. */
  outputPadding?: Pair
  /** Distance of the window's taps. Default 1. */
  dilation?: Pair
}

/** The transpose of a convolution: images [N, in, H, W] to larger ones [N, out, H', W']. */
export class ConvTranspose2d extends Module {
  weight: Parameter // [in, out / groups, KH, KW]
  bias: Parameter | null // [out]
  readonly stride: Pair
  readonly padding: Pair
  readonly outputPadding: Pair
  readonly dilation: Pair
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: ConvTranspose2dOptions = {}) {
    super()
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true } = options
    const [height, width] = pair(kernel, 'ConvTranspose2d', 'kernel', 1)
    checkGroups('ConvTranspose2d', inChannels, outChannels, groups)
    this.stride = stride
    this.padding = padding
    this.outputPadding = outputPadding
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(inChannels, outChannels / groups, height, width)
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, dilation, groups } = this
    return convTranspose2d(x, weight, { bias, stride, padding, outputPadding, dilation, groups })
  }
}

/** Options of {@link ConvTranspose1d}. */
export interface ConvTranspose1dOptions extends CommonOptions {
  /** How far the sequence's elements are set apart. Default 1. */
  stride?: number
  /** Places of the result that are left out at each end. Default 0. */
  padding?: number
  /** Places added at the end. Default 0. */
  outputPadding?: number
  /** Distance of the window's taps. Default 1. */
  dilation?: number
}

/** The transpose of a convolution: sequences [N, in, L] to longer ones [N, out, L']. */
export class ConvTranspose1d extends Module {
  weight: Parameter // [in, out / groups, K]
  bias: Parameter | null // [out]
  readonly stride: number
  readonly padding: number
  readonly outputPadding: number
  readonly dilation: number
  readonly groups: number

  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvTranspose1dOptions = {}) {
    super()
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true } = options
    checkGroups('ConvTranspose1d', inChannels, outChannels, groups)
    this.stride = stride
    this.padding = padding
    this.outputPadding = outputPadding
    this.dilation = dilation
    this.groups = groups
    this.weight = unset(inChannels, outChannels / groups, count(kernel, 'ConvTranspose1d', 'kernel'))
    this.bias = bias ? unset(outChannels) : null
    layerDefaults(this.weight, this.bias)
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, stride, padding, outputPadding, dilation, groups } = this
    return convTranspose1d(x, weight, { bias, stride, padding, outputPadding, dilation, groups })
  }
}
