/** What changes images at random while a model is trained. */
import { add } from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { taken } from '../tensor/compose.ts'
import { arange } from '../tensor/create.ts'
import { at } from '../tensor/indexing.ts'
import { pad, type PadMode } from '../tensor/padding.ts'
import { randint } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Pair, pair } from './functional/pair.ts'
import { Module } from './module.ts'

/** Options of {@link RandomCrop}. */
export interface RandomCropOptions {
  /** What stands on all sides of an image before it is cropped. Default 0. */
  padding?: number
  /** What the padding holds. Default 'constant'. */
  paddingMode?: PadMode
  /** The number of mode 'constant'. Default 0. */
  fill?: number
}

/**
 * A part of each image, [N, C, H, W] to [N, C, ...size]: in training one at a random place, drawn for each image by
 * itself; in evaluation the middle. With `padding` and the images' own size it shifts them.
 *
 * torchvision's parameters; on batches as Kornia's, https://arxiv.org/abs/1910.02190. Throws a ShapeError where a padded
 * image is smaller than `size`.
 */
export class RandomCrop extends Module {
  readonly size: readonly [height: number, width: number]
  readonly padding: number
  readonly paddingMode: PadMode
  readonly fill: number

  constructor(size: Pair, options: RandomCropOptions = {}) {
    super()
    const { padding = 0, paddingMode = 'constant', fill = 0 } = options
    this.size = pair(size, 'RandomCrop', 'size', 1)
    if (!Number.isSafeInteger(padding) || padding < 0) {
      refuse('RandomCrop', 'padding', 'a whole number from 0 on', padding)
    }
    this.padding = padding
    this.paddingMode = paddingMode
    this.fill = fill
  }

  forward(x: Tensor): Tensor {
    if (!isTensor(x) || x.rank !== 4) refuse('RandomCrop', 'x', 'a Tensor of shape [N, C, H, W]', x)
    const { padding, size } = this
    const sides = [padding, padding, padding, padding]
    const framed = padding === 0 ? x : pad(x, sides, { mode: this.paddingMode, value: this.fill })
    const [n, channels] = x.shape as [number, number]
    const room = size.map((length, i) => framed.shape[2 + i]! - length)
    if (room.some((free) => free < 0)) {
      const [expected, received] = [size.join(' × '), framed.shape.slice(2).join(' × ')]
      throw new ShapeError(`RandomCrop: images of ${received}, padding included, have no part of ${expected}`, {
        op: 'RandomCrop',
        argument: 'x',
        expected: `at least ${expected}`,
        received,
      })
    }
    if (room.every((free) => free === 0)) return framed
    if (!this.training) return size.reduce((y, length, i) => taken(y, 2 + i, room[i]! >> 1, length), framed)
    const { device } = x
    const count = (length: number, shape: number[]) => arange(length, { dtype: 'i32', device }).reshape(shape)
    const start = (free: number) => randint(0, free + 1, { shape: [n, 1, 1, 1], device })
    const rows = add(count(size[0], [size[0], 1]), start(room[0]!)) // [N, 1, h, 1]
    const columns = add(count(size[1], [size[1]]), start(room[1]!)) // [N, 1, 1, w]
    return at(framed, [count(n, [n, 1, 1, 1]), count(channels, [channels, 1, 1]), rows, columns], 'RandomCrop')
  }
}
