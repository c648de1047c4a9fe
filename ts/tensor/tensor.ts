/** The Tensor class. What it does lies in the files beside it and in ts/generated. */
import { methods, type Methods } from '../generated/methods.ts'
import { native } from '../native/addon.ts'
import { ArgumentError, DisposedError } from '../native/errors.ts'
import { described, setTensorClass } from '../native/record.ts'
import { deviceName, DTYPES, type Device, type DType, type TypedArray, type TypedArrayOf } from '../native/types.ts'
import type { TensorLike } from '../native/write.ts'
import { backward, type BackwardOptions, gradOf, setGrad } from './autograd.ts'
import { clone } from './compose.ts'
import { convert } from './convert.ts'
import { tensor, type CreateOptions, type Nested, type TensorData } from './create.ts'
import { at, type Index, withAt } from './indexing.ts'
import { inspect } from './inspect.ts'
import { composedMethods, type ComposedMethods } from './methods.ts'
import { copyInto, item, itemSync, readOne, readOneSync, toNested, toNestedSync } from './read.ts'

// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, no-unused-vars -- put on the prototype below
export interface Tensor<D extends DType = DType> extends Methods, ComposedMethods {}

/**
 * An immutable array of numbers with a shape, a dtype and a device; a node of the graph that may not be computed yet.
 *
 * Calls record and return at once; values are computed when they are read or at an optimizer's step. Wrong shapes,
 * dtypes, devices and arguments throw at the call that makes the mistake.
 */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging
export class Tensor<D extends DType = DType> implements Disposable {
  /** @internal 0: a handle, 3: a variable; see docs/native-boundary.md */
  _kind = 0
  /** @internal */ _id = 0
  /** @internal */ _dtype = 0
  /** @internal */ _device = 0
  /** @internal */ _requiresGrad = 0
  /** @internal */ _shape: readonly number[] = []

  /** As {@link tensor}: a new tensor from numbers, nested arrays or a typed array, which is copied. */
  static from<D extends DType>(data: TensorData, options: CreateOptions & { dtype: D }): Tensor<D>
  static from(data: TensorData, options?: CreateOptions): Tensor
  static from(data: TensorData, options?: CreateOptions): Tensor {
    return tensor(data, options)
  }

  /** Sizes of the dimensions; empty for a scalar. */
  get shape(): readonly number[] {
    return this._shape
  }

  /** The element type. */
  get dtype(): D {
    return DTYPES[this._dtype] as D
  }

  /** Where the value is, or will be computed. */
  get device(): Device {
    return deviceName(this._device)
  }

  /** The number of dimensions. */
  get rank(): number {
    return this._shape.length
  }

  /** The number of elements; 1 for a scalar. */
  get size(): number {
    let size = 1
    for (let i = 0; i < this._shape.length; i++) size *= this._shape[i]!
    return size
  }

  /** Whether gradients flow to or through this tensor. */
  get requiresGrad(): boolean {
    return this._requiresGrad === 1
  }

  /** What `backward` has accumulated for this leaf (or after {@link retainGrad}); null before the first. */
  get grad(): Tensor | null {
    return gradOf(this)
  }

  /** Puts another gradient in its place; null forgets it. */
  set grad(value: Tensor | null) {
    setGrad(this, value)
  }

  /** @internal The tensor that has the value of now: itself, or a variable's current version. */
  _now(): Tensor {
    return this as unknown as Tensor
  }

  // Reading

  /** The elements in row-major order, in an array of the dtype's kind (bool: 0 and 1 in a Uint8Array). */
  data<T extends TypedArray = TypedArrayOf<D>>(): Promise<T> {
    return readOne(this) as Promise<T>
  }

  /** As {@link data}, computing on this thread. */
  dataSync<T extends TypedArray = TypedArrayOf<D>>(): T {
    return readOneSync(this) as T
  }

  /** Copies the elements into `target`, an array of the dtype's kind and of `size` elements. */
  dataInto(target: TypedArray): Promise<void> {
    return copyInto(this, target)
  }

  /** The only element as a number (bool: 0 or 1). Throws a ShapeError where there are more or none. */
  item(): Promise<number> {
    return item(this)
  }

