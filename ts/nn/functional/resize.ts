/** Images of other sizes. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { tensor } from '../../tensor/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type Pair, pair } from './pair.ts'

/** Channels [N, C r², H, W] dealt out to r × r places: [N, C, H r, W r]. Shi et al. 2016, https://arxiv.org/abs/1609.05158 */
export function pixelShuffle(x: Tensor, factor: number): Tensor {
  if (!isTensor(x) || x.rank !== 4) refuse('pixelShuffle', 'x', 'a Tensor of shape [N, C, H, W]', x)
  const [n, c, h, w] = x.shape as [number, number, number, number]
  if (!Number.isSafeInteger(factor) || factor < 1 || c % factor ** 2 !== 0) {
    refuse('pixelShuffle', 'factor', `a whole number whose square divides the ${c} channels`, factor)
  }
  const out = c / factor ** 2
  const cells = ops.permute(ops.reshape(x, [n, out, factor, factor, h, w]), [0, 1, 4, 2, 5, 3])
  return ops.reshape(cells, [n, out, h * factor, w * factor])
}

/** The inverse of {@link pixelShuffle}: [N, C, H r, W r] to [N, C r², H, W]. */
export function pixelUnshuffle(x: Tensor, factor: number): Tensor {
  if (!isTensor(x) || x.rank !== 4) refuse('pixelUnshuffle', 'x', 'a Tensor of shape [N, C, H, W]', x)
  const [n, c, h, w] = x.shape as [number, number, number, number]
  if (!Number.isSafeInteger(factor) || factor < 1 || h % factor !== 0 || w % factor !== 0) {
    refuse('pixelUnshuffle', 'factor', `a whole number that divides ${h} and ${w}`, factor)
  }
  const [rows, columns] = [h / factor, w / factor]
  const cells = ops.permute(ops.reshape(x, [n, c, rows, factor, columns, factor]), [0, 1, 3, 5, 2, 4])
  return ops.reshape(cells, [n, c * factor ** 2, rows, columns])
}

export interface InterpolateOptions {
  /** Height and width of the result. */
  size?: Pair | null | undefined
  /** Or what the height and width are multiplied by, rounded down. */
  scaleFactor?: Pair | null | undefined
  /** Default nearest. */
  mode?: 'nearest' | 'bilinear' | undefined
  /** Whether the corners' centres keep their places, with bilinear. Default false. */
  alignCorners?: boolean | undefined
}

/** Where each of `count` elements lies among `size`: the place of its centre; `step` is theirs in the original. */
function places(count: number, size: number, step: number, alignCorners: boolean): Float64Array {
  const at = (i: number) => {
    if (alignCorners) return count > 1 ? (i * (size - 1)) / (count - 1) : 0
    return Math.max(0, (i + 0.5) * step - 0.5)
  }
  return Float64Array.from({ length: count }, (_, i) => at(i))
}

/** The matrix [count, size] that interpolates linearly at these places. */
function between(at: Float64Array, size: number, like: Tensor): Tensor {
  const values = new Float64Array(at.length * size)
  at.forEach((place, i) => {
    const low = Math.min(Math.floor(place), size - 1)
    const high = Math.min(low + 1, size - 1)
    const share = place - low
    values[i * size + low]! += 1 - share
    values[i * size + high]! += share
  })
  return tensor(values, { shape: [at.length, size], dtype: like.dtype, device: like.device })
}

/** Images [N, C, H, W] at another size, each pixel its nearest or a mean of four. Throws for sizes below 1. */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const op = 'interpolate'
  const { size = null, scaleFactor = null, mode = 'nearest', alignCorners = false } = options
  if (!isTensor(x) || x.rank !== 4) refuse(op, 'x', 'a Tensor of shape [N, C, H, W]', x)
  if ((size === null) === (scaleFactor === null)) refuse(op, 'size', 'given where scaleFactor is not', size)
  if (mode !== 'nearest' && mode !== 'bilinear') refuse(op, 'mode', 'nearest or bilinear', mode)
  const from = x.shape.slice(2) as [number, number]
  const factors =
    scaleFactor === null ? null : typeof scaleFactor === 'number' ? [scaleFactor, scaleFactor] : scaleFactor
  const to = factors ? from.map((n, i) => Math.floor(n * factors[i]!)) : pair(size!, op, 'size', 1)
  for (const n of to) if (!Number.isSafeInteger(n) || n < 1) refuse(op, 'size', 'whole numbers from 1 on', n)
  // As PyTorch, a given factor also says where pixels lie, even where the size was rounded.
  const steps = from.map((n, i) => (factors ? 1 / factors[i]! : n / to[i]!))
  if (mode === 'nearest') {
    return [0, 1].reduce((y, d) => {
      if (to[d] === from[d]) return y
      const index = Int32Array.from({ length: to[d]! }, (_, i) => Math.min(Math.floor(i * steps[d]!), from[d]! - 1))
      return ops.indexSelect(y, d + 2, tensor(index, { device: x.device }))
    }, x)
  }
  const [down, across] = [0, 1].map((d) => between(places(to[d]!, from[d]!, steps[d]!, alignCorners), from[d]!, x))
  return ops.matmul(ops.matmul(down!, x), ops.permute(across!, [1, 0]))
}
