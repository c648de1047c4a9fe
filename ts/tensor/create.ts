/** New tensors from JavaScript values and from nothing. */
import * as ops from '../generated/ops.ts'
import { native } from '../native/addon.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { described } from '../native/record.ts'
import {
  allocate,
  codeOfArray,
  deviceCode,
  dtypeCode,
  type Device,
  type DType,
  type TypedArray,
} from '../native/types.ts'
import { fillFrom } from './elements.ts'
import { defaultDevice } from './defaults.ts'
import type { Tensor } from './tensor.ts'

/** Numbers, booleans or bigints in arrays within arrays. */
export type Nested = number | boolean | bigint | readonly Nested[]

export interface CreateOptions {
  dtype?: DType | undefined
  /** The default device unless given. */
  device?: Device | undefined
  requiresGrad?: boolean | undefined
}

/** What the creation functions with dtype `D` take. */
export type OptionsOf<D extends DType> = CreateOptions & { dtype: D }

/** A new leaf with a copy of `data`, an array that suits the dtype with this code. */
export function leaf(data: TypedArray, dtype: number, shape: readonly number[], options: CreateOptions): Tensor {
  const { device, requiresGrad = false } = options
  if (typeof requiresGrad !== 'boolean') refuse('tensor', 'requiresGrad', 'a boolean', requiresGrad)
  const place = device === undefined ? defaultDevice() : deviceCode(device, 'tensor')
  return described((target) => native.leaf(data, dtype, shape as number[], place, requiresGrad, target))
}

/** The shape of nested arrays; throws a ShapeError where they are ragged. */
function shapeOf(data: Nested): number[] {
  const shape: number[] = []
  for (let level: Nested | undefined = data; Array.isArray(level); level = (level as readonly Nested[])[0]) {
    shape.push((level as readonly Nested[]).length)
  }
  const check = (value: Nested, depth: number, path: string): void => {
    const size = Array.isArray(value) ? (value as readonly Nested[]).length : undefined
    if (size !== shape[depth]) {
      const describe = (n: number | undefined) => (n === undefined ? 'a number' : `an array of ${n}`)
      const [expected, received] = [describe(shape[depth]), describe(size)]
      throw new ShapeError(`tensor: data is ragged: data${path} is ${received} where its neighbours are ${expected}`, {
        op: 'tensor',
        argument: `data${path}`,
        expected,
        received,
      })
    }
    if (size !== undefined) (value as readonly Nested[]).forEach((v, i) => check(v, depth + 1, `${path}[${i}]`))
  }
  check(data, 0, '')
  return shape
}

function flat(data: Nested): unknown[] {
  return Array.isArray(data) ? (data as readonly unknown[]).flat(Infinity) : [data]
}

function checkedShape(shape: readonly number[], op: string): readonly number[] {
  if (!Array.isArray(shape)) refuse(op, 'shape', 'an array of sizes', shape)
  shape.forEach((d: unknown, i) => {
    if (!Number.isSafeInteger(d) || (d as number) < 0) refuse(op, `shape[${i}]`, 'a whole number from 0 on', d)
  })
  return shape
}

/** The dtype of values that don't come with one: booleans are bool, bigints i64, numbers f32. */
function dtypeOf(first: unknown): DType {
  return typeof first === 'boolean' ? 'bool' : typeof first === 'bigint' ? 'i64' : 'f32'
}

/**
 * A new tensor from a number, nested arrays or a typed array, which is copied.
 *
 * Numbers become f32, booleans bool, bigints i64; a typed array keeps its type. With `dtype` values are converted
 * where that loses no integer: 1.5 or NaN as an integer is an ArgumentError. `shape` gives flat data a shape.
 */
export function tensor<D extends DType>(
  data: Nested | TypedArray,
  options: OptionsOf<D> & { shape?: readonly number[] },
): Tensor<D>
export function tensor(data: Nested | TypedArray, options?: CreateOptions & { shape?: readonly number[] }): Tensor
export function tensor(data: Nested | TypedArray, options: CreateOptions & { shape?: readonly number[] } = {}): Tensor {
  if (ArrayBuffer.isView(data)) return fromArray(data as TypedArray, options)
  const own = shapeOf(data)
  const values = flat(data)
  const code = dtypeCode(options.dtype ?? dtypeOf(values[0]), 'tensor')
  const array = allocate(code, values.length)
  fillFrom(array, values, code)
  return leaf(array, code, fitting(options.shape ?? own, values.length), options)
}

function fromArray(data: TypedArray, options: CreateOptions & { shape?: readonly number[] }): Tensor {
  const own = codeOfArray(data)
  if (own < 0) refuse('tensor', 'data', 'a Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array', data)
  const code = options.dtype === undefined ? own : dtypeCode(options.dtype, 'tensor')
  const shape = fitting(options.shape ?? [data.length], data.length)
  if (code === own) return leaf(data, code, shape, options)
  const array = allocate(code, data.length)
  fillFrom(array, data, code)
  return leaf(array, code, shape, options)
}

