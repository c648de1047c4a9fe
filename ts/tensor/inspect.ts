/** How tensors look in a console: values that are there, never computed. */
import { native } from '../native/addon.ts'
import { allocate, type TypedArray } from '../native/types.ts'
import type { Tensor } from './tensor.ts'

/** Tensors with more elements show only their edges: so many elements of each side that they are no more than MOST. */
const SHOWN = 1000
const MOST = 400
const EDGES = [3, 2, 1]
/** Larger values are not copied just to be looked at. */
const COPIED = 1 << 20
/** Rows go on in another line from here on. */
const WIDTH = 100
const DIGITS = 4

/** Which positions of a dimension are shown; -1 stands for the gap. */
function positions(size: number, edge: number): number[] {
  const all = Array.from({ length: size }, (_, i) => i)
  return size > 2 * edge ? [...all.slice(0, edge), -1, ...all.slice(-edge)] : all
}

/** How many elements of each side are shown, so that they are not too many together. */
function edgeOf(shape: readonly number[], size: number): number {
  if (size <= SHOWN) return Infinity
  const shown = (edge: number) => shape.reduce((n, d) => n * Math.min(d, 2 * edge), 1)
  return EDGES.find((edge) => shown(edge) <= MOST) ?? 1
}

/** How many decimals `v` has, up to DIGITS. */
function decimals(v: number): number {
  for (let n = 0; n < DIGITS; n++) if (Number(v.toFixed(n)) === Number(v.toPrecision(6))) return n
  return DIGITS
}

/** One way to write all of these floats: as integers, with as many decimals, or with exponents. */
function floatText(values: readonly number[]): (v: number) => string {
  const finite = values.filter(Number.isFinite)
  const sizes = finite.filter((v) => v !== 0).map(Math.abs)
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const whole = finite.every(Number.isInteger)
  const signed = (v: number, text: string) => (Object.is(v, -0) ? `-${text}` : text)
  let written = (v: number) => v.toExponential(DIGITS)
  if (sizes.length === 0 || (whole ? most < 1e9 : most < 1e7 && least >= 1e-4)) {
    const digits = whole ? 0 : finite.reduce((n, v) => Math.max(n, decimals(v)), 0)
    written = (v) => signed(v, v.toFixed(digits))
  }
  return (v) => (Number.isFinite(v) ? written(v) : String(v))
}

function textOf(values: readonly (number | bigint)[], dtype: string): (v: number | bigint) => string {
  if (dtype === 'bool') return (v) => (v === 0 ? 'false' : 'true')
  if (dtype !== 'f32' && dtype !== 'f64') return String
  return floatText(values as number[]) as (v: number | bigint) => string
}

/** The elements in brackets, in columns; matrices stand apart by an empty line. */
export function format(data: TypedArray, shape: readonly number[], dtype: string): string {
  if (data.length === 0) return '[]'
  const edge = edgeOf(shape, data.length)
  const steps = shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1))
  const cells: (number | bigint)[] = []
  const collect = (depth: number, offset: number): void => {
    if (depth === shape.length) return void cells.push(data[offset]!)
    for (const i of positions(shape[depth]!, edge)) if (i >= 0) collect(depth + 1, offset + i * steps[depth]!)
  }
  collect(0, 0)
  const text = textOf(cells, dtype)
  const width = cells.reduce<number>((w, v) => Math.max(w, text(v).length), 0)
  const level = (depth: number, offset: number): string => {
    if (depth === shape.length) return text(data[offset]!).padStart(shape.length === 0 ? 0 : width)
    const parts = positions(shape[depth]!, edge).map((i) => {
      return i < 0 ? '…' : level(depth + 1, offset + i * steps[depth]!)
    })
    const indent = ' '.repeat(depth + 1)
    const inner = shape.length - 1 - depth
    if (inner === 0) return `[${row(parts, width, indent)}]`
    return `[${parts.join(`,${'\n'.repeat(Math.min(inner, 2))}${indent}`)}]`
  }
  return level(0, 0)
}

/** The cells of a row, in several lines where it is long. */
function row(parts: readonly string[], width: number, indent: string): string {
  const each = Math.max(1, Math.floor((WIDTH - indent.length) / (width + 2)))
  const lines: string[] = []
  for (let i = 0; i < parts.length; i += each) lines.push(parts.slice(i, i + each).join(', '))
  return lines.join(`,\n${indent}`)
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
