/** Pooling as modules. */
import { avgPool2d } from '../generated/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { adaptiveAvgPool2d, adaptiveMaxPool2d } from '../tensor/windows.ts'
import type { Pair } from './functional/pair.ts'
import { adaptiveAvgPool1d, adaptiveMaxPool1d, avgPool1d, maxPool1d, maxPool2d } from './functional/pooling.ts'
import { Module } from './module.ts'

/** Options of max pooling. */
export interface PoolOptions<Size = Pair> {
  /** Step of the window; its size when left out. */
  stride?: Size | null
  /** Padding around the image. Default 0. */
  padding?: Size
}

/** Options of average pooling. */
export interface AvgPoolOptions<Size = Pair> extends PoolOptions<Size> {
  /** Whether the padding's zeros count. Default true. */
  countIncludePad?: boolean
}

/** The largest value of each window: [N, C, L] to [N, C, L']. */
export class MaxPool1d extends Module {
  readonly stride: number
  readonly padding: number

  constructor(
    readonly size: number,
    options: PoolOptions<number> = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
  }

  forward(x: Tensor): Tensor {
    return maxPool1d(x, this.size, { stride: this.stride, padding: this.padding })
  }
}

/** The largest value of each window: [N, C, H, W] to [N, C, H', W']. */
export class MaxPool2d extends Module {
  readonly stride: Pair
  readonly padding: Pair

  constructor(
    readonly size: Pair,
    options: PoolOptions = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.size, { stride: this.stride, padding: this.padding })
  }
}

/** The mean of each window: [N, C, L] to [N, C, L']. */
export class AvgPool1d extends Module {
  readonly stride: number
  readonly padding: number
  readonly countIncludePad: boolean

  constructor(
    readonly size: number,
    options: AvgPoolOptions<number> = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
    this.countIncludePad = options.countIncludePad ?? true
  }

  forward(x: Tensor): Tensor {
    const { stride, padding, countIncludePad } = this
    return avgPool1d(x, this.size, { stride, padding, countIncludePad })
  }
}

/** The mean of each window: [N, C, H, W] to [N, C, H', W']. */
export class AvgPool2d extends Module {
  readonly stride: Pair
  readonly padding: Pair
  readonly countIncludePad: boolean

  constructor(
    readonly size: Pair,
    options: AvgPoolOptions = {},
  ) {
    super()
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
    this.countIncludePad = options.countIncludePad ?? true
  }

  forward(x: Tensor): Tensor {
    const { stride, padding, countIncludePad } = this
    return avgPool2d(x, this.size, { stride, padding, countIncludePad })
  }
}

/** The means of `size` parts of each channel: [N, C, L] to [N, C, size]. */
export class AdaptiveAvgPool1d extends Module {
  constructor(readonly size: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.size)
  }
}

/** The largest elements of `size` parts of each channel: [N, C, L] to [N, C, size]. */
export class AdaptiveMaxPool1d extends Module {
  constructor(readonly size: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return adaptiveMaxPool1d(x, this.size)
  }
}

/** The means of the parts of each channel: [N, C, H, W] to [N, C, ...size]; null keeps a dimension as it is. */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly size: number | readonly [height: number | null, width: number | null]) {
    super()
  }

  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.size)
  }
}

/** The largest values of the parts of each channel: [N, C, H, W] to [N, C, ...size]; null keeps a dimension. */
export class AdaptiveMaxPool2d extends Module {
  constructor(readonly size: number | readonly [height: number | null, width: number | null]) {
    super()
  }

  forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.size)
  }
}

/** The mean of each channel: [N, C, ...] to [N, C]. */
export class GlobalAvgPool extends Module {
  forward(x: Tensor): Tensor {
    return x.flatten(2).mean({ dim: 2 })
  }
}

/** The largest value of each channel: [N, C, ...] to [N, C]. */
export class GlobalMaxPool extends Module {
  forward(x: Tensor): Tensor {
    return x.flatten(2).max({ dim: 2 })
  }
}
