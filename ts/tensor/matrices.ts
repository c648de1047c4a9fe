/** Triangles and diagonals of matrices, and one-hot rows. */
import * as ops from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { DType } from '../native/types.ts'
import { checkOptions } from '../native/write.ts'
import { arange, ones, zeros } from './create.ts'
import type { Tensor } from './tensor.ts'

/** The rows and columns of the matrices [..., N, M]. */
function sizes(x: Tensor, op: string): [rows: number, columns: number] {
  if (!isTensor(x)) refuse(op, 'x', 'a Tensor', x)
  if (x.rank < 2) refuse(op, 'x', 'a matrix or several, [..., N, M]', x)
  return [x.shape[x.rank - 2]!, x.shape[x.rank - 1]!]
}

function offset(k: number, op: string): number {
  return Number.isSafeInteger(k) ? k : refuse(op, 'k', 'an integer', k)
}

/** Column less row of each element of a matrix, i32. */
function distances(x: Tensor, op: string): Tensor {
  const [rows, columns] = sizes(x, op)
  const options = { dtype: 'i32', device: x.device } as const
  return ops.sub(arange(0, columns, options), ops.reshape(arange(0, rows, options), [rows, 1]))
}

/** Matrices [..., N, M] with zeros above diagonal number `k` (0: the main one, 1: the one above it). */
export function tril(x: Tensor, k = 0): Tensor {
  return ops.where(ops.le(distances(x, 'tril'), offset(k, 'tril')), x, 0)
}

/** Matrices [..., N, M] with zeros below diagonal number `k`. */
export function triu(x: Tensor, k = 0): Tensor {
  return ops.where(ops.ge(distances(x, 'triu'), offset(k, 'triu')), x, 0)
}

/** Diagonal number `k` of matrices [..., N, M], as [..., length]. */
export function diagonal(x: Tensor, k = 0): Tensor {
  const [rows, columns] = sizes(x, 'diagonal')
  offset(k, 'diagonal')
  const length = Math.max(0, k < 0 ? Math.min(rows + k, columns) : Math.min(rows, columns - k))
  const outer = x.shape.slice(0, -2)
  const lines = ops.reshape(x, [...outer, rows * columns])
  // From one element to the next it is a row and a column.
  const start = length === 0 ? 0 : k < 0 ? -k * columns : k
  return ops.slice(lines, [...outer.map(() => 0), start], [...outer, length], [...outer.map(() => 1), columns + 1])
}

/** The matrix with a vector [n] on diagonal number `k` and zeros elsewhere, or that diagonal of a matrix. */
export function diag(x: Tensor, k = 0): Tensor {
  if (!isTensor(x)) refuse('diag', 'x', 'a Tensor', x)
  if (x.rank === 2) return diagonal(x, k)
  if (x.rank !== 1) refuse('diag', 'x', 'a vector or a matrix', x)
  offset(k, 'diag')
  const n = x.shape[0]!
  // Rows of n + 1 with the element first, read as rows of n.
  const wide = ops.reshape(ops.pad(ops.reshape(x, [n, 1]), [0, 0, 0, n]), [n * (n + 1)])
  const square = ops.reshape(ops.slice(wide, 0, n * n, 1), [n, n])
  const [down, right] = [Math.max(0, -k), Math.max(0, k)]
  return k === 0 ? square : ops.pad(square, [down, right, right, down])
}

/** The sum of the main diagonal of a matrix. */
export function trace(x: Tensor): Tensor {
  if (!isTensor(x) || x.rank !== 2) refuse('trace', 'x', 'a matrix', x)
  return ops.sum(diagonal(x))
}

/**
 * A row of `classes` numbers for each class index of x [...], 1 at the index and 0 elsewhere: [..., classes]. The dtype
 * is x's unless given. An index that is no class is an ArgumentError when the value is computed.
 */
export function oneHot(x: Tensor, classes: number, options: { dtype?: DType } = {}): Tensor {
  if (!isTensor(x)) refuse('oneHot', 'x', 'a Tensor', x)
  if (x.dtype !== 'i32' && x.dtype !== 'i64')
    refuse('oneHot', 'x', "class indices, i32 or i64 (cast with to('i32'))", x)
  if (!Number.isSafeInteger(classes) || classes < 1) refuse('oneHot', 'classes', 'a whole number from 1 on', classes)
  checkOptions(options, 'oneHot', ['dtype'])
  const like = { dtype: options.dtype ?? x.dtype, device: x.device }
  const index = ops.reshape(x, [...x.shape, 1])
  return ops.scatter(zeros([...x.shape, classes], like), -1, index, ones([...x.shape, 1], like))
}
