/** Rows of a table, reduced bag by bag. */
import * as ops from '../../generated/ops.ts'
import { ArgumentError, refuse, ShapeError } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { checkOptions } from '../../native/write.ts'
import { tensor, zeros } from '../../tensor/create.ts'
import { readOneSync } from '../../tensor/read.ts'
import { sameShape } from '../../tensor/structure.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** How {@link embeddingBag} makes one row of each bag. */
export interface EmbeddingBagOptions {
  /** Where each bag starts among indices [n], ascending from 0; it is read at the call. */
  offsets?: Tensor | null | undefined
  /** Whether the last offset is where the last bag ends. Default false. */
  includeLastOffset?: boolean | undefined
  /** What is made of the rows of a bag. Default 'mean'. */
  mode?: 'sum' | 'mean' | 'max' | undefined
  /** A factor for each index; with mode 'sum' only. */
  perSampleWeights?: Tensor | null | undefined
  /** A row that counts in no bag and gets no gradient. */
  paddingIdx?: number | null | undefined
}

const OPTIONS = ['offsets', 'includeLastOffset', 'mode', 'perSampleWeights', 'paddingIdx']

/** The ends of the bags of `n` indices, the start of the first one before them. */
function borders(offsets: Tensor, n: number, includeLast: boolean): number[] {
  if (offsets.rank !== 1 || (offsets.dtype !== 'i32' && offsets.dtype !== 'i64')) {
    refuse('embeddingBag', 'offsets', 'a Tensor [bags] of i32 or i64', offsets)
  }
  const starts = Array.from(readOneSync(offsets), Number)
  const all = includeLast ? starts : [...starts, n]
  const rises = all.every((end, i) => (i === 0 ? end === 0 : end >= all[i - 1]!)) && all.length > 0
  if (rises && all.at(-1)! <= n && (!includeLast || all.at(-1) === n)) return all
  const last = includeLast ? ` to ${n}` : `, none above ${n}`
  throw new ArgumentError(`embeddingBag: offsets must ascend from 0${last}, got [${starts.join(', ')}]`, {
    op: 'embeddingBag',
    argument: 'offsets',
    expected: `ascending from 0${last}`,
    received: `[${starts.join(', ')}]`,
  })
}

/** Rows [B, N, D] of bags of one length as [B, D]; `counts` [B, N] says which of them count. */
function reduced(rows: Tensor, counts: Tensor | null, mode: 'sum' | 'mean' | 'max'): Tensor {
  const [bags, length, width] = rows.shape as [number, number, number]
  if (length === 0) return ops.sum(rows, { dim: 1 })
  if (counts === null) return mode === 'sum' ? rows.sum({ dim: 1 }) : rows[mode]({ dim: 1 })
  const counted = ops.reshape(counts, [bags, length, 1])
  if (mode === 'max') {
    const largest = ops.max(ops.where(counted, rows, -Infinity), { dim: 1 })
    return ops.where(ops.any(counted, { dim: 1 }), largest, 0)
  }
  const sum = ops.sum(ops.where(counted, rows, 0), { dim: 1 })
  if (mode === 'sum') return sum
  const least = ops.maximum(ops.sum(ops.cast(counted, rows.dtype), { dim: 1 }), 1)
  return ops.div(sum, ops.expand(least, [bags, width]))
}

/**
 * The sum, mean or largest elements of the rows of a table [V, D] that each bag names: [B, D]. Bags are the rows of
 * indices [B, N], or parts of indices [n] that start at `offsets` [B]. An empty bag gives zeros.
 */
export function embeddingBag(indices: Tensor, weight: Tensor, options: EmbeddingBagOptions = {}): Tensor {
  if (!isTensor(indices)) refuse('embeddingBag', 'indices', 'a Tensor', indices)
  if (!isTensor(weight) || weight.rank !== 2) refuse('embeddingBag', 'weight', 'a Tensor of shape [V, D]', weight)
  checkOptions(options, 'embeddingBag', OPTIONS)
  const { offsets = null, includeLastOffset = false, mode = 'mean', perSampleWeights: factors = null } = options
  if (!['sum', 'mean', 'max'].includes(mode)) refuse('embeddingBag', 'mode', "'sum', 'mean' or 'max'", mode)
  if (indices.rank !== (offsets === null ? 2 : 1)) {
    const [expected, received] = [offsets === null ? '[B, N]' : '[n]', `[${indices.shape.join(', ')}]`]
    const hint = offsets === null ? 'without offsets' : 'with offsets'
    throw new ShapeError(`embeddingBag: indices must have shape ${expected} ${hint}, got ${received}`, {
      op: 'embeddingBag',
      argument: 'indices',
      expected,
      received,
    })
  }
  if (factors !== null && mode !== 'sum')
    refuse('embeddingBag', 'perSampleWeights', "null unless mode is 'sum'", factors)
  if (factors !== null && !(isTensor(factors) && sameShape(factors, indices))) {
    refuse('embeddingBag', 'perSampleWeights', `a Tensor of shape [${indices.shape.join(', ')}]`, factors)
  }
  const given = options.paddingIdx ?? null
  const paddingIdx = given !== null && given < 0 ? given + weight.shape[0]! : given
  const rowsOf = (places: Tensor) => ops.embedding(weight, places, { paddingIdx })
  const counts = (places: Tensor) => (paddingIdx === null ? null : ops.ne(places, paddingIdx))
  const weighted = (rows: Tensor) => (factors === null ? rows : ops.mul(rows, factors.unsqueeze(-1)))
  if (offsets === null) return reduced(weighted(rowsOf(indices)), counts(indices), mode)

  const ends = borders(offsets, indices.size, includeLastOffset)
  const bags = ends.length - 1
  const device = indices.device
  if (mode === 'max') {
    // As bags of one length, filled up with what doesn't count.
    const length = Math.max(0, ...ends.slice(1).map((end, i) => end - ends[i]!))
    const places = new Int32Array(bags * length)
    const filled = new Uint8Array(bags * length)
    for (let b = 0; b < bags; b++) {
      for (let at = ends[b]!; at < ends[b + 1]!; at++) {
        places[b * length + at - ends[b]!] = at
        filled[b * length + at - ends[b]!] = 1
      }
    }
    const shape = [bags, length]
    const lined = ops.reshape(ops.indexSelect(indices, 0, tensor(places, { device })), shape)
    const there = tensor(filled, { shape, dtype: 'bool', device })
    const unpadded = counts(lined)
    return reduced(rowsOf(lined), unpadded === null ? there : ops.logicalAnd(there, unpadded), mode)
  }
  const owners = new Int32Array(indices.size)
  for (let b = 0; b < bags; b++) owners.fill(b, ends[b], ends[b + 1])
  const owner = tensor(owners, { device })
  const counted = counts(indices)
  const added = (values: Tensor) => {
    const kept = counted === null ? values : ops.where(counted.unsqueeze(-1), values, 0)
    return ops.indexAdd(zeros([bags, values.shape[1]!], { dtype: values.dtype, device }), 0, owner, kept)
  }
  const sum = added(weighted(rowsOf(indices)))
  if (mode === 'sum') return sum
  const ones = ops.expand(tensor([1], { dtype: weight.dtype, device }), [indices.size, 1])
  return ops.div(sum, ops.maximum(added(ones), 1))
}
