/** Parts of a tensor by numbers, ranges, the ellipsis, new dimensions, integers and masks. */
import { cast, expand, reshape, scatter, slice, where } from '../generated/ops.ts'
import { ArgumentError, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { TensorLike } from '../native/write.ts'
import { arange, full } from './create.ts'
import { checkMask, type Places, placesOf, selected } from './places.ts'
import type { Tensor } from './tensor.ts'

/** A range of a dimension: start (included), end (excluded), step; null or left out: as far as it goes. */
export type Range = readonly [start?: number | null, end?: number | null, step?: number | null]

/** One index of {@link Tensor.at}. */
export type Index = number | Range | '...' | null | Tensor

const isRange = (index: unknown): index is Range => Array.isArray(index)

/** How many dimensions an index takes: as many as a mask has, none for '...' and a new one. */
function consumed(index: Index): number {
  if (index === null || index === '...') return 0
  return isTensor(index) && index.dtype === 'bool' ? index.rank : 1
}

function whole(value: number, which: string, op: string): number {
  return Number.isSafeInteger(value) ? value : refuse(op, which, 'an integer', value)
}

/** What a range selects of `size` elements: first index and count, in the way of Python's slices. */
function resolve(range: Range, size: number, which: string, op: string): [start: number, length: number, step: number] {
  if (range.length > 3) refuse(op, which, '[start, end, step]', range)
  const step = whole(range[2] ?? 1, `${which}[2]`, op)
  if (step === 0) refuse(op, `${which}[2]`, 'a step other than 0', step)
  const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1]
  const bound = (given: number | null | undefined, otherwise: number, position: number) => {
    if (given === null || given === undefined) return otherwise
    const v = whole(given, `${which}[${position}]`, op)
    return Math.min(highest, Math.max(lowest, v < 0 ? v + size : v))
  }
  const start = bound(range[0], step > 0 ? 0 : size - 1, 0)
  const end = bound(range[1], step > 0 ? size : -1, 1)
  return [start, Math.max(0, Math.ceil((end - start) / step)), step]
}

/** Refuses more indices than there are dimensions, and a second ellipsis. */
function checkCount(shape: readonly number[], index: readonly Index[], op: string): number {
  const used = index.reduce<number>((n, i) => n + consumed(i), 0)
  if (index.filter((i) => i === '...').length > 1) refuse(op, 'index', "indices with one '...'", index)
  if (used > shape.length) {
    throw new ArgumentError(
      `${op}: ${used} indices for a tensor of rank ${shape.length}, shape [${shape.join(', ')}]`,
      { op, argument: 'index', expected: `at most ${shape.length} indices`, received: `${used}` },
    )
  }
  return used
}

/** The part of `x` that `index` names; see {@link Tensor.at}. Throws an ArgumentError naming the index at fault. */
export function at(x: Tensor, index: readonly Index[], op = 'at'): Tensor {
  const { shape } = x
  const used = checkCount(shape, index, op)
  const starts: number[] = []
  const lengths: number[] = []
  const steps: number[] = []
  const result: number[] = [] // the shape once numbers and new dimensions have had their effect
  const places: Places[] = []
  const take = (start: number, length: number, step: number) => {
    starts.push(start)
    lengths.push(length)
    steps.push(step)
  }
  const all = () => {
    const size = shape[starts.length]!
    take(0, size, 1)
    result.push(size)
  }
  index.forEach((entry, position) => {
    const which = `index[${position}]`
    const size = shape[starts.length]!
    if (entry === null) {
      result.push(1)
    } else if (entry === '...') {
      for (let n = shape.length - used; n > 0; n--) all()
    } else if (typeof entry === 'number') {
      const i = whole(entry, which, op) < 0 ? entry + size : entry
      if (i < 0 || i >= size) refuse(op, which, `from ${-size} to ${size - 1} for shape [${shape.join(', ')}]`, entry)
      take(i, 1, 1)
    } else if (isRange(entry)) {
      take(...resolve(entry, size, which, op))
      result.push(lengths[lengths.length - 1]!)
    } else if (isTensor(entry)) {
      const part = shape.slice(starts.length, starts.length + consumed(entry))
      places.push(placesOf(entry, part, result.length, which, op))
      part.forEach(all)
    } else {
      refuse(op, which, "a number, a range, '...', null or a Tensor", entry)
    }
  })
  while (starts.length < shape.length) all()
  const sliced = lengths.some((length, d) => length !== shape[d] || steps[d] !== 1)
  const part = reshape(sliced ? slice(x, starts, lengths, steps) : x, result)
  return places.length === 0 ? part : selected(part, places, op)
}

/** `value` with the shape of the part it is put into and the dtype of the whole. */
function fitted(value: TensorLike, shape: readonly number[], like: Tensor): Tensor {
  if (!isTensor(value)) return full(shape, value, { dtype: like.dtype, device: like.device })
  const cut = Math.max(0, value.rank - shape.length)
  const own = value.shape.slice(0, cut).every((d) => d === 1) ? value.shape.slice(cut) : value.shape
  const offset = shape.length - own.length
  if (offset < 0 || own.some((d, i) => d !== 1 && d !== shape[offset + i])) {
    const [expected, received] = [`[${shape.join(', ')}]`, `[${value.shape.join(', ')}]`]
    throw new ShapeError(`withAt: value has shape ${received} for a part of shape ${expected}`, {
      op: 'withAt',
      argument: 'value',
      expected: `a shape that broadcasts to ${expected}`,
      received,
    })
  }
  const typed = value.dtype === like.dtype ? value : cast(value, like.dtype)
  return expand(reshape(typed, own), shape)
}

/** See {@link Tensor.withAt}. */
export function withAt(x: Tensor, index: readonly Index[], value: TensorLike): Tensor {
  const list: readonly unknown[] = index
  if (!Array.isArray(list)) refuse('withAt', 'index', 'an array of indices', index)
  if (typeof value !== 'number' && !isTensor(value)) refuse('withAt', 'value', 'a Tensor or a number', value)
  const [mask] = index
  if (index.length === 1 && isTensor(mask) && mask.dtype === 'bool' && (!isTensor(value) || value.size === 1)) {
    checkCount(x.shape, index, 'withAt')
    checkMask(mask, x.shape.slice(0, mask.rank), 'index[0]', 'withAt')
    const wide = reshape(mask, [...mask.shape, ...x.shape.slice(mask.rank).map(() => 1)])
    return where(wide, isTensor(value) ? fitted(reshape(value, []), [], x) : value, x)
  }
  const everywhere = reshape(arange(0, x.size, { dtype: 'i32', device: x.device }), x.shape)
  const places = at(everywhere, index, 'withAt')
  const source = reshape(fitted(value, places.shape, x), [places.size])
  return reshape(scatter(reshape(x, [x.size]), 0, reshape(places, [places.size]), source), x.shape)
}
