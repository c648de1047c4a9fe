/** Reading values: what makes pending work happen and brings elements to JavaScript. */
import { native } from '../native/addon.ts'
import { ArgumentError, describeValue, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { withOrigin } from '../native/trace.ts'
import { allocate, DTYPES, holds, type TypedArray } from '../native/types.ts'
import type { Nested } from './create.ts'
import type { Tensor } from './tensor.ts'

/** The elements of a value that exists. */
function copied(x: Tensor): TypedArray {
  const out = allocate(x._dtype, x.size)
  native.copyOut(x._id, out)
  return out
}

async function ready(x: Tensor): Promise<void> {
  try {
    if (!native.isReady(x._id)) await native.evaluate([x._id])
  } catch (error) {
    throw withOrigin(error, x)
  }
}

function readySync(x: Tensor): void {
  try {
    if (!native.isReady(x._id)) native.evaluateSync([x._id])
  } catch (error) {
    throw withOrigin(error, x)
  }
}

export async function readOne(x: Tensor): Promise<TypedArray> {
  const now = x._now()
  await ready(now)
  return copied(now)
}

export function readOneSync(x: Tensor): TypedArray {
  const now = x._now()
  readySync(now)
  return copied(now)
}

/** The tensors among `values`, as they are now; throws an ArgumentError for anything else. */
function tensors(values: readonly Tensor[], op: string): Tensor[] {
  return values.map((x, i) => (isTensor(x) ? x._now() : refuse(op, `argument ${i}`, 'a Tensor', x)))
}

/** Reads several tensors with one evaluation: their elements in row-major order, as with {@link Tensor.data}. */
export async function read(...values: Tensor[]): Promise<TypedArray[]> {
  const now = tensors(values, 'read')
  const missing = now.filter((x) => !native.isReady(x._id))
  if (missing.length > 0) await native.evaluate(missing.map((x) => x._id))
  return now.map(copied)
}

/** Computes the values of `values`, and whatever else is pending, without reading them. */
export async function materialize(...values: Tensor[]): Promise<void> {
  const now = tensors(values, 'materialize')
  await native.evaluate(now.map((x) => x._id))
}

/** Computes `x` and prints its values. */
export async function print(x: Tensor): Promise<void> {
  if (!isTensor(x)) refuse('print', 'x', 'a Tensor', x)
  await ready(x._now())
  console.log(x)
}

/** Copies the elements into `target`; throws an ArgumentError where it is of another kind or size. */
export async function copyInto(x: Tensor, target: TypedArray): Promise<void> {
  const now = x._now()
  if (!holds(target, now._dtype)) {
    const kind = allocate(now._dtype, 0).constructor.name
    refuse('dataInto', 'target', `a ${kind} for dtype ${DTYPES[now._dtype]}`, target)
  }
  if (target.length !== now.size) {
    throw new ArgumentError(`dataInto: target holds ${target.length} elements, the tensor has ${now.size}`, {
      op: 'dataInto',
      argument: 'target',
      expected: `${now.size} elements`,
      received: `${target.length}`,
    })
  }
  await ready(now)
  native.copyOut(now._id, target)
}

function only(x: Tensor): void {
  if (x.size === 1) return
  throw new ShapeError(`item: the tensor has ${x.size} elements, shape [${x.shape.join(', ')}]; read it with data()`, {
    op: 'item',
    expected: 'one element',
    received: `[${x.shape.join(', ')}]`,
  })
}

function number(value: number | bigint | undefined): number {
  const n = Number(value)
  if (typeof value === 'bigint' && !Number.isSafeInteger(n)) {
    throw new ArgumentError(`item: ${value} is no exact number in JavaScript; read it with data()`, {
      op: 'item',
      expected: 'an integer up to 2^53 - 1',
      received: describeValue(value),
    })
  }
  return n
}

export async function item(x: Tensor): Promise<number> {
  only(x)
  return number((await readOne(x))[0])
}

export function itemSync(x: Tensor): number {
  only(x)
  return number(readOneSync(x)[0])
}

/** `data` as arrays within arrays; bool elements as booleans. */
export function nest(data: TypedArray, shape: readonly number[], isBool: boolean): Nested {
  let at = 0
  const level = (depth: number): Nested => {
    if (depth === shape.length) {
      const value = data[at++]!
      return isBool ? value !== 0 : value
    }
    return Array.from({ length: shape[depth]! }, () => level(depth + 1))
  }
  return level(0)
}

export async function toNested(x: Tensor): Promise<Nested> {
  return nest(await readOne(x), x.shape, x.dtype === 'bool')
}

export function toNestedSync(x: Tensor): Nested {
  return nest(readOneSync(x), x.shape, x.dtype === 'bool')
}
