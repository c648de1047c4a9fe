/** Images of other sizes, as modules. */
import { interpolate, type InterpolateOptions } from '../tensor/interpolate.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { pixelShuffle, pixelUnshuffle } from './functional/shuffle.ts'
import { Module } from './module.ts'

/** Channels dealt out to places: [N, C r², H, W] to [N, C, H r, W r]. https://arxiv.org/abs/1609.05158 */
export class PixelShuffle extends Module {
  constructor(readonly factor: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.factor)
  }
}

/** The inverse of {@link PixelShuffle}: [N, C, H r, W r] to [N, C r², H, W]. */
export class PixelUnshuffle extends Module {
  constructor(readonly factor: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return pixelUnshuffle(x, this.factor)
  }
}

/** Images [N, C, H, W] at another size. */
export class Upsample extends Module {
  /** @internal */ readonly _options: InterpolateOptions

  constructor(options: InterpolateOptions) {
    super()
    this._options = options
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, this._options)
  }
}
