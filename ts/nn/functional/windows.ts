/** Windows of images as columns. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { eye } from '../../tensor/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { conv2d, convTranspose2d } from './conv.ts'
import { type Pair, pair } from './pair.ts'

export interface WindowOptions {
  /** Distance of a window's taps. Default 1. */
  dilation?: Pair | undefined
  /** Zeros around the image. Default 0. */
  padding?: Pair | undefined
  /** Step between windows. Default 1. */
  stride?: Pair | undefined
}

/** Windows that pick one element each, for each channel: [C h w, 1, h, w]. */
function picks(channels: number, [height, width]: [number, number], like: Tensor): Tensor {
  const size = height * width
  const one = ops.reshape(eye(size, size, { dtype: like.dtype, device: like.device }), [1, size, height, width])
  return ops.reshape(ops.expand(one, [channels, size, height, width]), [channels * size, 1, height, width])
}

/** The windows of images [N, C, H, W] as columns, [N, C h w, count] (im2col). */
export function unfold(x: Tensor, size: Pair, options: WindowOptions = {}): Tensor {
  if (!isTensor(x) || x.rank !== 4) refuse('unfold', 'x', 'a Tensor of shape [N, C, H, W]', x)
  const channels = x.shape[1]!
  return conv2d(x, picks(channels, pair(size, 'unfold', 'size', 1), x), { ...options, groups: channels }).flatten(2)
}

/** The sum of windows [N, C h w, count] put back where {@link unfold} took them from: [N, C, ...outputSize]. */
export function fold(x: Tensor, outputSize: Pair, size: Pair, options: WindowOptions = {}): Tensor {
  const op = 'fold'
  if (!isTensor(x) || x.rank !== 3) refuse(op, 'x', 'a Tensor of shape [N, C h w, count]', x)
  const window = pair(size, op, 'size', 1)
  const [n, rows, count] = x.shape as [number, number, number]
  const channels = rows / (window[0] * window[1])
  if (!Number.isInteger(channels)) refuse(op, 'x', `of rows in a multiple of the window's ${window.join(' × ')}`, x)
  const stride = pair(options.stride ?? 1, op, 'stride', 1)
  const padding = pair(options.padding ?? 0, op, 'padding')
  const dilation = pair(options.dilation ?? 1, op, 'dilation', 1)
  const whole = pair(outputSize, op, 'outputSize', 1)
  const reach = (d: 0 | 1) => whole[d] + 2 * padding[d] - dilation[d] * (window[d] - 1) - 1
  const places = ([0, 1] as const).map((d) => Math.floor(reach(d) / stride[d]) + 1) as [number, number]
  if (places[0] * places[1] !== count) refuse(op, 'x', `of ${places.join(' × ')} windows for this outputSize`, x)
  // What the stride doesn't reach.
  const outputPadding = ([0, 1] as const).map((d) => reach(d) - (places[d] - 1) * stride[d]) as [number, number]
  const images = ops.reshape(x, [n, rows, ...places])
  const weight = picks(channels, window, x)
  return convTranspose2d(images, weight, { stride, padding, dilation, outputPadding, groups: channels })
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
