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
  DTYPES,
  type Device,
  type DType,
  type TypedArray,
} from '../native/types.ts'
import { fillFrom } from './elements.ts'
import { defaultDevice } from './defaults.ts'
import type { Tensor } from './tensor.ts'

/** Numbers, booleans or bigints in arrays within arrays. */
export type Nested = number | boolean | bigint | readonly Nested[]

/** Arrays that tensors are made from. */
export type DataArray = TypedArray | Int8Array | Int16Array | Uint16Array | Uint32Array | Uint8ClampedArray

/** As {@link Nested}; the innermost arrays may be typed. */
export type TensorData = number | boolean | bigint | DataArray | readonly TensorData[]

/** What tensors are made as. */
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

/** The array that holds the values of one that is no dtype's: of the smallest dtype that holds them all. */
function widened(data: ArrayBufferView): TypedArray | null {
  if (codeOfArray(data) >= 0) return data as TypedArray
  if (data instanceof Uint8ClampedArray) return new Uint8Array(data.buffer, data.byteOffset, data.length)
  if (data instanceof Int8Array || data instanceof Int16Array || data instanceof Uint16Array)
    return Int32Array.from(data)
  if (data instanceof Uint32Array) return BigInt64Array.from(data, BigInt)
  return null
}

const lengthOf = (value: unknown): number | undefined =>
  Array.isArray(value) || ArrayBuffer.isView(value) ? (value as readonly unknown[]).length : undefined

/** The shape of nested arrays; throws a ShapeError where they are ragged. */
function shapeOf(data: TensorData): number[] {
  const shape: number[] = []
  for (let level: unknown = data; lengthOf(level) !== undefined; level = (level as readonly unknown[])[0]) {
    shape.push(lengthOf(level)!)
  }
  const check = (value: unknown, depth: number, path: string): void => {
    const size = lengthOf(value)
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
    if (Array.isArray(value)) value.forEach((v, i) => check(v, depth + 1, `${path}[${i}]`))
    else if (size !== undefined && depth + 1 < shape.length) check((value as Float32Array)[0], depth + 1, `${path}[0]`)
  }
  check(data, 0, '')
  return shape
}

/** The values in row-major order, and the dtype of those that come in typed arrays. */
function flat(data: TensorData): { values: unknown[]; dtype: DType | undefined } {
  const values: unknown[] = []
  let dtype: DType | undefined
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach(visit)
    } else if (ArrayBuffer.isView(value)) {
      const array = widened(value)
      if (array === null) refuse('tensor', 'data', ARRAYS, value)
      dtype ??= DTYPES[codeOfArray(array)]
      for (const v of array) values.push(v)
    } else {
      values.push(value)
    }
  }
  visit(data)
  return { values, dtype }
}

const ARRAYS = 'a Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array, or an array of smaller integers'

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
 * Numbers become f32, booleans bool, bigints i64; a typed array keeps its type (8 and 16 bits become i32, Uint32Array
 * i64, Uint8ClampedArray u8). With `dtype` values are converted
 * where that loses no integer: 1.5 or NaN as an integer is an ArgumentError. `shape` gives flat data a shape.
 */
export function tensor<D extends DType>(
  data: TensorData,
  options: OptionsOf<D> & { shape?: readonly number[] },
): Tensor<D>
export function tensor(data: TensorData, options?: CreateOptions & { shape?: readonly number[] }): Tensor
export function tensor(data: TensorData, options: CreateOptions & { shape?: readonly number[] } = {}): Tensor {
  if (ArrayBuffer.isView(data)) return fromArray(data, options)
  const own = shapeOf(data)
  const { values, dtype } = flat(data)
  const code = dtypeCode(options.dtype ?? dtype ?? dtypeOf(values[0]), 'tensor')
  const array = allocate(code, values.length)
  fillFrom(array, values, code)
  return leaf(array, code, fitting(options.shape ?? own, values.length), options)
}

function fromArray(given: ArrayBufferView, options: CreateOptions & { shape?: readonly number[] }): Tensor {
  const data = widened(given)
  if (data === null) refuse('tensor', 'data', ARRAYS, given)
  const own = codeOfArray(data)
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

export interface RangeOptions extends CreateOptions {
  /** Default 1. */
  step?: number
}

/** 0, 1, … before `end`. f32 unless `dtype` is given. */
export function arange(end: number, options?: RangeOptions): Tensor
/** start, start + step, … before `end`; from 0 to `start` where `end` is left out. f32 unless `dtype` is given. */
export function arange(start: number, end?: number | null, options?: RangeOptions): Tensor
export function arange(start: number, second?: number | null | RangeOptions, third: RangeOptions = {}): Tensor {
  const [end, options] = typeof second === 'object' && second !== null ? [null, second] : [second, third]
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
