/** How tensors look in a console: values that are there, never computed. */
import { native } from '../native/addon.ts'
import { allocate, type TypedArray } from '../native/types.ts'
import type { Tensor } from './tensor.ts'

/** Tensors with more elements show only their edges. */
const SHOWN = 1000
const EDGE = 3
/** Larger values are not copied just to be looked at. */
const COPIED = 1 << 20

function text(value: number | bigint, dtype: string): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true'
  if (typeof value === 'bigint' || Number.isInteger(value)) return String(value)
  return String(Number(value.toPrecision(5)))
}

/** Which positions of a dimension are shown; -1 stands for the gap. */
function positions(size: number, abbreviate: boolean): number[] {
  const all = Array.from({ length: size }, (_, i) => i)
  return abbreviate && size > 2 * EDGE ? [...all.slice(0, EDGE), -1, ...all.slice(-EDGE)] : all
}

/** The elements in brackets, columns aligned. */
export function format(data: TypedArray, shape: readonly number[], dtype: string): string {
  const abbreviate = data.length > SHOWN
  let width = 0
  const cells = (depth: number, offset: number, visit: (cell: string) => void) => {
    if (depth === shape.length) return visit(text(data[offset]!, dtype))
    const step = shape.slice(depth + 1).reduce((a, b) => a * b, 1)
    for (const i of positions(shape[depth]!, abbreviate)) if (i >= 0) cells(depth + 1, offset + i * step, visit)
  }
  cells(0, 0, (cell) => (width = Math.max(width, cell.length)))
  const level = (depth: number, offset: number): string => {
    if (depth === shape.length) return text(data[offset]!, dtype).padStart(width)
    const step = shape.slice(depth + 1).reduce((a, b) => a * b, 1)
    const parts = positions(shape[depth]!, abbreviate).map((i) => (i < 0 ? '…' : level(depth + 1, offset + i * step)))
    const between = depth === shape.length - 1 ? ', ' : `,\n${' '.repeat(depth + 1)}`
    return `[${parts.join(between)}]`
  }
  return level(0, 0)
}

/** The head line and, where they have been computed, the values. */
export function inspect(x: Tensor): string {
  const grad = x.requiresGrad ? ' requiresGrad' : ''
  const device = x.device === 'cpu' ? '' : ` ${x.device}`
  const head = `${x.constructor.name} ${x.dtype} [${x.shape.join(', ')}]${device}${grad}`
  try {
    const now = x._now()
    if (!native.isReady(now._id)) return `${head} pending`
    if (x.size > COPIED) return `${head} (${x.size} elements)`
    const data = allocate(x._dtype, x.size)
    native.copyOut(now._id, data)
    return `${head}\n${format(data, x.shape, x.dtype)}`
  } catch (error) {
    return `${head} (${error instanceof Error ? error.name : 'no value'})`
  }
}
