/** Channels and places exchanged. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'

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

/** Channels [N, C, ...] dealt out among `groups` parts. Zhang et al. 2018, https://arxiv.org/abs/1707.01083 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  if (!isTensor(x) || x.rank < 3) refuse('channelShuffle', 'x', 'a Tensor of shape [N, C, ...]', x)
  const [n, channels, ...rest] = x.shape as [number, number, ...number[]]
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
    refuse('channelShuffle', 'groups', `a divisor of the ${channels} channels`, groups)
  }
  const parts = ops.reshape(x, [n, groups, channels / groups, ...rest])
  return ops.reshape(parts.transpose(1, 2), x.shape)
}
