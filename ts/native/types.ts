/** Element types and devices: their names here and their numbers at the native boundary. */
import { refuse } from './errors.ts'

/** Element types. Numbers given without one become `f32`; indices that ops compute are `i32`. */
export type DType = 'f32' | 'f64' | 'i32' | 'i64' | 'u8' | 'bool'

/** `gpu` is the first GPU. */
export type Device = 'cpu' | 'gpu' | `gpu:${number}`

/** Arrays that hold a tensor's elements; `bool` is held in a Uint8Array of 0 and 1. */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array

/** As {@link TypedArray}, without the one whose elements are not numbers. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array

interface ArrayOf {
  f32: Float32Array
  f64: Float64Array
  i32: Int32Array
  i64: BigInt64Array
  u8: Uint8Array
  bool: Uint8Array
}

/** The array that elements of dtype `D` are read into. Where `D` isn't known it is taken to be no `i64`. */
export type TypedArrayOf<D extends DType> = [DType] extends [D] ? NumberArray : ArrayOf[D]

/** Names in the order of their codes. */
export const DTYPES: readonly DType[] = ['f32', 'f64', 'i32', 'i64', 'u8', 'bool']

const CODES = new Map<unknown, number>(DTYPES.map((name, code) => [name, code]))

/** The code of a dtype name; throws an ArgumentError for anything else. */
export function dtypeCode(name: unknown, op: string, argument = 'dtype'): number {
  const code = CODES.get(name)
  return code ?? refuse(op, argument, `one of ${DTYPES.join(', ')}`, name)
}

export function isDType(name: unknown): name is DType {
  return CODES.has(name)
}

/** An empty array of `size` elements for values of the dtype with this code. */
export function allocate(code: number, size: number): TypedArray {
  switch (code) {
    case 0:
      return new Float32Array(size)
    case 1:
      return new Float64Array(size)
    case 2:
      return new Int32Array(size)
    case 3:
      return new BigInt64Array(size)
    default:
      return new Uint8Array(size)
  }
}

/** The code of the dtype that a typed array is read as, or -1 for an array of no such type. */
export function codeOfArray(array: ArrayBufferView): number {
  if (array instanceof Float32Array) return 0
  if (array instanceof Float64Array) return 1
  if (array instanceof Int32Array) return 2
  if (array instanceof BigInt64Array) return 3
  if (array instanceof Uint8Array) return 4
  return -1
}

/** Whether `array` can hold elements of the dtype with this code. */
export function holds(array: unknown, code: number): boolean {
  return ArrayBuffer.isView(array) && codeOfArray(array) === (code === 5 ? 4 : code)
}

/** The code of a device name; throws an ArgumentError for anything else. */
export function deviceCode(name: unknown, op: string, argument = 'device'): number {
  if (name === 'cpu') return 0
  if (name === 'gpu') return 1
  const index = typeof name === 'string' ? /^gpu:(\d{1,3})$/.exec(name)?.[1] : undefined
  return index === undefined ? refuse(op, argument, "'cpu', 'gpu' or 'gpu:<number>'", name) : Number(index) + 1
}

export function isDevice(name: unknown): name is Device {
  return name === 'cpu' || name === 'gpu' || (typeof name === 'string' && /^gpu:\d{1,3}$/.test(name))
}

export function deviceName(code: number): Device {
  return code === 0 ? 'cpu' : code === 1 ? 'gpu' : `gpu:${code - 1}`
}
