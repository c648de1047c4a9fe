/** Borders around a tensor. */
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { checkOptions } from '../native/write.ts'
import { taken } from './compose.ts'
import type { Tensor } from './tensor.ts'

/** What a border holds: a number, or the elements mirrored at the edge, the edge's, or those of the other end. */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular'

/** Options of {@link pad}. */
export interface PadOptions {
  /** Default 'constant'. */
  mode?: PadMode | undefined
  /** The number of mode 'constant'. Default 0. */
  value?: number | undefined
}

const MODES: readonly unknown[] = ['constant', 'reflect', 'replicate', 'circular']

/** `[before, after]` for every dimension, from PyTorch's order: pairs from the last dimension on. */
function pairs(padding: readonly number[], rank: number): [number, number][] {
  const list: readonly unknown[] = padding
  if (!Array.isArray(list) || list.length % 2 !== 0 || list.length > 2 * rank) {
    refuse('pad', 'padding', `pairs of numbers for at most ${rank} dimensions, the last one's first`, padding)
  }
  list.forEach((n, i) => void (Number.isSafeInteger(n) || refuse('pad', `padding[${i}]`, 'an integer', n)))
  return Array.from({ length: rank }, (_, d) => {
    const at = 2 * (rank - 1 - d)
    return [padding[at] ?? 0, padding[at + 1] ?? 0]
  })
}

/** `n` elements that mirror, repeat or go round the elements of dimension `d`, before them or after them. */
function border(x: Tensor, d: number, n: number, mode: PadMode, before: boolean): Tensor {
  const size = x.shape[d]!
  if (mode === 'replicate') {
    const edge = taken(x, d, before ? 0 : size - 1, 1)
    return ops.expand(
      edge,
      edge.shape.map((m, i) => (i === d ? n : m)),
    )
  }
  if (mode === 'circular') return taken(x, d, before ? size - n : 0, n)
  return ops.flip(taken(x, d, before ? 1 : size - 1 - n, n), d)
}

function check(x: Tensor, d: number, sides: readonly number[], mode: PadMode): void {
  const most = { constant: Infinity, reflect: x.shape[d]! - 1, replicate: Infinity, circular: x.shape[d]! }[mode]
  const least = mode === 'replicate' && x.shape[d] === 0 ? 1 : 0
  const wrong = sides.find((n) => n > most || (n > 0 && least > x.shape[d]!))
  if (wrong === undefined) return
  throw new ShapeError(
    `pad: ${wrong} elements don't fit mode '${mode}' along dimension ${d} of shape [${x.shape.join(', ')}]`,
    { op: 'pad', argument: 'padding', expected: `at most ${most === Infinity ? 0 : most}`, received: `${wrong}` },
  )
}

/**
 * Elements put before and after dimensions, in PyTorch's order: `[left, right]` of the last dimension, then those of the
 * one before it (`[left, right, top, bottom]` for images). Negative numbers take elements away.
 *
 * Throws a ShapeError where a mirrored border is as wide as the dimension or a circular one wider.
 */
export function pad(x: Tensor, padding: readonly number[], options: PadOptions = {}): Tensor {
  if (!isTensor(x)) refuse('pad', 'x', 'a Tensor', x)
  checkOptions(options, 'pad', ['mode', 'value'])
  const { mode = 'constant', value = 0 } = options
  if (!MODES.includes(mode)) refuse('pad', 'mode', "'constant', 'reflect', 'replicate' or 'circular'", mode)
  const sides = pairs(padding, x.rank)
  const cut = sides.reduce<Tensor>((y, [before, after], d) => cropped(y, d, before, after), x)
  if (mode === 'constant') {
    const counts = sides.flatMap(([before, after]) => [Math.max(0, before), Math.max(0, after)])
    return counts.every((n) => n === 0) ? cut : ops.pad(cut, counts, { value })
  }
  return sides.reduce<Tensor>((y, both, d) => {
    const [before, after] = [Math.max(0, both[0]), Math.max(0, both[1])]
    check(y, d, [before, after], mode)
    const parts = [
      ...(before > 0 ? [border(y, d, before, mode, true)] : []),
      y,
      ...(after > 0 ? [border(y, d, after, mode, false)] : []),
    ]
    return parts.length === 1 ? y : ops.concat(parts, { dim: d })
  }, cut)
}

/** `x` without what negative padding takes away. */
function cropped(x: Tensor, d: number, before: number, after: number): Tensor {
  const [start, end] = [Math.max(0, -before), x.shape[d]! - Math.max(0, -after)]
  if (end < start) {
    throw new ShapeError(`pad: less than nothing is left of dimension ${d} of shape [${x.shape.join(', ')}]`, {
      op: 'pad',
      argument: 'padding',
      expected: `at most ${x.shape[d]} elements taken away`,
      received: `${start + x.shape[d]! - end}`,
    })
  }
  return taken(x, d, start, end - start)
}
