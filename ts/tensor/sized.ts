/** Functions whose results are as large as the values say: they read their argument, so they are not for models. */
import { ne, reshape, scatterAdd } from '../generated/ops.ts'
import { DTypeError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate, type TypedArray } from '../native/types.ts'
import { checkOptions } from '../native/write.ts'
import { onesLike, tensor, zeros } from './create.ts'
import { readOne } from './read.ts'
import { sameShape } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** Where the elements that are not 0 stand, in row-major order: [n, rank], i32. `x.at(mask)` gives the elements. */
export async function nonzero(x: Tensor): Promise<Tensor> {
  if (!isTensor(x)) refuse('nonzero', 'x', 'a Tensor', x)
  const { shape, device } = x
  const bits = (await readOne(ne(x, 0))) as Uint8Array
  const found: number[] = []
  bits.forEach((bit, i) => void (bit && found.push(i)))
  const rank = shape.length
  const places = new Int32Array(found.length * rank)
  found.forEach((place, row) => {
    let rest = place
    for (let d = rank - 1; d >= 0; d--) {
      places[row * rank + d] = rest % shape[d]!
      rest = Math.floor(rest / shape[d]!)
    }
  })
  return tensor(places, { shape: [found.length, rank], device })
}

/** What {@link unique} finds. */
export interface Unique {
  /** The different elements in ascending order, [n]. Every NaN is different. */
  values: Tensor
  /** For each element of x its place among the values, i32. */
  inverse: Tensor
  /** How often each value comes, i32. */
  counts: Tensor
}

/** The different elements of `x`, where each of its elements is among them, and how many there are of each. */
export async function unique(x: Tensor): Promise<Unique> {
  if (!isTensor(x)) refuse('unique', 'x', 'a Tensor', x)
  const { shape, dtype, device } = x
  const data = await readOne(x)
  const order = Int32Array.from({ length: data.length }, (_, i) => i).toSorted((a, b) => compared(data[a]!, data[b]!))
  const firsts: number[] = []
  const counts: number[] = []
  const inverse = new Int32Array(data.length)
  for (const [k, place] of order.entries()) {
    if (k === 0 || data[place] !== data[order[k - 1]!]) {
      firsts.push(place)
      counts.push(0)
    }
    inverse[place] = firsts.length - 1
    counts[counts.length - 1]!++
  }
  const values: TypedArray = allocate(x._dtype, firsts.length)
  firsts.forEach((place, i) => (values[i] = data[place]!))
  return {
    values: tensor(values, { dtype, device }),
    inverse: tensor(inverse, { shape, device }),
    counts: tensor(Int32Array.from(counts), { device }),
  }
}

/** What {@link bincount} counts, and how far. */
export interface BincountOptions {
  /** What each element counts for, of its shape; 1 where left out. */
  weights?: Tensor | undefined
  /** The least length of the result. Default 0. */
  minLength?: number | undefined
}

/**
 * How often each of 0, 1, … comes among integers, i32, or the sums of their weights in the weights' dtype: as long as the
 * largest integer needs. Throws a DTypeError for other elements, an ArgumentError where one is below 0.
 */
export async function bincount(x: Tensor, options: BincountOptions = {}): Promise<Tensor> {
  if (!isTensor(x)) refuse('bincount', 'x', 'a Tensor', x)
  checkOptions(options, 'bincount', ['weights', 'minLength'])
  const { weights, minLength = 0 } = options
  if (x.dtype.startsWith('f') || x.dtype === 'bool') {
    throw new DTypeError(`bincount: x must hold integers, got ${x.dtype}`, {
      op: 'bincount',
      argument: 'x',
      expected: 'integers',
      received: x.dtype,
    })
  }
  if (!Number.isSafeInteger(minLength) || minLength < 0) {
    refuse('bincount', 'minLength', 'a whole number from 0 on', minLength)
  }
  if (weights !== undefined && (!isTensor(weights) || !sameShape(weights, x))) {
    refuse('bincount', 'weights', `a Tensor of shape [${x.shape.join(', ')}]`, weights)
  }
  const places = Array.from((await readOne(x)) as ArrayLike<number | bigint>, Number)
  const [low, high] = places.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [0, -1])
  if (low < 0) refuse('bincount', 'x', 'integers from 0 on', low)
  const length = Math.max(high + 1, minLength)
  const zero = zeros([length], { dtype: weights?.dtype ?? 'i32', device: x.device })
  const index = tensor(Int32Array.from(places), { device: x.device })
  return scatterAdd(zero, 0, index, weights === undefined ? onesLike(index) : reshape(weights, [x.size]))
}

/** The order of two elements, of which a NaN is the larger. */
function compared(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1
  if (a > b) return 1
  return Number(a !== a) - Number(b !== b)
}
