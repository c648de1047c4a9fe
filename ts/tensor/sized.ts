/** Functions whose results are as large as the values say: they read their argument, so they are not for models. */
import { ne } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate, type TypedArray } from '../native/types.ts'
import { tensor } from './create.ts'
import { readOne } from './read.ts'
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

/** The order of two elements, of which a NaN is the larger. */
function compared(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1
  if (a > b) return 1
  return Number(a !== a) - Number(b !== b)
}
