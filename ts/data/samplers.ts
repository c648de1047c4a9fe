/** Which items a pass draws, and in which order. */
import { ArgumentError, refuse } from '../native/errors.ts'
import { bits, shuffled } from '../tensor/random.ts'

/** An order of items that follows from a seed alone, so that a pass can be repeated and resumed. */
export interface Sampler {
  /** Items in a pass. */
  readonly length: number
  /** The items of one pass. */
  indices(seed: readonly number[]): Int32Array
}

function whole(op: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) refuse(op, name, 'a whole number from 0 on', value)
}

/** 0, 1, 2, … */
export class SequentialSampler implements Sampler {
  constructor(readonly length: number) {
    whole('SequentialSampler', 'length', length)
  }

  indices(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, i) => i)
  }
}

/** Every item once, in random order. */
export class RandomSampler implements Sampler {
  constructor(readonly length: number) {
    whole('RandomSampler', 'length', length)
  }

  indices(seed: readonly number[]): Int32Array {
    return shuffled(this.length, seed)
  }
}

/** Numbers from 0 to below 1 with 53 random bits. */
function uniform(next: () => number): number {
  return ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53
}

/**
 * `count` items drawn with probabilities in proportion to their weights, with replacement unless it is switched off:
 * then by the largest keys u^(1/w) of Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir".
 */
export class WeightedRandomSampler implements Sampler {
  readonly length: number
  readonly #weights: Float64Array
  readonly #replacement: boolean

  /** Throws an ArgumentError where weights are negative or all 0, or too few for a draw without replacement. */
  constructor(weights: ArrayLike<number>, options: { count?: number; replacement?: boolean } = {}) {
    const op = 'WeightedRandomSampler'
    const { count = weights?.length, replacement = true } = options
    if (typeof weights !== 'object' || !Number.isSafeInteger(weights?.length)) refuse(op, 'weights', 'numbers', weights)
    const all = Float64Array.from(weights)
    const wrong = all.findIndex((w) => !(w >= 0 && w < Infinity))
    if (wrong >= 0) refuse(op, `weights[${wrong}]`, 'a finite number from 0 on', all[wrong])
    whole(op, 'count', count)
    const drawable = all.reduce((n, w) => n + (w > 0 ? 1 : 0), 0)
    const most = replacement ? (drawable > 0 ? Infinity : 0) : drawable
    if (count > most) {
      throw new ArgumentError(`${op}: ${count} items can't be drawn where ${drawable} have a weight above 0`, {
        op,
        argument: 'count',
        expected: `at most ${most}`,
        received: String(count),
      })
    }
    this.length = count
    this.#weights = all
    this.#replacement = replacement
  }

  indices(seed: readonly number[]): Int32Array {
    const next = bits(seed)
    const weights = this.#weights
    if (!this.#replacement) {
      const keys = weights.map((w) => (w > 0 ? Math.log(1 - uniform(next)) / w : -Infinity))
      const order = Int32Array.from(weights, (_, i) => i).toSorted((a, b) => keys[b]! - keys[a]! || a - b)
      return order.slice(0, this.length)
    }
    let total = 0
    const sums = weights.map((w) => (total += w))
    return Int32Array.from({ length: this.length }, () => {
      const u = uniform(next) * total
      let [low, high] = [0, sums.length - 1]
      while (low < high) {
        const middle = (low + high) >> 1
        if (sums[middle]! > u) high = middle
        else low = middle + 1
      }
      return low
    })
  }
}
