/** Parts, repetitions and rotations, made of views and concatenations. */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { checked, dimension, distinctDimensions, flatten, taken, transpose } from './compose.ts'
import { tensor } from './create.ts'
import type { Tensor } from './tensor.ts'

/** The dimension that a function works along. */
export interface DimOption {
  /** Default 0. */
  dim?: number | undefined
}

/** The dimension that the options name, the first unless they name one. */
function along(x: Tensor, options: DimOption, op: string): number {
  checkOptions(options, op, ['dim'])
  return dimension(options.dim ?? 0, checked(x, op).rank, op)
}

/** A whole number from `least` on. */
function count(value: number, least: number, op: string, argument: string): number {
  return Number.isSafeInteger(value) && value >= least
    ? value
    : refuse(op, argument, `a whole number from ${least} on`, value)
}

/** The slices of a dimension, which they lose. */
export function unbind(x: Tensor, options: DimOption = {}): Tensor[] {
  const d = along(x, options, 'unbind')
  const rest = x.shape.filter((_, i) => i !== d)
  return Array.from({ length: x.shape[d]! }, (_, i) => ops.reshape(taken(x, d, i, 1), rest))
}

/**
 * Parts of a dimension: all of `size` elements but for a shorter last one, or of the sizes in a list, which must add up.
 */
export function split(x: Tensor, size: number | readonly number[], options: DimOption = {}): Tensor[] {
  const d = along(x, options, 'split')
  const whole = x.shape[d]!
  const sizes = typeof size === 'number' ? even(whole, count(size, 1, 'split', 'size')) : size
  if (!Array.isArray(sizes)) refuse('split', 'size', 'a number or an array of numbers', size)
  sizes.forEach((n: number, i) => void count(n, 0, 'split', `size[${i}]`))
  const total = sizes.reduce((a: number, b: number) => a + b, 0)
  if (total !== whole) {
    throw new ShapeError(
      `split: sizes add up to ${total}, dimension ${d} of shape [${x.shape.join(', ')}] is ${whole}`,
      {
        op: 'split',
        argument: 'size',
        expected: `sizes that add up to ${whole}`,
        received: `${total}`,
      },
    )
  }
  let start = 0
  return sizes.map((n: number) => {
    start += n
    return taken(x, d, start - n, n)
  })
}

/** `whole` in parts of `size`, the last of which may be shorter. */
function even(whole: number, size: number): number[] {
  const parts = Math.max(1, Math.ceil(whole / size))
  return Array.from({ length: parts }, (_, i) => Math.min(size, whole - i * size))
}

/** At most `chunks` parts of a dimension of one size, but for a shorter last one. */
export function chunk(x: Tensor, chunks: number, options: DimOption = {}): Tensor[] {
  const d = along(x, options, 'chunk')
  const size = Math.max(1, Math.ceil(x.shape[d]! / count(chunks, 1, 'chunk', 'chunks')))
  return split(x, size, { dim: d })
}

/** `x` beside itself `repeats[i]` times along dimension i; dimensions of 1 are put before it where it has too few. */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  if (!Array.isArray(repeats)) refuse('repeat', 'repeats', 'an array of numbers', repeats)
  const extra = repeats.length - checked(x, 'repeat').rank
  if (extra < 0) refuse('repeat', 'repeats', `a number for each of ${x.rank} dimensions or more`, repeats)
  repeats.forEach((n: number, i) => void count(n, 0, 'repeat', `repeats[${i}]`))
  const shape = [...Array.from({ length: extra }, () => 1), ...x.shape]
  if (repeats.every((n) => n === 1)) return ops.reshape(x, shape)
  if (repeats.includes(0)) {
    const none = repeats.indexOf(0)
    const lengths = shape.map((n, d) => (d === none ? 0 : n * repeats[d]!))
    const nothing = taken(ops.reshape(x, shape), none, 0, 0)
    return ops.reshape(nothing, lengths)
  }
  // One dimension after another, so that the rank grows by no more than one.
  return repeats.reduce<Tensor>((y, n: number, d) => (n === 1 ? y : laid(y, d, n)), ops.reshape(x, shape))
}

/** `x` beside itself `n` times along dimension `d`. */
function laid(x: Tensor, d: number, n: number): Tensor {
  const [before, after] = [x.shape.slice(0, d), x.shape.slice(d)]
  const inner = after.reduce((a, b) => a * b, 1)
  const outer = before.reduce((a, b) => a * b, 1)
  const wide = ops.expand(ops.reshape(x, [outer, 1, inner]), [outer, n, inner])
  return ops.reshape(wide, [...before, n * after[0]!, ...after.slice(1)])
}

/** As {@link repeat}; where `repeats` is shorter than the rank it counts for the last dimensions. */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  if (!Array.isArray(repeats)) refuse('tile', 'repeats', 'an array of numbers', repeats)
  const missing = Math.max(0, checked(x, 'tile').rank - repeats.length)
  return repeat(x, [...Array.from({ length: missing }, () => 1), ...repeats])
}

