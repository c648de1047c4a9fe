/** What loaders draw from. */
import { native } from '../native/addon.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor, taken } from '../native/record.ts'
import { codeOfArray, type TypedArray } from '../native/types.ts'
import { leaf } from '../tensor/create.ts'
import { defaultDevice } from '../tensor/defaults.ts'
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

/** A column as the loader's threads read it. */
interface Stored {
  /** On the CPU, of the shape [items, ...item]. */
  readonly rows: Tensor
  /** NaN where elements stay what they are. */
  readonly scale: number
}

/** The device that rows are taken from. */
const CPU = 'cpu'

function stored(column: Column | Tensor, i: number): Stored {
  const which = `columns[${i}]`
  if (isTensor(column)) {
    if (column.rank === 0) refuse('TensorDataset', which, 'of rank 1 or more', column)
    return { rows: leaf(column.dataSync(), column._dtype, column.shape, { device: CPU }), scale: NaN }
  }
  const { data, shape, scale = NaN } = column
  const dtype = ArrayBuffer.isView(data) ? codeOfArray(data) : -1
  if (dtype < 0) refuse('TensorDataset', `${which}.data`, 'a typed array', data)
  if (!Number.isNaN(scale) && data instanceof BigInt64Array) {
    refuse('TensorDataset', which, 'no i64 with a scale', data)
  }
  const step = shape.reduce((a, b) => a * b, 1)
  const length = data.length / step
  if (!Number.isInteger(length)) refuse('TensorDataset', `${which}.data`, `a multiple of ${step} elements`, data)
  return { rows: leaf(data, dtype, [length, ...shape], { device: CPU }), scale }
}

/**
 * Tensors held in memory, indexed along their first dimension: an item has one tensor of each.
 *
 * What it is given is copied. Batches are put together on a thread of their own.
 */
export class TensorDataset<T extends readonly Tensor[] = Tensor[]> implements BatchedDataset<T, T> {
  readonly length: number
  readonly #columns: readonly Stored[]

  /** Throws an ArgumentError where the columns differ in length. */
  constructor(...columns: (Column | Tensor)[]) {
    const all = columns.map(stored)
    const [first] = all
    this.length = first?.rows.shape[0] ?? refuse('TensorDataset', 'columns', 'at least one column', columns)
    all.forEach(({ rows }, i) => {
      if (rows.shape[0] === this.length) return
      throw new ArgumentError(
        `TensorDataset: columns[${i}] has ${rows.shape[0]} items, columns[0] has ${this.length}`,
        { op: 'TensorDataset', argument: `columns[${i}]`, expected: `${this.length} items` },
      )
    })
    this.#columns = all
  }

  /** The item at `index`: one tensor of each column. */
  get(index: number): T {
    const rows = this.#rows([index])
    return taken(native.gatherRows(this.#handles(), this.#scales(), rows, defaultDevice(), false)) as unknown as T
  }

  /** The items at `indices`, stacked. */
  async batch(indices: ArrayLike<number>): Promise<T> {
    const rows = this.#rows(indices)
    const prepared = await native.gatherRows(this.#handles(), this.#scales(), rows, defaultDevice(), true)
    return taken(prepared) as unknown as T
  }

  #handles(): number[] {
    return this.#columns.map(({ rows }) => rows._id)
  }

  #scales(): number[] {
    return this.#columns.map(({ scale }) => scale)
  }

  #rows(indices: ArrayLike<number>): Int32Array {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        refuse('TensorDataset', 'index', `an integer from 0 to ${this.length - 1}`, index)
      }
    }
    return Int32Array.from(indices)
  }
}
