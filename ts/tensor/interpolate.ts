/** Images in other sizes. */
import * as ops from '../generated/ops.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { tensor } from './create.ts'
import type { Tensor } from './tensor.ts'

/** Options of {@link interpolate}. */
export interface InterpolateOptions {
  /** The size of the result: one number for each dimension behind the channels, or one for all. */
  size?: number | readonly number[] | null | undefined
  /** In place of `size`: how many times as large the result is. */
  scaleFactor?: number | readonly number[] | null | undefined
  /** 'linear' is for sequences [N, C, L], 'bilinear' for images. Default 'nearest'. */
  mode?: 'nearest' | 'nearest-exact' | 'linear' | 'bilinear' | undefined
  /** Whether the centres of the outermost elements stay where they are, instead of their edges. Default false. */
  alignCorners?: boolean | undefined
}

/** No dimension becomes larger than this: what is asked for by mistake shall not fill the memory. */
const LARGEST = 2 ** 24

/** One dimension: its size, that of the result, and the step in x from one element of the result to the next. */
interface Axis {
  size: number
  out: number
  step: number
}

function numbers(value: number | readonly number[], rank: number, argument: string): readonly number[] {
  const list = typeof value === 'number' ? Array.from({ length: rank }, () => value) : value
  const fits = Array.isArray(list) && list.length === rank && list.every((v) => typeof v === 'number' && v > 0)
  return fits ? list : refuse('interpolate', argument, `a number above 0, or ${rank}`, value)
}

function axes(x: Tensor, options: InterpolateOptions): Axis[] {
  const { size, scaleFactor, alignCorners = false } = options
  const inner = x.shape.slice(2)
  if (((size ?? null) === null) === ((scaleFactor ?? null) === null)) {
    throw new ArgumentError('interpolate: give either size or scaleFactor', {
      op: 'interpolate',
      argument: 'size',
      expected: 'size or scaleFactor',
      received: (size ?? null) === null ? 'neither' : 'both',
    })
  }
  const scales = (scaleFactor ?? null) === null ? null : numbers(scaleFactor!, inner.length, 'scaleFactor')
  const sizes = scales === null ? numbers(size!, inner.length, 'size') : inner.map((n, i) => Math.floor(n * scales[i]!))
  return inner.map((n, i) => {
    const out = sizes[i]!
    if (!Number.isSafeInteger(out) || out < 1 || out > LARGEST) {
      refuse('interpolate', 'size', `whole numbers from 1 to ${LARGEST}`, out)
    }
    if (n === 0) refuse('interpolate', 'x', 'planes with elements', x)
    const step = alignCorners ? (out > 1 ? (n - 1) / (out - 1) : 0) : scales === null ? n / out : 1 / scales[i]!
    return { size: n, out, step }
  })
}

const places = (values: number[], x: Tensor) => tensor(Int32Array.from(values), { device: x.device })

/** Each element of the result the one of x that it lies in; with `centre`, the one that its centre lies in. */
function nearest(x: Tensor, d: number, { size, out, step }: Axis, centre: boolean): Tensor {
  if (out === size && step === 1) return x
  const moved = centre ? 0.5 : 0
  const from = Array.from({ length: out }, (_, i) => Math.min(size - 1, Math.floor(Math.fround((i + moved) * step))))
  return ops.indexSelect(x, d, places(from, x))
}

/** Each element of the result between the two of x beside its centre. */
function linear(x: Tensor, d: number, { size, out, step }: Axis, alignCorners: boolean): Tensor {
  if (out === size && step === 1) return x
  const at = Array.from({ length: out }, (_, i) => (alignCorners ? i * step : Math.max(0, (i + 0.5) * step - 0.5)))
  const low = at.map((v) => Math.min(size - 1, Math.floor(v)))
  const high = low.map((i) => Math.min(size - 1, i + 1))
  const shape = x.shape.map((_, i) => (i === d ? out : 1))
  const weights = Float64Array.from(at, (v, i) => Math.min(1, v - low[i]!))
  const weight = tensor(weights, { shape, dtype: x.dtype, device: x.device })
  const [a, b] = [low, high].map((list) => ops.indexSelect(x, d, places(list, x)))
  return ops.lerp(a!, b!, weight)
}

/**
 * Sequences [N, C, L], images [N, C, H, W] or volumes in another size, by the nearest element or linearly between
 * neighbours, as PyTorch's `interpolate`: with `scaleFactor` coordinates follow the factor, not the rounded size.
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  if (!isTensor(x)) refuse('interpolate', 'x', 'a Tensor', x)
  checkOptions(options ?? null, 'interpolate', ['size', 'scaleFactor', 'mode', 'alignCorners'])
  const { mode = 'nearest', alignCorners = false } = options
  if (x.rank < 3) refuse('interpolate', 'x', 'batches with channels, [N, C, ...]', x)
  const wantedRank = { nearest: x.rank, 'nearest-exact': x.rank, linear: 3, bilinear: 4 }[mode]
  if (wantedRank === undefined) {
    refuse('interpolate', 'mode', "'nearest', 'nearest-exact', 'linear' or 'bilinear'", mode)
  }
  if (wantedRank !== x.rank) refuse('interpolate', 'x', `of rank ${wantedRank} for mode '${mode}'`, x)
  const by = mode === 'linear' || mode === 'bilinear'
  if (alignCorners && !by) refuse('interpolate', 'alignCorners', `false for mode '${mode}'`, alignCorners)
  return axes(x, options).reduce((y, axis, i) => {
    return by ? linear(y, i + 2, axis, alignCorners) : nearest(y, i + 2, axis, mode === 'nearest-exact')
  }, x)
}
