/**
 * Writers of one argument each: they check it and put its numbers into `scratch` at `at`.
 *
 * Inputs take two numbers (kind, value). Attribute writers return where the next attribute goes.
 */
import type { Tensor } from '../tensor/tensor.ts'
import { scratch } from './addon.ts'
import { ArgumentError, refuse } from './errors.ts'
import { isTensor } from './record.ts'
import { dtypeCode } from './types.ts'
import { watching } from './watch.ts'

/** A tensor or a number; a number takes the dtype and device of what it meets. */
export type TensorLike = Tensor | number

/** The kinds of input; see docs/native-boundary.md. */
export const Kind = { handle: 0, number: 1, none: 2, variable: 3, random: 4, distinct: 5 } as const

/** Options of a call without any. */
export const NONE = Object.freeze({})

/** A number that is never merged with an equal one, so that changing it never changes the plan (learning rates). */
export class DistinctNumber {
  constructor(readonly value: number) {}
}

/** `value` as an operand of its own: see {@link DistinctNumber}. */
export function distinct(value: number): TensorLike {
  return new DistinctNumber(value) as unknown as TensorLike
}

const TENSOR = 'a Tensor or a number'

export function putInput(at: number, given: TensorLike, op: string, name: string): void {
  const x = watching.now === null ? given : watching.now.input(given, at, op, name)
  if (typeof x === 'number') {
    scratch[at] = Kind.number
    scratch[at + 1] = x
  } else if (isTensor(x)) {
    scratch[at] = x._kind
    scratch[at + 1] = x._id
  } else if ((x as unknown) instanceof DistinctNumber) {
    scratch[at] = Kind.distinct
    scratch[at + 1] = (x as DistinctNumber).value
  } else {
    refuse(op, name, TENSOR, x)
  }
}

export function putOptionalInput(at: number, x: TensorLike | null | undefined, op: string, name: string): void {
  if (x === undefined || x === null) {
    scratch[at] = Kind.none
    scratch[at + 1] = 0
  } else {
    putInput(at, x, op, name)
  }
}

/** Input that stands for a fresh random key. */
export function putKey(at: number): void {
  scratch[at] = Kind.random
  scratch[at + 1] = 0
}

/** Any number of inputs from `at` on; returns where they end. */
export function putInputs(at: number, list: readonly TensorLike[], op: string, name: string): number {
  if (!Array.isArray(list)) refuse(op, name, 'an array of tensors', list)
  if (at + 2 * list.length > MOST) tooMany(op, name, list.length)
  for (let i = 0; i < list.length; i++) {
    const x = list[i]!
    if (typeof x === 'number' || isTensor(x)) putInput(at + 2 * i, x, op, name)
    else refuse(op, `${name}[${i}]`, TENSOR, x)
  }
  return at + 2 * list.length
}

/** Room kept free behind any list, for the attributes that follow. */
const MOST = scratch.length - 256

function tooMany(op: string, name: string, count: number): never {
  throw new ArgumentError(`${op}: ${name} has ${count} entries, too many for one call`, {
    op,
    argument: name,
    received: `${count} entries`,
  })
}

/** Refuses anything but an options object with known names. */
export function checkOptions(options: object, op: string, known: readonly string[]): void {
  if (options === NONE) return
  if (typeof options !== 'object' || options === null || Array.isArray(options) || isTensor(options)) {
    refuse(op, 'options', `an object with ${known.join(', ')}`, options)
  }
  for (const name in options) {
    if (!known.includes(name)) {
      const expected = `one of ${known.join(', ')}`
      throw new ArgumentError(`${op}: there is no option ${name}; the options are ${known.join(', ')}`, {
        op,
        argument: name,
        expected,
        received: name,
      })
    }
  }
}

export function putBool(at: number, value: boolean, op: string, name: string): number {
  if (typeof value !== 'boolean') refuse(op, name, 'a boolean', value)
  scratch[at] = value ? 1 : 0
  return at + 1
}

export function putInt(at: number, value: number, op: string, name: string): number {
  if (!Number.isSafeInteger(value)) refuse(op, name, 'an integer', value)
  scratch[at] = value
  return at + 1
}

export function putFloat(at: number, value: number, op: string, name: string): number {
  if (typeof value !== 'number') refuse(op, name, 'a number', value)
  scratch[at] = value
  return at + 1
}

export function putDType(at: number, value: string, op: string, name: string): number {
  scratch[at] = dtypeCode(value, op, name)
  return at + 1
}

/** Integers, length first; one number stands for a list of one. */
export function putInts(at: number, value: number | readonly number[], op: string, name: string): number {
  if (typeof value === 'number') {
    scratch[at] = 1
    return putInt(at + 1, value, op, name)
  }
  if (!Array.isArray(value)) refuse(op, name, 'an array of integers', value)
  const count = value.length
  if (at + count > MOST) tooMany(op, name, count)
  scratch[at] = count
  for (let i = 0; i < count; i++) {
    const v = value[i] as number
    if (!Number.isSafeInteger(v)) refuse(op, `${name}[${i}]`, 'an integer', v)
    scratch[at + 1 + i] = v
  }
  return at + 1 + count
}

/** Two integers; one number stands for both. */
export function putPair(at: number, value: number | readonly number[], op: string, name: string): number {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) refuse(op, name, 'an integer or two', value)
    scratch[at] = value
    scratch[at + 1] = value
    return at + 2
  }
  if (!Array.isArray(value) || value.length !== 2) refuse(op, name, 'an integer or two', value)
  putInt(at, value[0] as number, op, `${name}[0]`)
  return putInt(at + 1, value[1] as number, op, `${name}[1]`)
}

export function putOptionalInt(at: number, value: number | null | undefined, op: string, name: string): number {
  if (value === undefined || value === null) return absent(at)
  scratch[at] = 1
  return putInt(at + 1, value, op, name)
}

export function putOptionalFloat(at: number, value: number | null | undefined, op: string, name: string): number {
  if (value === undefined || value === null) return absent(at)
  scratch[at] = 1
  return putFloat(at + 1, value, op, name)
}

export function putOptionalInts(
  at: number,
  value: number | readonly number[] | null | undefined,
  op: string,
  name: string,
): number {
  if (value === undefined || value === null) return absent(at)
  scratch[at] = 1
  return putInts(at + 1, value, op, name)
}

function absent(at: number): number {
  scratch[at] = 0
  return at + 1
}
