/** Random tensors and the generator they draw from: Philox, the same numbers on every machine. */
import * as ops from '../generated/ops.ts'
import { native } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import type { Device, DType } from '../native/types.ts'
import { type CreateOptions, placed, tensor } from './create.ts'
import { inScope } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** Sizes up to 2^24 are what an f32 uniform number can choose among. */
const CHOICES = 2 ** 24

/** Uniform in [0, 1). */
export function rand(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return placed(ops.uniform(shape, { dtype: options.dtype }), options, 'rand')
}

/** Standard normal. */
export function randn(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return placed(ops.normal(shape, { dtype: options.dtype }), options, 'randn')
}

/** Uniform in [0, 1), of the shape, dtype and device of `x`. */
export function randLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return rand(x.shape, { dtype: x.dtype, device: x.device, ...options })
}

/** Standard normal, of the shape, dtype and device of `x`. */
export function randnLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return randn(x.shape, { dtype: x.dtype, device: x.device, ...options })
}

/** What numbers are drawn as. */
export interface DrawOptions {
  shape: readonly number[]
  dtype?: DType | undefined
  device?: Device | undefined
}

/** Integers from `low` (included) to `high` (excluded), i32. At most 2^24 different ones. */
export function randint(low: number, high: number, options: DrawOptions): Tensor {
  if (!Number.isSafeInteger(low)) refuse('randint', 'low', 'an integer', low)
  if (!Number.isSafeInteger(high) || high <= low || high - low > CHOICES) {
    refuse('randint', 'high', `an integer above low (${low}) and at most low + 2^24`, high)
  }
  const { shape, dtype, device } = options
  return placed(ops.randint(low, shape, high, { dtype }), { device }, 'randint')
}

/** 1 with probability `p`, else 0; f32 unless `dtype` is given. */
export function bernoulli(p: number, options: DrawOptions): Tensor {
  if (typeof p !== 'number' || !(p >= 0 && p <= 1)) refuse('bernoulli', 'p', 'a number from 0 to 1', p)
  const { shape, dtype, device } = options
  return placed(ops.bernoulli(p, shape, { dtype }), { device }, 'bernoulli')
}

/** The numbers below `n` in random order, i32. */
export function permutation(n: number): Tensor {
  return tensor(shuffled(n, nextSeed()))
}

/** Starts the library's generator over. */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) refuse('manualSeed', 'seed', 'an integer from 0 to 2^53 - 1', seed)
  native.seed(seed)
}

/** Runs `fn` with the generator started at `seed`; afterwards it goes on where it was. `fn` must be synchronous. */
export function withSeed<T>(seed: number, fn: () => T): T {
  const [before, offset] = native.randomState()
  manualSeed(seed)
  return inScope('withSeed', fn, () => native.setRandomState(before!, offset!))
}

/** A seed for a generator of JavaScript's own, drawn from the library's. */
export function nextSeed(): [number, number] {
  const [seed, offset] = native.randomState()
  native.setRandomState(seed!, offset! + 1)
  return [seed!, offset!]
}

/** Mixes 32 bits (the finaliser of MurmurHash3). */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Random 32-bit numbers from a seed: sfc32 (Doty-Humphrey, PractRand). */
export function bits(seed: readonly number[]): () => number {
  const words = seed.flatMap((s) => [s >>> 0, Math.floor(s / 2 ** 32) >>> 0])
  let state = 0x9e3779b9
  const word = () => (state = words.reduce((h, w) => mix(h ^ w) + 0x9e3779b9, mix(state)) >>> 0)
  let [a, b, c, counter] = [word(), word(), word(), 1]
  const next = () => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) next()
  return next
}

/** The numbers below `n`, shuffled (Fisher–Yates, unbiased). */
export function shuffled(n: number, seed: readonly number[]): Int32Array {
  if (!Number.isSafeInteger(n) || n < 0) refuse('permutation', 'n', 'a whole number from 0 on', n)
  const next = bits(seed)
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1))
    let r = next()
    while (r >= limit) r = next()
    const j = r % (i + 1)
    const kept = order[i]!
    order[i] = order[j]!
    order[j] = kept
  }
  return order
}
