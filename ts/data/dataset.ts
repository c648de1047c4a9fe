/** What loaders draw from. */
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate, codeOfArray, type TypedArray } from '../native/types.ts'
import { leaf } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Items by index. */
export interface Dataset<T> {
  /** How many items there are. */
  readonly length: number
  /** The item at `index`, from 0 to below `length`. */
  get(index: number): T | Promise<T>
}

/** A dataset that can put a whole batch together faster than from single items. */
export interface BatchedDataset<T, B> extends Dataset<T> {
  /** The items at `indices`, stacked. */
  batch(indices: ArrayLike<number>): B | Promise<B>
}

/** One tensor of each item, all items behind each other in an array. */
export interface Column {
  data: TypedArray
  /** Shape of one item. */
  shape: readonly number[]
  /** Elements become f32 times this number. */
  scale?: number
}

interface Stored extends Column {
  dtype: number
  /** Elements of one item. */
  step: number
}

function stored(column: Column | Tensor, i: number): Stored & { length: number } {
  const which = `columns[${i}]`
  if (isTensor(column)) {
    const [length, ...shape] = column.shape
    if (length === undefined) refuse('TensorDataset', which, 'of rank 1 or more', column)
    return { data: column.dataSync(), shape, dtype: column._dtype, step: shape.reduce((a, b) => a * b, 1), length }
  }
  const { data, shape, scale } = column
  const dtype = ArrayBuffer.isView(data) ? codeOfArray(data) : -1
  if (dtype < 0) refuse('TensorDataset', `${which}.data`, 'a typed array', data)
  if (scale !== undefined && data instanceof BigInt64Array) refuse('TensorDataset', which, 'no i64 with a scale', data)
  const step = shape.reduce((a, b) => a * b, 1)
  const length = data.length / step
  if (!Number.isInteger(length)) refuse('TensorDataset', `${which}.data`, `a multiple of ${step} elements`, data)
  return { ...column, dtype, step, length }
}

/** Tensors held in memory, indexed along their first dimension: an item has one tensor of each. */
export class TensorDataset<T extends readonly Tensor[] = Tensor[]> implements BatchedDataset<T, T> {
  readonly length: number
  readonly #columns: Stored[]

  /** Throws an ArgumentError where the columns differ in length. */
  constructor(...columns: (Column | Tensor)[]) {
    const all = columns.map(stored)
    this.length = all[0]?.length ?? refuse('TensorDataset', 'columns', 'at least one column', columns)
    const other = all.findIndex((column) => column.length !== this.length)
    if (other >= 0) {
      throw new ArgumentError(
        `TensorDataset: columns[${other}] has ${all[other]!.length} items, columns[0] has ${this.length}`,
        { op: 'TensorDataset', argument: `columns[${other}]`, expected: `${this.length} items` },
      )
    }
    this.#columns = all
  }

  /** The item at `index`: one tensor of each column. */
  get(index: number): T {
    return this.#gather([index], false)
  }

  batch(indices: ArrayLike<number>): T {
    return this.#gather(indices, true)
  }

  #gather(indices: ArrayLike<number>, stack: boolean): T {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        refuse('TensorDataset', 'index', `an integer from 0 to ${this.length - 1}`, index)
      }
    }
    return this.#columns.map((column) => {
      const data = picked(column, indices)
      const dtype = column.scale === undefined ? column.dtype : 0
      return leaf(data, dtype, stack ? [indices.length, ...column.shape] : column.shape, {})
    }) as unknown as T
  }
}

/** The items of `column` at `indices`, behind each other. */
function picked({ data, step, dtype, scale }: Stored, indices: ArrayLike<number>): TypedArray {
  const out = allocate(scale === undefined ? dtype : 0, indices.length * step)
  for (let i = 0; i < indices.length; i++) {
    const from = indices[i]! * step
    if (scale === undefined) {
      // Both arrays are of one kind.
      ;(out as Float32Array).set(data.subarray(from, from + step) as Float32Array, i * step)
    } else {
      const source = data as Uint8Array
      for (let k = 0, to = i * step; k < step; k++) out[to + k] = source[from + k]! * scale
    }
  }
  return out
}
