/** Pooling. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { adaptiveAvgPool2d, adaptiveMaxPool2d } from '../../tensor/windows.ts'
import type { Pair } from './pair.ts'

/** Options of {@link maxPool2d}. */
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

/** Options of {@link maxPool1d}. */
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

/** Means of `size` parts of sequences [N, C, L]: [N, C, size]. */
export function adaptiveAvgPool1d(x: Tensor, size: number): Tensor {
  return adaptiveAvgPool2d(row(x, 'adaptiveAvgPool1d'), [null, size]).squeeze(2)
}

/** The largest elements of `size` parts of sequences [N, C, L]: [N, C, size]. */
export function adaptiveMaxPool1d(x: Tensor, size: number): Tensor {
  return adaptiveMaxPool2d(row(x, 'adaptiveMaxPool1d'), [null, size]).squeeze(2)
}
