/**
 * Shapes in types, for those who want them: sizes that don't meet are errors of the compiler.
 *
 * A {@link Shaped} is a Tensor whose `shape` the compiler knows; everywhere else it is used as any Tensor is. Sizes that
 * are known only when the program runs are `number`, and meet every size.
 */
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
import * as ops from '../generated/ops.ts'
import { refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { DType } from '../native/types.ts'
import { transpose as exchanged } from '../tensor/compose.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Sizes of dimensions, such as `[2, number, 3]`. */
export type Sizes = readonly number[]

/** A tensor of this shape. */
export interface Shaped<S extends Sizes, D extends DType = DType> extends Tensor<D> {
  readonly shape: S
}

/** One dimension of two that broadcast; never where they don't. */
type Meet<A, B> = number extends A
  ? B extends 1
    ? A
    : B
  : number extends B
    ? A extends 1
      ? B
      : A
    : A extends 1
      ? B
      : B extends 1
        ? A
        : A extends B
          ? A
          : never

/** The shape of a pair of tensors that broadcast, dimensions counted from the last. */
export type Broadcast<A extends Sizes, B extends Sizes> = A extends readonly [...infer AHead extends Sizes, infer ALast]
  ? B extends readonly [...infer BHead extends Sizes, infer BLast]
    ? readonly [...Broadcast<AHead, BHead>, Meet<ALast, BLast>]
    : A
  : B

/** Whether one of the sizes is none. */
type Fails<S extends Sizes> = S extends readonly [infer First, ...infer Rest extends Sizes]
  ? [First] extends [never]
    ? true
    : Fails<Rest>
  : false

/** `B` where it broadcasts with `A`; a type that names both where it doesn't. */
type Fitting<A extends Sizes, B extends Sizes> =
  Fails<Broadcast<A, B>> extends true ? { error: 'shapes that do not broadcast'; left: A; right: B } : B

/** `x` with a shape that the compiler knows; -1 and `number` take any size. Throws a ShapeError where it has another. */
export function shaped<const S extends Sizes, D extends DType = DType>(x: Tensor<D>, shape: S): Shaped<Known<S>, D> {
  if (!isTensor(x)) refuse('shaped', 'x', 'a Tensor', x)
  if (!Array.isArray(shape)) refuse('shaped', 'shape', 'an array of sizes', shape)
  if (x.rank === shape.length && shape.every((size, i) => size === -1 || size === x.shape[i])) return x as never
  const [expected, received] = [`[${shape.join(', ')}]`, `[${x.shape.join(', ')}]`]
  throw new ShapeError(`shaped: x has shape ${received}, expected ${expected}`, {
    op: 'shaped',
    argument: 'x',
    expected,
    received,
  })
}

/** A shape whose sizes of -1 are any number. */
export type Known<S extends Sizes> = { readonly [K in keyof S]: S[K] extends -1 ? number : S[K] }

/** The matrix product of [..., M, K] and [K, N]: [..., M, N]. */
export function matmul<const Head extends Sizes, M extends number, K extends number, N extends number>(
  a: Shaped<readonly [...Head, M, K]>,
  b: Shaped<readonly [NoInfer<K>, N]>,
): Shaped<readonly [...Head, M, N]> {
  return ops.matmul(a, b) as never
}

/** [..., M, N] with the last two dimensions exchanged. */
export function transpose<const Head extends Sizes, M extends number, N extends number>(
  x: Shaped<readonly [...Head, M, N]>,
): Shaped<readonly [...Head, N, M]> {
  return exchanged(x, -1, -2) as never
}

/** The sum of two tensors that broadcast. */
export function add<const A extends Sizes, const B extends Sizes>(
  a: Shaped<A>,
  b: Shaped<B> & { readonly shape: Fitting<NoInfer<A>, B> },
): Shaped<Broadcast<A, B>> {
  return ops.add(a, b) as never
}

/** The difference of two tensors that broadcast. */
export function sub<const A extends Sizes, const B extends Sizes>(
  a: Shaped<A>,
  b: Shaped<B> & { readonly shape: Fitting<NoInfer<A>, B> },
): Shaped<Broadcast<A, B>> {
  return ops.sub(a, b) as never
}

/** The product, element by element, of two tensors that broadcast. */
export function mul<const A extends Sizes, const B extends Sizes>(
  a: Shaped<A>,
  b: Shaped<B> & { readonly shape: Fitting<NoInfer<A>, B> },
): Shaped<Broadcast<A, B>> {
  return ops.mul(a, b) as never
}
