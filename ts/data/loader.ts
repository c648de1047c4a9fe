/** Batches of a dataset. */
import { DataError, describeValue, refuse } from '../native/errors.ts'
import type { TypedArray } from '../native/types.ts'
import { nextSeed, withSeed } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Collated, collate as stackItems } from './collate.ts'
import type { BatchedDataset, Dataset } from './dataset.ts'
import { RandomSampler, type Sampler, SequentialSampler } from './samplers.ts'

/** How a {@link DataLoader} makes batches. */
export interface LoaderOptions<T, B> {
  /** Items in a batch. Default 1. */
  batchSize?: number
  /** A new order in each pass. Default false. */
  shuffle?: boolean
  /** Which items a pass draws; in place of `shuffle`. */
  sampler?: Sampler
  /** Of the order; drawn from the library's generator in each pass when left out. */
  seed?: number
  /** Leaves out a last batch with fewer items. Default false. */
  dropLast?: boolean
  /**
   * Changes each item, such as by augmentation. What it draws from the library's generator follows from the pass and the
   * item alone, however far ahead batches are made. Must be synchronous.
   */
  transform?: (item: T) => T
  /** Makes a batch of items; by default numbers and tensors are stacked, also within arrays and records. */
  collate?: (items: T[]) => B
  /** Batches that are made ahead while one is in use; no more, however slow their user is. Default 2. */
  prefetch?: number
}

/** Where a loader is, as plain data: passes begun, and the pass in progress with its batches handed out. */
export interface LoaderState {
  passes: number
  /** Null between passes. */
  seed: readonly number[] | null
  batch: number
}

const isBatched = <T, B>(dataset: Dataset<T>): dataset is BatchedDataset<T, B> =>
  typeof (dataset as Partial<BatchedDataset<T, B>>).batch === 'function'

/** A failure of one item as an error that names it. */
function itemError(index: number, error: unknown): DataError {
  const reason = error instanceof Error ? error.message : describeValue(error)
  const argument = `dataset[${index}]`
  const out = new DataError(`DataLoader: item ${index} can't be loaded: ${reason}`, { op: 'DataLoader', argument })
  out.cause = error
  return out
}

/** The batches of a dataset, in order or shuffled; each `for await` is one pass. */
export class DataLoader<T = Tensor | number | TypedArray, B = Collated<T>> implements AsyncIterable<B> {
  readonly dataset: Dataset<T>
  readonly batchSize: number
  readonly #options: LoaderOptions<T, B>
  readonly #sampler: Sampler
  readonly #prefetch: number
  #state: LoaderState = { passes: 0, seed: null, batch: 0 }
  /** The state to go on from, once. */
  #resumed = false

  constructor(dataset: Dataset<T>, options: LoaderOptions<T, B> = {}) {
    const {
      batchSize = 1,
      shuffle = false,
      sampler,
      seed,
      dropLast = false,
      collate,
      transform,
      prefetch = 2,
    } = options
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
    if (transform !== undefined && typeof transform !== 'function') refuse(op, 'transform', 'a function', transform)
    if (!Number.isSafeInteger(prefetch) || prefetch < 0) refuse(op, 'prefetch', 'a whole number from 0 on', prefetch)
    if (sampler !== undefined && (typeof sampler?.indices !== 'function' || !Number.isSafeInteger(sampler.length))) {
      refuse(op, 'sampler', 'a Sampler', sampler)
    }
    if (sampler !== undefined && shuffle) refuse(op, 'shuffle', 'false where there is a sampler', shuffle)
    this.dataset = dataset
    this.batchSize = batchSize
    this.#options = options
    this.#prefetch = prefetch
    const { length } = dataset
    this.#sampler = sampler ?? (shuffle ? new RandomSampler(length) : new SequentialSampler(length))
  }

  /** Batches in a pass. */
  get length(): number {
    const batches = this.#sampler.length / this.batchSize
    return this.#options.dropLast ? Math.floor(batches) : Math.ceil(batches)
  }

  /** Where the loader is; {@link loadStateDict} goes on from there, to the same batches. */
  stateDict(): LoaderState {
    const { passes, seed, batch } = this.#state
    return seed === null || batch >= this.length ? { passes, seed: null, batch: 0 } : { passes, seed: [...seed], batch }
  }

  /** Takes over what {@link stateDict} gave: the next pass goes on in the middle where that one was. */
  loadStateDict(state: LoaderState): void {
    const { passes, seed, batch } = state
    const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
    if (!count(passes)) refuse('DataLoader', 'passes', 'a whole number from 0 on', passes)
    if (!count(batch) || batch > this.length) refuse('DataLoader', 'batch', `0 to ${this.length}`, batch)
    if (seed !== null && !(Array.isArray(seed) && seed.every(count))) refuse('DataLoader', 'seed', 'two numbers', seed)
    this.#state = { passes, seed, batch }
    this.#resumed = seed !== null
  }

  /** The seed of a new pass. */
  #seed(passes: number): readonly number[] {
    const { seed, shuffle, sampler, transform } = this.#options
    if (seed !== undefined) return [seed, passes]
    return shuffle || sampler || transform ? nextSeed() : [0, 0]
  }

  /** One pass: the batches from the loader's position on. */
  async *[Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    if (!this.#resumed) this.#state = { passes: this.#state.passes + 1, seed: this.#seed(this.#state.passes), batch: 0 }
    this.#resumed = false
    const state = this.#state
    const order = this.#sampler.indices(state.seed!)
    const ahead: Promise<B>[] = []
    const { length } = this
    let made = state.batch
    while (state.batch < length) {
      for (; made < length && ahead.length <= this.#prefetch; made++) {
        const batch = this.#batch(order.subarray(made * this.batchSize, (made + 1) * this.batchSize), state.seed!)
        batch.catch(() => {}) // it is thrown when its turn comes
        ahead.push(batch)
      }
      const batch = await ahead.shift()!
      state.batch++
      yield batch
    }
  }

  async #batch(indices: Int32Array, seed: readonly number[]): Promise<B> {
    const { collate, transform } = this.#options
    const { dataset } = this
    if (!collate && !transform && isBatched<T, B>(dataset)) return dataset.batch(indices)
    const items = await Promise.all(
      Array.from(indices, async (index) => {
        try {
          const item = await dataset.get(index)
          return transform ? withSeed(itemSeed(seed, index), () => transform(item)) : item
        } catch (error) {
          throw itemError(index, error)
        }
      }),
    )
    return collate ? collate(items) : (stackItems(items) as B)
  }
}

/** A seed for one item of a pass: FNV-1a over the pass's seed and the index, 53 bits. */
function itemSeed(seed: readonly number[], index: number): number {
  let [low, high] = [0x811c9dc5, 0xcbf29ce4]
  for (const value of [...seed, index]) {
    for (const word of [value >>> 0, Math.floor(value / 2 ** 32) >>> 0]) {
      low = Math.imul(low ^ word, 0x01000193) >>> 0
      high = Math.imul(high ^ low ^ (word >>> 16), 0x85ebca6b) >>> 0
    }
  }
  return (high & 0x1fffff) * 2 ** 32 + low
}