function fitting(shape: readonly number[], size: number): readonly number[] {
  const wanted = checkedShape(shape, 'tensor').reduce((a, b) => a * b, 1)
  if (wanted === size) return shape
  throw new ShapeError(`tensor: shape [${shape.join(', ')}] holds ${wanted} elements, data has ${size}`, {
    op: 'tensor',
    argument: 'shape',
    expected: `${size} elements`,
    received: `${wanted} elements`,
  })
}

/** What a creation op recorded, on the device and with the gradient that the options ask for. */
export function placed(x: Tensor, options: CreateOptions, op: string): Tensor {
  const { device, requiresGrad = false } = options
  if (typeof requiresGrad !== 'boolean') refuse(op, 'requiresGrad', 'a boolean', requiresGrad)
  const there = device === undefined || deviceCode(device, op) === x._device ? x : x.to(device)
  if (requiresGrad) {
    native.requiresGrad(there._id, true)
    there._requiresGrad = 1
  }
  return there
}

/** A tensor of one value. */
export function full<D extends DType>(shape: readonly number[], value: number, options: OptionsOf<D>): Tensor<D>
export function full(shape: readonly number[], value: number, options?: CreateOptions): Tensor
export function full(shape: readonly number[], value: number, options: CreateOptions = {}): Tensor {
  if (typeof value !== 'number') refuse('full', 'value', 'a number', value)
  return filled(shape, value, options, 'full')
}

function filled(shape: readonly number[], value: number, options: CreateOptions, op: string): Tensor {
  const { dtype } = options
  if (dtype !== undefined) dtypeCode(dtype, op)
  return placed(ops.full(value, checkedShape(shape, op), { dtype }), options, op)
}

/** A tensor of zeros. */
export function zeros<D extends DType>(shape: readonly number[], options: OptionsOf<D>): Tensor<D>
export function zeros(shape: readonly number[], options?: CreateOptions): Tensor
export function zeros(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return filled(shape, 0, options, 'zeros')
}

/** A tensor of ones. */
export function ones<D extends DType>(shape: readonly number[], options: OptionsOf<D>): Tensor<D>
export function ones(shape: readonly number[], options?: CreateOptions): Tensor
export function ones(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return filled(shape, 1, options, 'ones')
}

/** A tensor whose values don't matter; they are zeros. */
export const empty = zeros

function like(x: Tensor, options: CreateOptions): CreateOptions {
  return { dtype: x.dtype, device: x.device, ...options }
}

/** Zeros with the shape, dtype and device of `x`. */
export function zerosLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return zeros(x.shape, like(x, options))
}

/** Ones with the shape, dtype and device of `x`. */
export function onesLike(x: Tensor, options: CreateOptions = {}): Tensor {
  return ones(x.shape, like(x, options))
}

/** `value` with the shape, dtype and device of `x`. */
export function fullLike(x: Tensor, value: number, options: CreateOptions = {}): Tensor {
  return full(x.shape, value, like(x, options))
}

/** start, start + step, … before `end`; from 0 to `start` where `end` is left out. f32 unless `dtype` is given. */
export function arange(start: number, end?: number | null, options: CreateOptions & { step?: number } = {}): Tensor {
  const { dtype, step = 1 } = options
  for (const [name, value] of Object.entries({ start, end: end ?? 0, step })) {
    if (!Number.isFinite(value)) refuse('arange', name, 'a finite number', value)
  }
  if (step === 0) refuse('arange', 'step', 'a step other than 0', step)
  const [from, to] = end === undefined || end === null ? [0, start] : [start, end]
  const length = Math.max(0, Math.ceil((to - from) / step))
  return placed(ops.arange(from, length, step, { dtype }), options, 'arange')
}

/** `count` numbers from `start` to `end`, both included, at equal distances. */
export function linspace(start: number, end: number, count: number, options: CreateOptions = {}): Tensor {
  if (!Number.isSafeInteger(count) || count < 0) refuse('linspace', 'count', 'a whole number from 0 on', count)
  if (!Number.isFinite(start)) refuse('linspace', 'start', 'a finite number', start)
  if (!Number.isFinite(end)) refuse('linspace', 'end', 'a finite number', end)
  const values = new Float64Array(count)
  const step = count > 1 ? (end - start) / (count - 1) : 0
  // From both ends, so that both are exact.
  for (let i = 0; i < count; i++) values[i] = 2 * i < count ? start + i * step : end - (count - 1 - i) * step
  return tensor(values, { ...options, dtype: options.dtype ?? 'f32' })
}

/** Ones on the diagonal, zeros elsewhere: [rows, columns], square where `columns` is left out. */
export function eye(rows: number, columns = rows, options: CreateOptions = {}): Tensor {
  checkedShape([rows, columns], 'eye')
  const row = ops.reshape(ops.arange(0, rows, 1, { dtype: 'i32' }), [rows, 1])
  const column = ops.arange(0, columns, 1, { dtype: 'i32' })
  return placed(ops.cast(ops.eq(row, column), options.dtype ?? 'f32'), options, 'eye')
}
