/** Pooling to a size, and windows as columns. */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { tensor, zeros } from './create.ts'
import { pad } from './padding.ts'
import type { Tensor } from './tensor.ts'

type Pair = number | readonly [height: number, width: number]

/** No plane is larger than this in one dimension: what is asked for by mistake shall not fill the memory. */
const LARGEST = 2 ** 20

function images(x: Tensor, op: string): Tensor {
  if (!isTensor(x)) refuse(op, 'x', 'a Tensor', x)
  if (x.rank !== 3 && x.rank !== 4) refuse(op, 'x', 'images [N, C, H, W] or [C, H, W]', x)
  if (x.shape.slice(-2).includes(0)) {
    throw new ShapeError(`${op}: the planes of shape [${x.shape.join(', ')}] are empty`, {
      op,
      argument: 'x',
      expected: 'planes with elements',
      received: `[${x.shape.join(', ')}]`,
    })
  }
  return x
}

function pair(value: Pair, least: number, op: string, argument: string): readonly [number, number] {
  const both = typeof value === 'number' ? ([value, value] as const) : value
  const fits =
    Array.isArray(both) && both.length === 2 && both.every((n) => Number.isSafeInteger(n) && n >= least && n <= LARGEST)
  return fits ? (both as [number, number]) : refuse(op, argument, `a whole number from ${least} on, or two`, value)
}

/** Window i of `out` over `size` elements: from ⌊i · size / out⌋ to ⌈(i + 1) · size / out⌉. */
function adaptive(size: number, out: number): [start: number, end: number][] {
  return Array.from({ length: out }, (_, i) => [Math.floor((i * size) / out), Math.ceil(((i + 1) * size) / out)])
}

/** The size of the result; null keeps that of x. */
function wanted(x: Tensor, outputSize: number | readonly [number | null, number | null], op: string): [number, number] {
  const given = typeof outputSize === 'number' ? [outputSize, outputSize] : outputSize
  const [h, w] = [x.shape.at(-2)!, x.shape.at(-1)!]
  const full = Array.isArray(given) ? given.map((n: number | null, i) => n ?? (i === 0 ? h : w)) : given
  return [...pair(full as [number, number], 1, op, 'outputSize')] as [number, number]
}

/** Means over the windows of dimension `d`, as a product with a matrix of shares. */
function averaged(x: Tensor, d: -1 | -2, out: number): Tensor {
  const size = x.shape.at(d)!
  if (out === size) return x
  if (out === 1) return ops.mean(x, { dim: d, keepDim: true })
  const shares = new Float64Array(out * size)
  adaptive(size, out).forEach(([start, end], i) => shares.fill(1 / (end - start), i * size + start, i * size + end))
  const matrix = tensor(shares, { shape: [out, size], dtype: x.dtype, device: x.device })
  return d === -2 ? ops.matmul(matrix, x) : ops.matmul(x, ops.permute(matrix, [1, 0]))
}

/**
 * The mean over `outputSize` windows that cover images [N, C, H, W]: [N, C, H', W']. Window i of H' reaches from
 * ⌊i H / H'⌋ to ⌈(i + 1) H / H'⌉.
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: number | readonly [number | null, number | null]): Tensor {
  const [h, w] = wanted(images(x, 'adaptiveAvgPool2d'), outputSize, 'adaptiveAvgPool2d')
  const divides = x.shape.at(-2)! % h === 0 && x.shape.at(-1)! % w === 0
  if (divides && h * w > 1) return ops.avgPool2d(x, [x.shape.at(-2)! / h, x.shape.at(-1)! / w])
  return averaged(averaged(x, -1, w), -2, h)
}

/** Maxima over the windows of dimension `d`, which are filled up to one length with their last element. */
function largest(x: Tensor, d: number, out: number): Tensor {
  const size = x.shape[d]!
  if (out === size) return x
  const parts = adaptive(size, out)
  const length = Math.max(...parts.map(([start, end]) => end - start))
  const places = parts.flatMap(([start, end]) => Array.from({ length }, (_, k) => Math.min(start + k, end - 1)))
  const all = ops.indexSelect(x, d, tensor(Int32Array.from(places), { device: x.device }))
  return ops.max(ops.reshape(all, [...x.shape.slice(0, d), out, length, ...x.shape.slice(d + 1)]), { dim: d + 1 })
}

/** The largest element of each of the windows of {@link adaptiveAvgPool2d}. */
export function adaptiveMaxPool2d(x: Tensor, outputSize: number | readonly [number | null, number | null]): Tensor {
  const [h, w] = wanted(images(x, 'adaptiveMaxPool2d'), outputSize, 'adaptiveMaxPool2d')
  const divides = x.shape.at(-2)! % h === 0 && x.shape.at(-1)! % w === 0
  if (divides) return ops.maxPool2d(x, [x.shape.at(-2)! / h, x.shape.at(-1)! / w])[0]
  return largest(largest(x, x.rank - 1, w), x.rank - 2, h)
}

