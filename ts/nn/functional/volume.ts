/** Convolution and pooling of volumes, made of those of images. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { conv2d } from './conv.ts'
import { type Triple, triple } from './pair.ts'

function volume(op: string, x: Tensor): [n: number, c: number, d: number, h: number, w: number] {
  if (!isTensor(x) || x.rank !== 5) refuse(op, 'x', 'a Tensor of shape [N, C, D, H, W]', x)
  return x.shape as unknown as [number, number, number, number, number]
}

/** Options of {@link conv3d}. */
export interface Conv3dOptions {
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
  /** Default 1. */
  stride?: Triple | undefined
  /** Zeros around the volume. Default 0. */
  padding?: Triple | undefined
  /** Default 1. */
  dilation?: Triple | undefined
  /** Default 1. */
  groups?: number | undefined
}

/**
 * Cross-correlation of volumes [N, C, D, H, W] with windows [K, C / groups, d, h, w]: [N, K, D', H', W']. It is the
 * convolution of images whose channels are those of the d slices that a window covers.
 */
export function conv3d(x: Tensor, weight: Tensor, options: Conv3dOptions = {}): Tensor {
  const [n, c, depth, h, w] = volume('conv3d', x)
  if (!isTensor(weight) || weight.rank !== 5) {
    refuse('conv3d', 'weight', 'a Tensor of shape [K, C / groups, d, h, w]', weight)
  }
  const [outs, inside, taps, ...kernel] = weight.shape as unknown as [number, number, number, number, number]
  const stride = triple(options.stride ?? 1, 'conv3d', 'stride', 1)
  const padding = triple(options.padding ?? 0, 'conv3d', 'padding')
  const dilation = triple(options.dilation ?? 1, 'conv3d', 'dilation', 1)
  const slices = Math.floor((depth + 2 * padding[0] - dilation[0] * (taps - 1) - 1) / stride[0]) + 1
  if (slices < 1) refuse('conv3d', 'weight', `no deeper than the padded volume (${depth + 2 * padding[0]})`, weight)
  const ends = [padding[0], padding[0]]
  const deep = ops.pad(ops.permute(x, [0, 2, 1, 3, 4]), [0, 0, ...ends, 0, 0, 0, 0, 0, 0]) // [N, D, C, H, W]
  const covered = Array.from({ length: taps }, (_, t) => {
    const part = ops.slice(deep, [0, t * dilation[0], 0, 0, 0], [n, slices, c, h, w], [1, stride[0], 1, 1, 1])
    return ops.reshape(part, [n * slices, c, 1, h, w])
  })
  const images = ops.reshape(ops.concat(covered, { dim: 2 }), [n * slices, c * taps, h, w])
  const windows = ops.reshape(weight, [outs, inside * taps, ...kernel])
  const y = conv2d(images, windows, {
    bias: options.bias,
    groups: options.groups,
    stride: [stride[1], stride[2]],
    padding: [padding[1], padding[2]],
    dilation: [dilation[1], dilation[2]],
  })
  const [rows, columns] = y.shape.slice(2) as [number, number]
  return ops.permute(ops.reshape(y, [n, slices, outs, rows, columns]), [0, 2, 1, 3, 4])
}

/** Options of {@link maxPool3d} and {@link avgPool3d}. */
export interface Pool3dOptions {
  /** Step between windows; their size when left out. */
  stride?: Triple | undefined
  /** Default 0. */
  padding?: Triple | undefined
}

type Pool = (
  x: Tensor,
  size: [number, number],
  options: { stride: [number, number]; padding: [number, number] },
) => Tensor

/** `pool` over height and width, then over depth. */
function pooled(op: string, x: Tensor, size: Triple, options: Pool3dOptions, pool: Pool): Tensor {
  const [n, c, depth, h, w] = volume(op, x)
  const [d, ...window] = triple(size, op, 'size', 1)
  const [down, ...stride] = triple(options.stride ?? size, op, 'stride', 1)
  const [ends, ...padding] = triple(options.padding ?? 0, op, 'padding')
  const flat = pool(ops.reshape(x, [n, c * depth, h, w]), window, { stride, padding })
  const [rows, columns] = flat.shape.slice(2) as [number, number]
  const deep = ops.reshape(flat, [n, c, depth, rows * columns])
  const y = pool(deep, [d, 1], { stride: [down, 1], padding: [ends, 0] })
  return ops.reshape(y, [n, c, y.shape[2]!, rows, columns])
}

/** The largest value of each window of volumes [N, C, D, H, W]: [N, C, D', H', W']. */
export function maxPool3d(x: Tensor, size: Triple, options: Pool3dOptions = {}): Tensor {
  return pooled('maxPool3d', x, size, options, (y, window, steps) => ops.maxPool2d(y, window, steps)[0])
}

/** The mean of each window of volumes [N, C, D, H, W]: [N, C, D', H', W']. */
export function avgPool3d(
  x: Tensor,
  size: Triple,
  options: Pool3dOptions & { countIncludePad?: boolean | undefined } = {},
): Tensor {
  const { countIncludePad, ...rest } = options
  return pooled('avgPool3d', x, size, rest, (y, window, steps) =>
    ops.avgPool2d(y, window, { ...steps, countIncludePad }),
  )
}