/**
 * Each element `repeats` times in a row along a dimension, or of all elements where no dimension is given; a list has a
 * number for each.
 */
export function repeatInterleave(
  x: Tensor,
  repeats: number | readonly number[],
  options: { dim?: number | null } = {},
): Tensor {
  checkOptions(options, 'repeatInterleave', ['dim'])
  const { dim } = options
  const line = dim === undefined || dim === null ? flatten(checked(x, 'repeatInterleave')) : x
  const d = dimension(dim ?? 0, checked(line, 'repeatInterleave').rank, 'repeatInterleave')
  const n = line.shape[d]!
  if (typeof repeats === 'number') {
    count(repeats, 0, 'repeatInterleave', 'repeats')
    const [before, after] = [line.shape.slice(0, d), line.shape.slice(d + 1)]
    const outer = before.reduce((a, b) => a * b, n)
    const inner = after.reduce((a, b) => a * b, 1)
    const wide = ops.expand(ops.reshape(line, [outer, 1, inner]), [outer, repeats, inner])
    return ops.reshape(wide, [...before, n * repeats, ...after])
  }
  if (!Array.isArray(repeats) || repeats.length !== n) {
    refuse('repeatInterleave', 'repeats', `a number, or ${n} for dimension ${d}`, repeats)
  }
  const places = repeats.flatMap((times: number, i) =>
    Array.from({ length: count(times, 0, 'repeatInterleave', `repeats[${i}]`) }, () => i),
  )
  return ops.indexSelect(line, d, tensor(Int32Array.from(places), { device: x.device }))
}

/**
 * Elements moved on by `shifts` along dimensions, those that leave one end coming back at the other; of all elements in a
 * row where no dimension is given.
 */
export function roll(x: Tensor, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor {
  checked(x, 'roll')
  const steps = typeof shifts === 'number' ? [shifts] : shifts
  if (!Array.isArray(steps)) refuse('roll', 'shifts', 'a number or an array of numbers', shifts)
  steps.forEach((s: unknown) => void (Number.isSafeInteger(s) || refuse('roll', 'shifts', 'an integer', s)))
  if (dims === undefined) {
    if (steps.length !== 1) refuse('roll', 'shifts', 'one number where no dimension is given', shifts)
    return ops.reshape(rolled(flatten(x), 0, steps[0]!), x.shape)
  }
  const over = typeof dims === 'number' ? [dims] : dims
  if (!Array.isArray(over) || over.length !== steps.length) {
    refuse('roll', 'dims', `${steps.length} dimensions, one for each shift`, dims)
  }
  return steps.reduce((y, step, i) => rolled(y, dimension(over[i]!, x.rank, 'roll', 'dims'), step), x)
}

function rolled(x: Tensor, d: number, shift: number): Tensor {
  const n = x.shape[d]!
  const by = n === 0 ? 0 : ((shift % n) + n) % n
  return by === 0 ? x : ops.concat([taken(x, d, n - by, by), taken(x, d, 0, n - by)], { dim: d })
}

/** Turned by 90° `k` times from the first of two dimensions towards the second. */
export function rot90(x: Tensor, k = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  if (!Number.isSafeInteger(k)) refuse('rot90', 'k', 'an integer', k)
  const [a, b] = distinctDimensions(dims, checked(x, 'rot90').rank, 'rot90', 'dims')
  if (a === undefined || b === undefined || dims.length !== 2) refuse('rot90', 'dims', 'two dimensions', dims)
  switch (((k % 4) + 4) % 4) {
    case 1:
      return ops.flip(transpose(x, a, b), a)
    case 2:
      return ops.flip(x, [a, b])
    case 3:
      return ops.flip(transpose(x, a, b), b)
    default:
      return x
  }
}

/**
 * The coordinates of a grid whose axes are these vectors: for each of them a tensor with a dimension for each. 'ij' keeps
 * their order, 'xy' exchanges the first two, as for images.
 */
export function meshgrid(axes: readonly Tensor[], options: { indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  checkOptions(options, 'meshgrid', ['indexing'])
  const { indexing = 'ij' } = options
  const list: readonly unknown[] = axes
  if (!Array.isArray(list)) refuse('meshgrid', 'axes', 'an array of tensors', axes)
  if (indexing !== 'ij' && indexing !== 'xy') refuse('meshgrid', 'indexing', "'ij' or 'xy'", indexing)
  list.forEach((x, i) => {
    if (!isTensor(x) || x.rank > 1) refuse('meshgrid', `axes[${i}]`, 'a vector or a scalar', x)
  })
  const swap = indexing === 'xy' && axes.length > 1
  const place = (i: number) => (swap && i < 2 ? 1 - i : i)
  const shape = axes.map((_, i) => axes[place(i)]!.size)
  return axes.map((x, i) =>
    ops.expand(
      ops.reshape(
        x,
        shape.map((n, d) => (d === place(i) ? n : 1)),
      ),
      shape,
    ),
  )
}
