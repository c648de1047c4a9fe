/** The methods of Tensor that are made of several ops, for its prototype; the functions of that name say more. */
import type { TensorLike } from '../native/write.ts'
import * as compose from './compose.ts'
import * as matrices from './matrices.ts'
import * as movement from './movement.ts'
import { pad, type PadOptions } from './padding.ts'
import * as reductions from './reductions.ts'
import { nanToNum, type NanToNumOptions } from './replace.ts'
import type { Tensor } from './tensor.ts'

type Reduce = compose.ReduceOptions

export interface ComposedMethods {
  // Shapes and parts

  /** Dimensions `a` and `b` exchanged. */
  transpose(a: number, b: number): Tensor
  /** Dimensions `from` to `to`, both included, as one. */
  flatten(from?: number, to?: number): Tensor
  /** Without dimension `dim`, which must be 1, or without all dimensions of 1. */
  squeeze(dim?: number): Tensor
  /** With a new dimension of 1 before dimension `dim` (-1: at the end). */
  unsqueeze(dim: number): Tensor
  /** Dimensions moved from the places `from` to the places `to`; the others keep their order. */
  movedim(from: number | readonly number[], to: number | readonly number[]): Tensor
  /** `length` elements of dimension `dim` from `start` on. */
  narrow(dim: number, start: number, length: number): Tensor
  /** The slices of a dimension (0 unless given), which they lose. */
  unbind(options?: movement.DimOption): Tensor[]
  /** Parts of `size` elements of a dimension (0 unless given), or of the sizes in a list. */
  split(size: number | readonly number[], options?: movement.DimOption): Tensor[]
  /** At most `chunks` parts of a dimension (0 unless given). */
  chunk(chunks: number, options?: movement.DimOption): Tensor[]

  // Repetitions and rotations

  /** Beside itself `repeats[i]` times along dimension i. */
  repeat(repeats: readonly number[]): Tensor
  /** As {@link repeat}; a shorter list counts for the last dimensions. */
  tile(repeats: readonly number[]): Tensor
  /** Each element `repeats` times in a row along a dimension, or of all elements where none is given. */
  repeatInterleave(repeats: number | readonly number[], options?: { dim?: number | null }): Tensor
  /** Elements moved on by `shifts` along `dims`, those that leave one end coming back at the other. */
  roll(shifts: number | readonly number[], dims?: number | readonly number[]): Tensor
  /** Turned by 90° `k` times from the first of two dimensions towards the second. */
  rot90(k?: number, dims?: readonly [number, number]): Tensor
  /** With borders, in PyTorch's order: `[left, right, top, bottom]` of the last dimensions. */
  pad(padding: readonly number[], options?: PadOptions): Tensor

  // Matrices

  /** With zeros above diagonal number `k`. */
  tril(k?: number): Tensor
  /** With zeros below diagonal number `k`. */
  triu(k?: number): Tensor
  /** Diagonal number `k` of matrices [..., N, M]. */
  diagonal(k?: number): Tensor
  /** The matrix with this vector on diagonal number `k`, or that diagonal of this matrix. */
  diag(k?: number): Tensor
  /** The sum of the main diagonal of a matrix. */
  trace(): Tensor

  // Choices

  /** This where `condition` holds, else `other`. */
  where(condition: Tensor, other: TensorLike): Tensor
  /** `value` where `mask` holds, else this. */
  maskedFill(mask: Tensor, value: TensorLike): Tensor
  /** NaN and infinities replaced by numbers. */
  nanToNum(options?: NanToNumOptions): Tensor
  /** Whether it equals `other` within rtol |other| + atol, element by element; bool. */
  isClose(other: Tensor, options?: { rtol?: number; atol?: number; equalNan?: boolean }): Tensor

  // Reductions and order

  /** Standard deviation over dimensions, divided by n - correction. */
  std(options?: Reduce & { correction?: number }): Tensor
  /** (Σ |x|ᵖ)^(1/p) over dimensions; p is 2 unless given. */
  norm(options?: reductions.NormOptions): Tensor
  /** log Σ exp(x), computed without overflow. */
  logsumexp(options?: Reduce): Tensor
  /** How many elements over dimensions are not 0; i64. */
  countNonzero(options?: Reduce): Tensor
  /** The product of all elements up to each along a dimension (-1 unless given). */
  cumprod(options?: { dim?: number }): Tensor
  /** log Σ exp(x) of all elements up to each along a dimension (-1 unless given). */
  logcumsumexp(options?: { dim?: number }): Tensor
  /** The middle element, of an even number the lower one. */
  median(options?: reductions.DimOptions): Tensor
  /** The elements below which the shares `q` of all lie. */
  quantile(q: number | readonly number[], options?: reductions.QuantileOptions): Tensor
  /** The places (i32) of the elements in order along a dimension (-1 unless given). */
  argsort(options?: reductions.ArgsortOptions): Tensor
  /** The `k` largest (or smallest) elements along a dimension (-1 unless given), and their places (i32). */
  topk(k: number, options?: { dim?: number; largest?: boolean }): [values: Tensor, indices: Tensor]
}

const functions = { ...compose, ...movement, ...matrices, ...reductions, pad, nanToNum }

/** A method that calls the function of this name with the tensor before its arguments. */
function method(name: Exclude<keyof ComposedMethods, 'where' | 'maskedFill'>) {
  const call = functions[name] as (x: Tensor, ...args: unknown[]) => unknown
  return function (this: Tensor, ...args: unknown[]) {
    return call(this, ...args)
  }
}

/** Implementations for the prototype of Tensor. */
export const composedMethods = {
  transpose: method('transpose'),
  flatten: method('flatten'),
  squeeze: method('squeeze'),
  unsqueeze: method('unsqueeze'),
  movedim: method('movedim'),
  narrow: method('narrow'),
  unbind: method('unbind'),
  split: method('split'),
  chunk: method('chunk'),
  repeat: method('repeat'),
  tile: method('tile'),
  repeatInterleave: method('repeatInterleave'),
  roll: method('roll'),
  rot90: method('rot90'),
  pad: method('pad'),
  tril: method('tril'),
  triu: method('triu'),
  diagonal: method('diagonal'),
  diag: method('diag'),
  trace: method('trace'),
  where(this: Tensor, condition: Tensor, other: TensorLike) {
    return compose.where(condition, this, other)
  },
  maskedFill(this: Tensor, mask: Tensor, value: TensorLike) {
    return compose.where(mask, value, this)
  },
  nanToNum: method('nanToNum'),
  isClose: method('isClose'),
  std: method('std'),
  norm: method('norm'),
  logsumexp: method('logsumexp'),
  countNonzero: method('countNonzero'),
  cumprod: method('cumprod'),
  logcumsumexp: method('logcumsumexp'),
  median: method('median'),
  quantile: method('quantile'),
  argsort: method('argsort'),
  topk: method('topk'),
} satisfies Record<keyof ComposedMethods, unknown>
