/** Parts of a tensor by numbers, ranges, the ellipsis and new dimensions. */
import { reshape, slice } from '../generated/ops.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import type { Tensor } from './tensor.ts'

/** A range of a dimension: start (included), end (excluded), step; null or left out: as far as it goes. */
export type Range = readonly [start?: number | null, end?: number | null, step?: number | null]

/** One index of {@link Tensor.at}. */
export type Index = number | Range | '...' | null

const isRange = (index: unknown): index is Range => Array.isArray(index)

function whole(value: number, which: string): number {
  return Number.isSafeInteger(value) ? value : refuse('at', which, 'an integer', value)
}

/** What a range selects of `size` elements: first index and count, in the way of Python's slices. */
function resolve(range: Range, size: number, which: string): [start: number, length: number, step: number] {
  if (range.length > 3) refuse('at', which, '[start, end, step]', range)
  const step = whole(range[2] ?? 1, `${which}[2]`)
  if (step === 0) refuse('at', `${which}[2]`, 'a step other than 0', step)
  const [lowest, highest] = step > 0 ? [0, size] : [-1, size - 1]
  const bound = (given: number | null | undefined, otherwise: number, position: number) => {
    if (given === null || given === undefined) return otherwise
    const v = whole(given, `${which}[${position}]`)
    return Math.min(highest, Math.max(lowest, v < 0 ? v + size : v))
  }
  const start = bound(range[0], step > 0 ? 0 : size - 1, 0)
  const end = bound(range[1], step > 0 ? size : -1, 1)
  return [start, Math.max(0, Math.ceil((end - start) / step)), step]
}

/** The part of `x` that `index` names; see {@link Tensor.at}. Throws an ArgumentError naming the index at fault. */
export function at(x: Tensor, index: readonly Index[]): Tensor {
  const { shape } = x
  const used = index.filter((i) => i !== null && i !== '...').length
  const dots = index.filter((i) => i === '...').length
  if (dots > 1) refuse('at', 'index', "indices with one '...'", index)
  if (used > shape.length) {
    throw new ArgumentError(`at: ${used} indices for a tensor of rank ${shape.length}, shape [${shape.join(', ')}]`, {
      op: 'at',
      argument: 'index',
      expected: `at most ${shape.length} indices`,
      received: `${used}`,
    })
  }
  const starts: number[] = []
  const lengths: number[] = []
  const steps: number[] = []
  const result: number[] = [] // the shape once numbers and new dimensions have had their effect
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
      const i = whole(entry, which) < 0 ? entry + size : entry
      if (i < 0 || i >= size) refuse('at', which, `from ${-size} to ${size - 1} for shape [${shape.join(', ')}]`, entry)
      take(i, 1, 1)
    } else if (isRange(entry)) {
      take(...resolve(entry, size, which))
      result.push(lengths[lengths.length - 1]!)
    } else {
      refuse('at', which, "a number, a range, '...' or null", entry)
    }
  })
  while (starts.length < shape.length) all()
  const sliced = lengths.some((length, d) => length !== shape[d] || steps[d] !== 1)
  const part = sliced ? slice(x, starts, lengths, steps) : x
  return reshape(part, result)
}
