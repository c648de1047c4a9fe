/** Windows and channels put in other places, as modules. */
import type { Tensor } from '../tensor/tensor.ts'
import { fold, unfold, type WindowOptions } from '../tensor/windows.ts'
import type { Pair } from './functional/pair.ts'
import { channelShuffle } from './functional/shuffle.ts'
import { Module } from './module.ts'

/** The windows of images as columns: [N, C, H, W] to [N, C h w, count]. */
export class Unfold extends Module {
  /** @internal */ readonly _options: WindowOptions

  constructor(
    readonly size: Pair,
    options: WindowOptions = {},
  ) {
    super()
    this._options = options
  }

  forward(x: Tensor): Tensor {
    return unfold(x, this.size, this._options)
  }
}

/** The sum of windows put back where {@link Unfold} took them from: [N, C h w, count] to [N, C, ...outputSize]. */
export class Fold extends Module {
  /** @internal */ readonly _options: WindowOptions

  constructor(
    readonly outputSize: Pair,
    readonly size: Pair,
    options: WindowOptions = {},
  ) {
    super()
    this._options = options
  }

  forward(x: Tensor): Tensor {
    return fold(x, this.outputSize, this.size, this._options)
  }
}

/** Channels of [N, C, ...] dealt out among `groups` parts. https://arxiv.org/abs/1707.01083 */
export class ChannelShuffle extends Module {
  constructor(readonly groups: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return channelShuffle(x, this.groups)
  }
}
