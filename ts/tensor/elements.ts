/** JavaScript values into typed arrays, refusing what would change them. */
import { refuse } from '../native/errors.ts'
import { DTYPES, type TypedArray } from '../native/types.ts'

const I32 = 2 ** 31
const NUMERIC = 'numbers, or all of one kind'

function bad(i: number, code: number, expected: string, value: unknown): never {
  return refuse('tensor', `data[${i}]`, `${expected} for dtype ${DTYPES[code]}`, value)
}

function asFloat(value: unknown, i: number, code: number): number {
  if (typeof value === 'number') return value
  return typeof value === 'bigint' || typeof value === 'boolean'
    ? bad(i, code, NUMERIC, value)
    : bad(i, code, 'a number', value)
}

function asInteger(value: unknown, i: number, code: number, low: number, high: number): number {
  const n = typeof value === 'bigint' ? Number(value) : value
  if (typeof n !== 'number' || !Number.isInteger(n) || n < low || n > high) {
    bad(i, code, `an integer from ${low} to ${high}`, value)
  }
  return n as number
}

function asBigint(value: unknown, i: number, code: number): bigint {
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  return bad(i, code, 'an integer (a bigint past 2^53)', value)
}

function asBit(value: unknown, i: number, code: number): number {
  if (value === true || value === 1) return 1
  if (value === false || value === 0) return 0
  return bad(i, code, 'a boolean, 0 or 1', value)
}

/** Fills `array`, which suits the dtype with this code, from `values`; an ArgumentError names the value at fault. */
export function fillFrom(array: TypedArray, values: ArrayLike<unknown>, code: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (array instanceof BigInt64Array) array[i] = asBigint(value, i, code)
    else if (code <= 1) array[i] = asFloat(value, i, code)
    else if (code === 2) array[i] = asInteger(value, i, code, -I32, I32 - 1)
    else if (code === 4) array[i] = asInteger(value, i, code, 0, 255)
    else array[i] = asBit(value, i, code)
  }
}
