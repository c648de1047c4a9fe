/** Convolutions. */
import * as ops from '../../generated/ops.ts'
import { refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type Pair, pair } from './pair.ts'

/** Options of {@link conv2d}. */
export interface Conv2dOptions extends Omit<ops.Conv2dOptions, 'padding'> {
  /** Zeros around the image, or 'same': as many as keep its size (stride 1 only). Default 0. */
  padding?: Pair | 'same' | undefined
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
}

/**
 * Cross-correlation of images [N, C, H, W] with windows [K, C / groups, h, w]: [N, K, H', W'] with
 * H' = ⌊(H + 2 padding - dilation (h - 1) - 1) / stride⌋ + 1.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias, padding = 0, ...rest } = options
  if (!isTensor(x)) refuse('conv2d', 'x', 'a Tensor', x)
  const y =
    padding === 'same'
      ? ops.conv2d(keptSize(x, weight, options), weight, rest)
      : ops.conv2d(x, weight, { ...rest, padding })
  return withBias(y, bias, weight.shape[0]!, 'conv2d')
}

/** y [N, K, H, W] with a number added to each of its channels. */
function withBias(y: Tensor, bias: Tensor | null | undefined, channels: number, op: string): Tensor {
  if (bias === undefined || bias === null) return y
  if (!isTensor(bias)) refuse(op, 'bias', 'a Tensor or null', bias)
  if (bias.rank !== 1 || bias.size !== channels) {
    const [expected, received] = [`[${channels}]`, `[${bias.shape.join(', ')}]`]
    throw new ShapeError(
      `${op}: bias must have shape ${expected}, one number for each channel of the result, got ${received}`,
      { op, argument: 'bias', expected, received },
    )
  }
  return ops.add(y, ops.reshape(bias, [-1, 1, 1]))
}

/** Zeros before and after one dimension that keep its size; the odd one comes after. */
export function samePadding(kernel: number, dilation: number): [before: number, after: number] {
  const total = dilation * (kernel - 1)
  return [Math.floor(total / 2), Math.ceil(total / 2)]
}

/** x with the zeros around it that make the result as large. */
function keptSize(x: Tensor, weight: Tensor, { stride = 1, dilation = 1 }: Conv2dOptions): Tensor {
  if (pair(stride, 'conv2d', 'stride', 1).some((s) => s !== 1))
    refuse('conv2d', 'padding', "a number where stride isn't 1", 'same')
  const [down, across] = pair(dilation, 'conv2d', 'dilation', 1)
  const [height, width] = weight.shape.slice(2) as [number, number]
  return ops.pad(x, [0, 0, 0, 0, ...samePadding(height, down), ...samePadding(width, across)])
}

/** Options of {@link conv1d}. */
export interface Conv1dOptions {
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
  /** Default 1. */
  stride?: number | undefined
  /** Zeros at both ends, or 'same': as many as keep the length (stride 1 only). Default 0. */
  padding?: number | 'same' | undefined
  /** Default 1. */
  dilation?: number | undefined
  /** Default 1. */
  groups?: number | undefined
}

/** Cross-correlation of sequences [N, C, L] with windows [K, C / groups, l]: [N, K, L']. */
export function conv1d(x: Tensor, weight: Tensor, options: Conv1dOptions = {}): Tensor {
  const { bias, stride = 1, padding = 0, dilation = 1, groups } = options
  if (!isTensor(x) || x.rank !== 3) refuse('conv1d', 'x', 'a Tensor of shape [N, C, L]', x)
  if (!isTensor(weight) || weight.rank !== 3) refuse('conv1d', 'weight', 'a Tensor of shape [K, C / groups, l]', weight)
  const across: Conv2dOptions = {
    stride: [1, stride],
    padding: padding === 'same' ? padding : [0, padding],
    dilation: [1, dilation],
  }
  return conv2d(x.unsqueeze(2), weight.unsqueeze(2), { ...across, groups, bias }).squeeze(2)
}

