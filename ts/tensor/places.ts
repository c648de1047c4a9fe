/** Places that integer tensors and masks name along dimensions. */
import { add, cast, expand, indexSelect, lt, ge, logicalAnd, mul, permute, reshape, where } from '../generated/ops.ts'
import { ArgumentError, DTypeError, ShapeError } from '../native/errors.ts'
import { arange, tensor } from './create.ts'
import { readOneSync } from './read.ts'
import type { Tensor } from './tensor.ts'

/** Places along some neighbouring dimensions, seen as one. */
export interface Places {
  /** The first of the dimensions. */
  axis: number
  /** How many they are. */
  rank: number
  /** How many elements they hold together. */
  size: number
  /** The places; from 0 on where `checked`. */
  index: Tensor
  checked: boolean
}

/** Refuses a mask of another shape than the dimensions it is for. */
export function checkMask(mask: Tensor, shape: readonly number[], which: string, op: string): void {
  if (mask.rank > 0 && mask.rank === shape.length && mask.shape.every((d, i) => d === shape[i])) return
  const [expected, received] = [`[${shape.join(', ')}]`, `[${mask.shape.join(', ')}]`]
  throw new ShapeError(`${op}: ${which} is a mask of shape ${received} for dimensions of shape ${expected}`, {
    op,
    argument: which,
    expected: mask.rank === 0 ? 'a mask with dimensions' : expected,
    received,
  })
}

/**
 * What `index` names of the dimensions of `shape`, the first of which is number `axis`. A mask is read here, since the
 * shape of the result depends on it.
 */
export function placesOf(index: Tensor, shape: readonly number[], axis: number, which: string, op: string): Places {
  if (index.dtype === 'bool') {
    checkMask(index, shape, which, op)
    const bits = readOneSync(index) as Uint8Array
    const found: number[] = []
    bits.forEach((bit, i) => void (bit && found.push(i)))
    const places = tensor(Int32Array.from(found), { device: index.device })
    return { axis, rank: shape.length, size: bits.length, index: places, checked: true }
  }
  if (index.dtype !== 'i32' && index.dtype !== 'i64') {
    throw new DTypeError(`${op}: ${which} is ${index.dtype}; cast it with to('i32'), or make a mask with ne(0)`, {
      op,
      argument: which,
      expected: 'i32, i64 or bool',
      received: index.dtype,
    })
  }
  return { axis, rank: 1, size: shape[0]!, index, checked: false }
}

/** The index with what counts from the end counted from the start; what is out of range stays as it is. */
function fromStart({ index, size, checked }: Places): Tensor {
  if (checked) return index
  return where(logicalAnd(lt(index, 0), ge(index, -size)), add(index, size), index)
}

/** The shape that all of these broadcast to. */
function broadcast(all: readonly Places[], op: string): number[] {
  const rank = Math.max(...all.map((p) => p.index.rank))
  const shape: number[] = Array.from({ length: rank }, () => 1)
  for (const { index } of all) {
    index.shape.forEach((d, i) => {
      const k = rank - index.rank + i
      if (d === 1 || d === shape[k]) return
      if (shape[k] === 1) shape[k] = d
      else {
        const shapes = all.map((p) => `[${p.index.shape.join(', ')}]`).join(' and ')
        throw new ArgumentError(`${op}: indices of shapes ${shapes} can't be broadcast together`, {
          op,
          argument: 'index',
          expected: 'shapes that broadcast',
          received: shapes,
        })
      }
    })
  }
  return shape
}

/** The places of all of these together, in their dimensions seen as one. */
function together(all: readonly Places[], shape: readonly number[]): Tensor {
  if (all.length === 1) return fromStart(all[0]!)
  const checked = all.map((p) => {
    if (p.checked) return p.index
    // Each is looked up among the places that there are, since their sum can't tell which of them was wrong.
    const there = arange(0, p.size, { dtype: 'i32', device: p.index.device })
    return reshape(indexSelect(there, 0, reshape(fromStart(p), [p.index.size])), p.index.shape)
  })
  const sum = checked.reduce((whole, index, i) => (i === 0 ? index : add(mul(whole, all[i]!.size), index)))
  return expand(cast(sum, 'i32'), shape)
}

/**
 * The elements of `x` at these places. The dimensions of the indices stand where those they point into stood, or first
 * where those were apart, as in NumPy and PyTorch.
 */
export function selected(x: Tensor, all: readonly Places[], op: string): Tensor {
  const shape = broadcast(all, op)
  const axes = all.flatMap((p) => Array.from({ length: p.rank }, (_, i) => p.axis + i))
  const apart = axes.some((axis, i) => axis !== axes[0]! + i)
  const rest = x.shape.map((_, d) => d).filter((d) => !axes.includes(d))
  const lined = apart ? permute(x, [...axes, ...rest]) : x
  const first = apart ? 0 : axes[0]!
  const [before, after] = [lined.shape.slice(0, first), lined.shape.slice(first + axes.length)]
  const size = all.reduce((n, p) => n * p.size, 1)
  const index = together(all, shape)
  const flat = indexSelect(reshape(lined, [...before, size, ...after]), first, reshape(index, [index.size]))
  return reshape(flat, [...before, ...shape, ...after])
}
