/** Functions that are made of ops. Those with the name of a method do the same as the method. */
import { concat, permute, reshape, slice } from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { sameShape } from './structure.ts'
import type { Tensor } from './tensor.ts'

export { where } from '../generated/ops.ts'

/** Which dimensions a reduction takes away. */
export interface ReduceOptions {
  /** Dimensions to reduce; all when left out. */
  dim?: number | readonly number[] | null | undefined
  /** Whether reduced dimensions stay as 1. Default false. */
  keepDim?: boolean | undefined
}

/** `dim` counted from the start; throws an ArgumentError where there is no such dimension among `rank`. */
export function dimension(dim: number, rank: number, op: string, argument = 'dim'): number {
  const d = dim < 0 ? dim + rank : dim
  if (!Number.isInteger(dim) || d < 0 || d >= rank) {
    refuse(op, argument, rank === 0 ? 'left out for a scalar' : `an integer from ${-rank} to ${rank - 1}`, dim)
  }
  return d
}

/** `x`, or the error that it is no tensor. */
export function checked(x: Tensor, op: string): Tensor {
  return isTensor(x) ? x : refuse(op, 'x', 'a Tensor', x)
}

/** Dimensions `a` and `b` exchanged. */
export function transpose(x: Tensor, a: number, b: number): Tensor {
  const dims = checked(x, 'transpose').shape.map((_, i) => i)
  const from = dimension(a, x.rank, 'transpose', 'a')
  const to = dimension(b, x.rank, 'transpose', 'b')
  dims[from] = to
  dims[to] = from
  return permute(x, dims)
}

/** Dimensions `from` to `to`, both included, as one. */
export function flatten(x: Tensor, from = 0, to = -1): Tensor {
  if (checked(x, 'flatten').rank === 0) return reshape(x, [1])
  const first = dimension(from, x.rank, 'flatten', 'from')
  const last = dimension(to, x.rank, 'flatten', 'to')
  if (last < first) refuse('flatten', 'to', `a dimension not before ${first}`, to)
  const size = x.shape.slice(first, last + 1).reduce((a, b) => a * b, 1)
  return reshape(x, [...x.shape.slice(0, first), size, ...x.shape.slice(last + 1)])
}

/** Without dimension `dim`, which must be 1 (else a ShapeError), or without all dimensions of 1. */
export function squeeze(x: Tensor, dim?: number): Tensor {
  checked(x, 'squeeze')
  if (dim === undefined)
    return reshape(
      x,
      x.shape.filter((d) => d !== 1),
    )
  const d = dimension(dim, x.rank, 'squeeze')
  if (x.shape[d] !== 1) {
    throw new ShapeError(`squeeze: dimension ${dim} of shape [${x.shape.join(', ')}] is not 1`, {
      op: 'squeeze',
      argument: 'dim',
      expected: 'a dimension of 1',
      received: `[${x.shape.join(', ')}]`,
    })
  }
  return reshape(
    x,
    x.shape.filter((_, i) => i !== d),
  )
}

/** With a new dimension of 1 before dimension `dim` (-1: at the end). */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  const d = dimension(dim, checked(x, 'unsqueeze').rank + 1, 'unsqueeze')
  return reshape(x, [...x.shape.slice(0, d), 1, ...x.shape.slice(d)])
}

/** A tensor of the same value; gradients flow through. */
export function clone(x: Tensor): Tensor {
  return reshape(x, checked(x, 'clone').shape)
}

/** Tensors of one shape side by side along a new dimension. */
export function stack(tensors: readonly Tensor[], options: { dim?: number } = {}): Tensor {
  checkOptions(options, 'stack', ['dim'])
  const dim = options.dim ?? 0
  if (!Array.isArray(tensors) || tensors.length === 0) refuse('stack', 'tensors', 'an array of tensors', tensors)
  tensors.forEach((x: unknown, i) => void (isTensor(x) || refuse('stack', `tensors[${i}]`, 'a Tensor', x)))
  const [first] = tensors as readonly Tensor[]
  const other = tensors.findIndex((x: Tensor) => !sameShape(x, first!))
  if (other >= 0) {
    const [expected, received] = [`[${first!.shape.join(', ')}]`, `[${tensors[other]!.shape.join(', ')}]`]
    throw new ShapeError(`stack: tensors[${other}] has shape ${received}, tensors[0] has ${expected}`, {
      op: 'stack',
      argument: `tensors[${other}]`,
      expected,
      received,
    })
  }
  return concat(
    tensors.map((x) => unsqueeze(x, dim)),
    { dim },
  )
}

/** `length` elements of dimension `dim` from `start` on, a negative one counted from the end. */
export function narrow(x: Tensor, dim: number, start: number, length: number): Tensor {
  const d = dimension(dim, checked(x, 'narrow').rank, 'narrow')
  const size = x.shape[d]!
  const from = start < 0 ? start + size : start
  if (!Number.isSafeInteger(start) || from < 0 || from > size)
    refuse('narrow', 'start', `an integer from ${-size} to ${size}`, start)
  if (!Number.isSafeInteger(length) || length < 0 || from + length > size)
    refuse('narrow', 'length', `a whole number up to ${size - from}`, length)
  return taken(x, d, from, length)
}

/** As {@link narrow}, with arguments that are known to be right. */
export function taken(x: Tensor, d: number, start: number, length: number): Tensor {
  if (length === x.shape[d]) return x
  const { shape } = x
  return slice(
    x,
    shape.map((_, i) => (i === d ? start : 0)),
    shape.map((n, i) => (i === d ? length : n)),
    shape.map(() => 1),
  )
}

/** Dimensions moved from the places `from` to the places `to`; the others keep their order. */
export function movedim(x: Tensor, from: number | readonly number[], to: number | readonly number[]): Tensor {
  checked(x, 'movedim')
  const [sources, targets] = [from, to].map((list, k) =>
    distinctDimensions(typeof list === 'number' ? [list] : list, x.rank, 'movedim', k === 0 ? 'from' : 'to'),
  ) as [number[], number[]]
  if (sources.length !== targets.length) refuse('movedim', 'to', `${sources.length} dimensions, as many as from`, to)
  const rest = x.shape.map((_, d) => d).filter((d) => !sources.includes(d))
  const order = x.shape.map((_, d) => (targets.includes(d) ? sources[targets.indexOf(d)]! : rest.shift()!))
  return permute(x, order)
}

/** Dimensions counted from the start; throws an ArgumentError where one isn't there or comes twice. */
export function distinctDimensions(dims: readonly number[], rank: number, op: string, argument: string): number[] {
  if (!Array.isArray(dims)) refuse(op, argument, 'a number or an array of numbers', dims)
  const found = dims.map((d: number) => dimension(d, rank, op, argument))
  if (new Set(found).size !== found.length) refuse(op, argument, 'distinct dimensions', dims)
  return found
}