/** Options of {@link convTranspose2d}. */
export interface ConvTranspose2dOptions {
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
  /** Default 1. */
  stride?: Pair | undefined
  /** Rows and columns of the result that are left out on each side. Default 0. */
  padding?: Pair | undefined
  /** Rows and columns added at the end. Default 0. */
  outputPadding?: Pair | undefined
  /** Default 1. */
  dilation?: Pair | undefined
  /** Default 1. */
  groups?: number | undefined
}

/**
 * The transpose of {@link conv2d} as a linear map: [N, C, H, W] with windows [C, K / groups, h, w] to [N, K, H', W'],
 * H' = (H - 1) stride - 2 padding + dilation (h - 1) + outputPadding + 1. Throws an ArgumentError where outputPadding is
 * not less than the stride.
 */
export function convTranspose2d(x: Tensor, weight: Tensor, options: ConvTranspose2dOptions = {}): Tensor {
  const op = 'convTranspose2d'
  const { bias, groups = 1 } = options
  if (!isTensor(x) || x.rank !== 4) refuse(op, 'x', 'a Tensor of shape [N, C, H, W]', x)
  if (!isTensor(weight) || weight.rank !== 4) refuse(op, 'weight', 'a Tensor of shape [C, K / groups, h, w]', weight)
  const [channels, outs, ...kernel] = weight.shape as [number, number, number, number]
  if (x.shape[1] !== channels) refuse(op, 'x', `of ${channels} channels, those of weight`, x)
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
    refuse(op, 'groups', `a divisor of the ${channels} channels`, groups)
  }
  const stride = pair(options.stride ?? 1, op, 'stride', 1)
  const padding = pair(options.padding ?? 0, op, 'padding')
  const after = pair(options.outputPadding ?? 0, op, 'outputPadding')
  const dilation = pair(options.dilation ?? 1, op, 'dilation', 1)
  const wrong = ([0, 1] as const).find((d) => after[d] >= stride[d])
  if (wrong !== undefined) refuse(op, 'outputPadding', `less than the stride ${stride[wrong]}`, after[wrong])
  const size = ([0, 1] as const).map((d) => {
    return (x.shape[d + 2]! - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel[d]! - 1) + after[d] + 1
  }) as [number, number]
  if (size.some((n) => n < 1)) refuse(op, 'padding', 'small enough to leave an image', options.padding)
  const y = ops.convTranspose2d(x, size, weight, { stride, padding, dilation, groups })
  return withBias(y, bias, groups * outs, op)
}

/** Options of {@link convTranspose1d}. */
export interface ConvTranspose1dOptions {
  /** Added to each output channel, [K]. */
  bias?: Tensor | null | undefined
  /** Default 1. */
  stride?: number | undefined
  /** Places of the result that are left out at each end. Default 0. */
  padding?: number | undefined
  /** Places added at the end. Default 0. */
  outputPadding?: number | undefined
  /** Default 1. */
  dilation?: number | undefined
  /** Default 1. */
  groups?: number | undefined
}

/** The transpose of {@link conv1d}: [N, C, L] with windows [C, K / groups, l] to [N, K, L']. */
export function convTranspose1d(x: Tensor, weight: Tensor, options: ConvTranspose1dOptions = {}): Tensor {
  const { bias, stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups } = options
  const op = 'convTranspose1d'
  if (!isTensor(x) || x.rank !== 3) refuse(op, 'x', 'a Tensor of shape [N, C, L]', x)
  if (!isTensor(weight) || weight.rank !== 3) refuse(op, 'weight', 'a Tensor of shape [C, K / groups, l]', weight)
  return convTranspose2d(x.unsqueeze(2), weight.unsqueeze(2), {
    bias,
    stride: [1, stride],
    padding: [0, padding],
    outputPadding: [0, outputPadding],
    dilation: [1, dilation],
    groups,
  }).squeeze(2)
}
