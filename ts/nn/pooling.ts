/** Pooling as modules. */
import { avgPool2d, mean } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { maxPool2d, type Pair } from './functional.ts'
import { Module } from './module.ts'

export interface PoolOptions {
  /** Step of the window; its size when left out. */
  stride?: Pair | null
  /** Padding around the image. Default 0. */
  padding?: Pair
}

/** The largest value of each window: [N, C, H, W] to [N, C, H', W']. */
export class MaxPool2d extends Module {
  readonly size: Pair
  readonly stride: Pair
  readonly padding: Pair

  constructor(size: Pair, options: PoolOptions = {}) {
    super()
    this.size = size
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
  }

  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.size, { stride: this.stride, padding: this.padding })
  }
}

/** The mean of each window, zeros of the padding included: [N, C, H, W] to [N, C, H', W']. */
export class AvgPool2d extends Module {
  readonly size: Pair
  readonly stride: Pair
  readonly padding: Pair

  constructor(size: Pair, options: PoolOptions = {}) {
    super()
    this.size = size
    this.stride = options.stride ?? size
    this.padding = options.padding ?? 0
  }

  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.size, { stride: this.stride, padding: this.padding })
  }
}

/** The mean of each channel: [N, C, H, W] to [N, C, 1, 1]. Only an output size of 1 is supported so far. */
export class AdaptiveAvgPool2d extends Module {
  constructor(size: 1) {
    super()
    if (size !== 1) refuse('AdaptiveAvgPool2d', 'size', '1, the only size so far', size)
  }

  forward(x: Tensor): Tensor {
    return mean(x, { dim: [2, 3], keepDim: true })
  }
}