/** How a window moves, for {@link unfold} and {@link fold}. */
export interface WindowOptions {
  /** Step between windows. Default 1. */
  stride?: Pair | undefined
  /** Zeros around each plane. Default 0. */
  padding?: Pair | undefined
  /** Distance between a window's elements. Default 1. */
  dilation?: Pair | undefined
}

interface Windows {
  kernel: readonly [number, number]
  padding: readonly [number, number]
  /** The padded plane. */
  plane: [number, number]
  /** How many windows there are. */
  count: number
  /** Where each element of each window lies in the plane, element by element of the window. */
  places: () => Int32Array
}

function windows(size: readonly [number, number], kernelSize: Pair, options: WindowOptions, op: string): Windows {
  checkOptions(options, op, ['stride', 'padding', 'dilation'])
  const kernel = pair(kernelSize, 1, op, 'kernelSize')
  const stride = pair(options.stride ?? 1, 1, op, 'stride')
  const dilation = pair(options.dilation ?? 1, 1, op, 'dilation')
  const padding = pair(options.padding ?? 0, 0, op, 'padding')
  const plane = [size[0] + 2 * padding[0], size[1] + 2 * padding[1]] as [number, number]
  const out = [0, 1].map((k) => Math.floor((plane[k]! - dilation[k]! * (kernel[k]! - 1) - 1) / stride[k]!) + 1)
  const [rows, columns] = out as [number, number]
  if (rows < 1 || columns < 1) {
    throw new ShapeError(`${op}: a window of [${kernel.join(', ')}] is larger than the plane [${plane.join(', ')}]`, {
      op,
      argument: 'kernelSize',
      expected: `at most [${plane.join(', ')}]`,
      received: `[${kernel.join(', ')}]`,
    })
  }
  const places = () => {
    const found = new Int32Array(kernel[0] * kernel[1] * rows * columns)
    let at = 0
    for (let i = 0; i < kernel[0]; i++) {
      for (let j = 0; j < kernel[1]; j++) {
        for (let p = 0; p < rows; p++) {
          const row = (p * stride[0] + i * dilation[0]) * plane[1] + j * dilation[1]
          for (let q = 0; q < columns; q++) found[at++] = row + q * stride[1]
        }
      }
    }
    return found
  }
  return { kernel, padding, plane, count: rows * columns, places }
}

/** The windows of images [N, C, H, W] as columns: [N, C · h · w, L], L windows in row-major order. */
export function unfold(x: Tensor, kernelSize: Pair, options: WindowOptions = {}): Tensor {
  const [h, w] = images(x, 'unfold').shape.slice(-2) as [number, number]
  const { kernel, padding, plane, count, places } = windows([h, w], kernelSize, options, 'unfold')
  const padded = pad(x, [padding[1], padding[1], padding[0], padding[0]])
  const lead = x.shape.slice(0, -2)
  const lines = ops.reshape(padded, [...lead, plane[0] * plane[1]])
  const taken = ops.indexSelect(lines, -1, tensor(places(), { device: x.device }))
  const columns = lead.at(-1)! * kernel[0] * kernel[1]
  return ops.reshape(taken, [...lead.slice(0, -1), columns, count])
}

/** Columns [N, C · h · w, L] added up where their windows lie in images [N, C, H, W]: what {@link unfold} is transposed. */
export function fold(x: Tensor, outputSize: Pair, kernelSize: Pair, options: WindowOptions = {}): Tensor {
  if (!isTensor(x)) refuse('fold', 'x', 'a Tensor', x)
  if (x.rank !== 2 && x.rank !== 3) refuse('fold', 'x', 'columns [N, C · h · w, L] or [C · h · w, L]', x)
  const size = pair(outputSize, 1, 'fold', 'outputSize')
  const { kernel, padding, plane, count, places } = windows(size, kernelSize, options, 'fold')
  const [columns, length] = x.shape.slice(-2) as [number, number]
  const each = kernel[0] * kernel[1]
  if (columns % each !== 0 || length !== count) {
    const [expected, received] = [`[..., C · ${each}, ${count}]`, `[${x.shape.join(', ')}]`]
    throw new ShapeError(`fold: x must have shape ${expected}, got ${received}`, {
      op: 'fold',
      argument: 'x',
      expected,
      received,
    })
  }
  const lead = [...x.shape.slice(0, -2), columns / each]
  const source = ops.reshape(x, [...lead, each * count])
  const empty = zeros([...lead, plane[0] * plane[1]], { dtype: x.dtype, device: x.device })
  const added = ops.indexAdd(empty, -1, tensor(places(), { device: x.device }), source)
  const padded = ops.reshape(added, [...lead, ...plane])
  return pad(padded, [-padding[1], -padding[1], -padding[0], -padding[0]])
}
