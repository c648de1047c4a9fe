/** Pooling. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { tensor } from '../../tensor/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Pair } from './pair.ts'

export interface MaxPool2dOptions extends ops.MaxPool2dOptions {
  /** Whether to give also where each maximum was found, i · W + j within its plane, i32. Default false. */
  indices?: boolean | undefined
}

/** The largest value of each window (`size`) of images [N, C, H, W]: [N, C, H', W']. Padding never wins. */
export function maxPool2d(x: Tensor, size: Pair, options: MaxPool2dOptions & { indices: true }): [Tensor, Tensor]
export function maxPool2d(x: Tensor, size: Pair, options?: MaxPool2dOptions & { indices?: false }): Tensor
export function maxPool2d(x: Tensor, size: Pair, options: MaxPool2dOptions = {}): Tensor | [Tensor, Tensor] {
  const { indices = false, ...rest } = options
  if (typeof indices !== 'boolean') refuse('maxPool2d', 'indices', 'a boolean', indices)
  const both = ops.maxPool2d(x, size, rest)
  return indices ? both : both[0]
}

export interface MaxPool1dOptions {
  /** Step between windows; their size when left out. */
  stride?: number | undefined
  /** Default 0. */
  padding?: number | undefined
}

/** x [N, C, L] as images of one row. */
function row(x: Tensor, op: string): Tensor {
  return isTensor(x) && x.rank === 3 ? x.unsqueeze(2) : refuse(op, 'x', 'a Tensor of shape [N, C, L]', x)
}

/** The largest value of each window of sequences [N, C, L]: [N, C, L']. */
export function maxPool1d(x: Tensor, size: number, options: MaxPool1dOptions = {}): Tensor {
  const { stride = size, padding = 0 } = options
  const rows = row(x, 'maxPool1d')
  return maxPool2d(rows, [1, size], { stride: [1, stride], padding: [0, padding] }).squeeze(2)
}

/** The mean of each window of sequences [N, C, L]: [N, C, L']. */
export function avgPool1d(
  x: Tensor,
  size: number,
  options: MaxPool1dOptions & { countIncludePad?: boolean | undefined } = {},
): Tensor {
  const { stride = size, padding = 0, countIncludePad } = options
  const rows = row(x, 'avgPool1d')
  return ops.avgPool2d(rows, [1, size], { stride: [1, stride], padding: [0, padding], countIncludePad }).squeeze(2)
}

/** The matrix [count, size] of means of `count` parts from ⌊i size / count⌋ to ⌈(i + 1) size / count⌉. */
function means(size: number, count: number, like: Tensor): Tensor {
  const values = new Float64Array(count * size)
  for (let i = 0; i < count; i++) {
    const [start, end] = [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)]
    values.fill(1 / (end - start), i * size + start, i * size + end)
  }
  return tensor(values, { shape: [count, size], dtype: like.dtype, device: like.device })
}

/** Means of as many parts as asked of images [N, C, H, W]: [N, C, ...size]; null keeps a dimension as it is. */
export function adaptiveAvgPool2d(x: Tensor, size: number | readonly [number | null, number | null]): Tensor {
  const op = 'adaptiveAvgPool2d'
  if (!isTensor(x) || x.rank < 3) refuse(op, 'x', 'a Tensor of shape [N, C, H, W]', x)
  const [height, width] = x.shape.slice(-2) as [number, number]
  const asked = typeof size === 'number' ? [size, size] : size
  const [rows, columns] = [asked[0] ?? height, asked[1] ?? width]
  for (const n of [rows, columns])
    if (!Number.isSafeInteger(n) || n < 1) refuse(op, 'size', 'whole numbers from 1 on', n)
  if (rows === 1 && columns === 1) return ops.mean(x, { dim: [-2, -1], keepDim: true })
  if (height % rows === 0 && width % columns === 0) return ops.avgPool2d(x, [height / rows, width / columns])
  return ops.matmul(ops.matmul(means(height, rows, x), x), ops.permute(means(width, columns, x), [1, 0]))
}

/** Means of `size` parts of sequences [N, C, L]: [N, C, size]. */
export function adaptiveAvgPool1d(x: Tensor, size: number): Tensor {
  return adaptiveAvgPool2d(row(x, 'adaptiveAvgPool1d'), [null, size]).squeeze(2)
}
