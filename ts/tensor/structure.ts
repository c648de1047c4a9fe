/** What callbacks take and give: tensors within arrays and records, and never a promise. */
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { Tensor } from './tensor.ts'

function isRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Calls `visit` with every tensor in `value`: itself, or in arrays, maps, sets and plain records at any depth. */
export function eachTensor(value: unknown, visit: (x: Tensor) => void): void {
  if (typeof value !== 'object' || value === null) return
  if (isTensor(value)) visit(value)
  else if (Array.isArray(value) || value instanceof Set) for (const v of value) eachTensor(v, visit)
  else if (value instanceof Map) for (const v of value.values()) eachTensor(v, visit)
  else if (isRecord(value)) for (const key of Object.keys(value)) eachTensor(value[key], visit)
}

/** `value` with every tensor in it replaced by what `change` makes of it; arrays and records are copied. */
export function mapTensors<T>(value: T, change: (x: Tensor) => Tensor): T {
  if (typeof value !== 'object' || value === null) return value
  if (isTensor(value)) return change(value) as T
  if (Array.isArray(value)) return value.map((v: unknown) => mapTensors(v, change)) as T
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, mapTensors(v, change)])) as T
}

/** Whether two tensors have as many dimensions, each of the same size. */
export function sameShape(a: { shape: readonly number[] }, b: { shape: readonly number[] }): boolean {
  return a.shape.length === b.shape.length && a.shape.every((d, i) => d === b.shape[i])
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** Throws the ArgumentError of a callback of `name` that returned a promise. */
export function refusePromise(name: string, what = 'callback'): never {
  throw new ArgumentError(
    `${name}: the ${what} must be synchronous, but it returned a promise. Record inside, await outside.`,
    { op: name, argument: what, expected: 'a synchronous function', received: 'one that returns a promise' },
  )
}

/** Runs `fn`, then `leave`, and returns what `fn` returned; a promise is an ArgumentError. */
export function inScope<T>(name: string, fn: () => T, leave: (result: T | undefined) => void): T {
  let result: T | undefined
  try {
    if (typeof fn !== 'function') refuse(name, 'callback', 'a function', fn)
    result = fn()
    if (isPromise(result)) {
      Promise.resolve(result).catch(() => {}) // its failure is not the news
      refusePromise(name)
    }
  } finally {
    leave(result)
  }
  return result
}
