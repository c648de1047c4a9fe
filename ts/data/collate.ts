/** Items into a batch. */
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { TypedArray } from '../native/types.ts'
import { stack } from '../tensor/compose.ts'
import { tensor } from '../tensor/create.ts'
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

function joined(items: readonly unknown[], path: string): unknown {
  const [first] = items
  if (isTensor(first)) return stack(items as Tensor[])
  if (ArrayBuffer.isView(first)) return stack((items as TypedArray[]).map((item) => tensor(item)))
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
