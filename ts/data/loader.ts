/** Batches of a dataset. */
import { refuse } from '../native/errors.ts'
import type { TypedArray } from '../native/types.ts'
import { nextSeed, shuffled } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Collated, collate as stackItems } from './collate.ts'
import type { BatchedDataset, Dataset } from './dataset.ts'

export interface LoaderOptions<T, B> {
  /** Items in a batch. Default 1. */
  batchSize?: number
  /** A new order in each pass. Default false. */
  shuffle?: boolean
  /** Of the order; drawn from the library's generator in each pass when left out. */
  seed?: number
  /** Leaves out a last batch with fewer items. Default false. */
  dropLast?: boolean
  /** Makes a batch of items; by default numbers and tensors are stacked, also within arrays and records. */
  collate?: (items: T[]) => B
}

const isBatched = <T, B>(dataset: Dataset<T>): dataset is BatchedDataset<T, B> =>
  typeof (dataset as Partial<BatchedDataset<T, B>>).batch === 'function'

/** The batches of a dataset, in order or shuffled; each `for await` is one pass. */
export class DataLoader<T = Tensor | number | TypedArray, B = Collated<T>> implements AsyncIterable<B> {
  readonly dataset: Dataset<T>
  readonly batchSize: number
  readonly #options: LoaderOptions<T, B>
  #passes = 0

  constructor(dataset: Dataset<T>, options: LoaderOptions<T, B> = {}) {
    const { batchSize = 1, shuffle = false, seed, dropLast = false, collate } = options
    const op = 'DataLoader'
    if (!Number.isSafeInteger(dataset?.length)) refuse(op, 'dataset', 'a dataset with a length', dataset)
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      refuse(op, 'batchSize', 'a whole number from 1 on', batchSize)
    }
    if (typeof shuffle !== 'boolean') refuse(op, 'shuffle', 'a boolean', shuffle)
    if (typeof dropLast !== 'boolean') refuse(op, 'dropLast', 'a boolean', dropLast)
    if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
      refuse(op, 'seed', 'an integer from 0 to 2^53 - 1', seed)
    }
    if (collate !== undefined && typeof collate !== 'function') refuse(op, 'collate', 'a function', collate)
    this.dataset = dataset
    this.batchSize = batchSize
    this.#options = options
  }

  /** Batches in a pass. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize
    return this.#options.dropLast ? Math.floor(batches) : Math.ceil(batches)
  }

  #order(): Int32Array {
    const { length } = this.dataset
    const { shuffle, seed } = this.#options
    if (!shuffle) return Int32Array.from({ length }, (_, i) => i)
    return shuffled(length, seed === undefined ? nextSeed() : [seed, this.#passes])
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const order = this.#order()
    this.#passes++
    for (let i = 0; i < this.length; i++) {
      yield await this.#batch(order.subarray(i * this.batchSize, (i + 1) * this.batchSize))
    }
  }

  async #batch(indices: Int32Array): Promise<B> {
    const { collate } = this.#options
    const { dataset } = this
    if (!collate && isBatched<T, B>(dataset)) return dataset.batch(indices)
    const items = await Promise.all(Array.from(indices, (index) => dataset.get(index)))
    return collate ? collate(items) : (stackItems(items) as B)
  }
}
