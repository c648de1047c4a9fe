/** What stands around an image. */
import * as ops from '../../generated/ops.ts'
import { refuse } from '../../native/errors.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** What the padding holds: the image mirrored, its edge repeated, or the image again. */
export type PaddingMode = 'reflect' | 'replicate' | 'circular'

/** The part of x from `start` on, `length` long, along dimension d; from there backwards where `step` is -1. */
function part(x: Tensor, d: number, start: number, length: number): Tensor {
  const starts = x.shape.map((_, i) => (i === d ? start : 0))
  const lengths = x.shape.map((n, i) => (i === d ? length : n))
  return ops.slice(
    x,
    starts,
    lengths,
    x.shape.map(() => 1),
  )
}

/** `count` elements to stand before or after dimension d. */
function edge(x: Tensor, d: number, count: number, mode: PaddingMode, after: boolean): Tensor {
  const size = x.shape[d]!
  switch (mode) {
    case 'reflect':
      return ops.flip(part(x, d, after ? size - 1 - count : 1, count), [d])
    case 'replicate':
      return ops.expand(
        part(x, d, after ? size - 1 : 0, 1),
        x.shape.map((n, i) => (i === d ? count : n)),
      )
    case 'circular':
      return part(x, d, after ? 0 : size - count, count)
    default:
      return refuse('padWith', 'mode', 'reflect, replicate or circular', mode)
  }
}

/**
 * x with what `mode` tells before and after it; `padding` has two numbers for each dimension, from the first on, as
 * F.pad has. Throws an ArgumentError where a mirrored or repeated image doesn't reach so far.
 */
export function padWith(x: Tensor, padding: readonly number[], mode: PaddingMode): Tensor {
  if (padding.length !== 2 * x.rank)
    refuse('padWith', 'padding', `two numbers for each of ${x.rank} dimensions`, padding)
  let y = x
  x.shape.forEach((size, d) => {
    const [before, after] = [padding[2 * d]!, padding[2 * d + 1]!]
    const most = mode === 'reflect' ? size - 1 : mode === 'circular' ? size : size === 0 ? 0 : Infinity
    for (const [i, count] of [before, after].entries()) {
      const fits = Number.isInteger(count) && count >= 0 && count <= most
      if (!fits) refuse('padWith', `padding[${2 * d + i}]`, `a whole number from 0 to ${most}`, count)
    }
    if (before + after === 0) return
    const parts = [
      before > 0 ? edge(y, d, before, mode, false) : null,
      y,
      after > 0 ? edge(y, d, after, mode, true) : null,
    ]
    y = ops.concat(
      parts.filter((p) => p !== null),
      { dim: d },
    )
  })
  return y
}
