/** Items into a batch. */
import { native } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate, type TypedArray } from '../native/types.ts'
import { stack } from '../tensor/compose.ts'
import { leaf, tensor } from '../tensor/create.ts'
import { sameShape } from '../tensor/structure.ts'
import type { Tensor } from '../tensor/tensor.ts'

type Single = Tensor | TypedArray | number | boolean | bigint

/** What a batch of items of type `T` is: a tensor of numbers or tensors, arrays and records of such. */
export type Collated<T> = T extends Single
  ? Tensor
  : T extends string
    ? string[]
    : { -readonly [K in keyof T]: Collated<T[K]> }

/**
 * A batch of `items`: numbers and booleans become a tensor [N] (whole numbers i32, others f32), tensors and typed
 * arrays are stacked, arrays and records go field by field, strings stay a list.
 */
export function collate<T>(items: readonly T[]): Collated<T> {
  return joined(items, 'item') as Collated<T>
}

/** A batch of tensors that are there already, as a leaf: what a loader makes ahead then stays out of the graph. */
function copied(items: readonly Tensor[]): Tensor | null {
  const first = items[0]!
  const plain = items.every((x) => {
    return isTensor(x) && x._kind === 0 && x._device === 0 && !x.requiresGrad && x.dtype === first.dtype
  })
  if (!plain || !items.every((x) => sameShape(x, first) && native.isReady(x._id))) return null
  const data = allocate(first._dtype, items.length * first.size)
  items.forEach((x, i) => native.copyOut(x._id, data.subarray(i * first.size, (i + 1) * first.size)))
  return leaf(data, first._dtype, [items.length, ...first.shape], { device: 'cpu' })
}

function joined(items: readonly unknown[], path: string): unknown {
  const [first] = items
  if (isTensor(first)) return copied(items as Tensor[]) ?? stack(items as Tensor[])
  if (ArrayBuffer.isView(first))
    return joined(
      (items as TypedArray[]).map((item) => tensor(item)),
      path,
    )
  switch (typeof first) {
    case 'number':
      return tensor(items as number[], { dtype: items.every(Number.isInteger) ? 'i32' : 'f32' })
    case 'boolean':
    case 'bigint':
      return tensor(items as boolean[])
    case 'string':
      return items
    case 'object':
      if (Array.isArray(first)) {
        return first.map((_, i) =>
          joined(
            (items as unknown[][]).map((item) => item[i]),
            `${path}[${i}]`,
          ),
        )
      }
      if (first !== null && Object.getPrototypeOf(first) === Object.prototype) {
        const records = items as Record<string, unknown>[]
        const fields = Object.keys(first).map((key) => {
          return [
            key,
            joined(
              records.map((item) => item[key]),
              `${path}.${key}`,
            ),
          ] as const
        })
        return Object.fromEntries(fields)
      }
      break
    default:
  }
  return refuse('collate', path, 'numbers, tensors, typed arrays, strings, or arrays and records of them', first)
}