  /** As {@link item}, computing on this thread. */
  itemSync(): number {
    return itemSync(this)
  }

  /** The elements as nested arrays; bool as booleans, i64 as bigints. */
  toNested(): Promise<Nested> {
    return toNested(this)
  }

  /** As {@link toNested}, computing on this thread. */
  toNestedSync(): Nested {
    return toNestedSync(this)
  }

  // Shapes and parts

  /**
   * A part, one index for each dimension: a number (drops the dimension), `[start, end, step]` (each may be left out
   * or null, negative counts from the end), `'...'` for all dimensions in between, null for a new dimension of 1,
   * integers (any shape; several broadcast together) or a mask (bool), as in NumPy and PyTorch. A mask is computed by
   * the call, since the result's shape depends on it.
   *
   *     x.at(0)   x.at([1, 3])   x.at('...', -1)   x.at([null, null, 2], null)   x.at(rows, columns)   x.at(x.gt(0))
   */
  at(...index: Index[]): Tensor {
    return at(this, index)
  }

  /**
   * A new tensor with `value`, which broadcasts, in the place of the part that `index` names as for {@link at}. Where
   * integers name a place twice the last value stands.
   *
   *     x.withAt([0], 1)   x.withAt(['...', [1, 3]], y)   x.withAt([x.lt(0)], 0)
   */
  withAt(index: readonly Index[], value: TensorLike): Tensor {
    return withAt(this, index, value)
  }

  // Other dtypes, devices and histories

  /** The same values as another dtype or on another device; differentiable. */
  to<E extends DType>(dtype: E): Tensor<E>
  to(device: Device): Tensor<D>
  to(target: DType | Device): Tensor
  to(target: DType | Device): Tensor {
    return convert(this, target)
  }

  /** The same value, cut off from the graph that made it. */
  detach(): Tensor<D> {
    const from = this._now()
    return described((target) => native.alias(from._id, 0, target)) as Tensor<D>
  }

  /** A tensor of the same value; gradients flow through. */
  clone(): Tensor<D> {
    return clone(this) as Tensor<D>
  }

  // Gradients

  /**
   * Adds the gradient of this value to `.grad` of every leaf that requires one. `gradient` is the cotangent, of this
   * shape; it may be left out for a single element.
   */
  backward(gradient?: Tensor | null, options?: BackwardOptions): void {
    backward(this, gradient, options)
  }

  /** Keeps `.grad` also for this tensor, which is no leaf. */
  retainGrad(): this {
    native.retainGrad(this._now()._id)
    return this
  }

  // Lifetime

  /** Asks that this value stays readable after the variables it was computed from have moved on. */
  keep(): this {
    native.keep(this._now()._id)
    return this
  }

  /** Gives the value up now instead of when the collector finds it; pending work that needs it still completes. */
  dispose(): void {
    try {
      native.dispose(this._id)
    } catch (error) {
      if (!(error instanceof DisposedError)) throw error
    }
  }

  /** As {@link dispose}, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  // What must not happen by accident

  /** Throws an ArgumentError: a tensor in arithmetic or a string is a mistake. */
  [Symbol.toPrimitive](hint: string): never {
    const way = hint === 'string' ? 'await t.data() or await print(t)' : 'await t.item()'
    throw new ArgumentError(
      `A tensor is not a ${hint === 'string' ? 'string' : 'number'}: read its value with ${way}`,
      {
        expected: 'a value that was read',
        received: `a tensor of shape [${this._shape.join(', ')}]`,
      },
    )
  }

  /** Throws an ArgumentError: JSON is made of values that were read. */
  toJSON(): never {
    throw new ArgumentError('A tensor is not JSON: read its values with await t.toNested()', {
      expected: 'a value that was read',
      received: `a tensor of shape [${this._shape.join(', ')}]`,
    })
  }

  /** Shows the values where they have been computed, else `pending`; computes nothing. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return inspect(this)
  }
}

for (const [name, method] of Object.entries({ ...methods, ...composedMethods })) {
  Object.defineProperty(Tensor.prototype, name, { value: method, writable: true, configurable: true })
}
setTensorClass(Tensor)
