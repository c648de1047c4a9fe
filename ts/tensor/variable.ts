/** Variables: the only things whose value changes. */
import { native } from '../native/addon.ts'
import { DisposedError, DTypeError, refuse, ShapeError } from '../native/errors.ts'
import { described, fill, isTensor } from '../native/record.ts'
import { Kind } from '../native/write.ts'
import type { DType, TypedArray } from '../native/types.ts'
import { tensor, type Nested } from './create.ts'
import { sameShape } from './structure.ts'
import { Tensor } from './tensor.ts'

/** Options of a {@link Variable}. */
export interface VariableOptions {
  /** Whether gradients are accumulated for it. Default false. */
  requiresGrad?: boolean
  /** How errors call it. */
  name?: string
}

/**
 * A tensor whose value can be replaced. An op that takes it captures the version of that moment; `assign` makes a new
 * version, in program order.
 */
export class Variable<D extends DType = DType> extends Tensor<D> {
  /** @internal */ _name: string

  /** A variable that starts with this value. Throws a DTypeError when gradients are asked of integers. */
  constructor(value: Tensor | Nested | TypedArray, options: VariableOptions = {}) {
    super()
    const { requiresGrad = false, name = '' } = options
    if (typeof requiresGrad !== 'boolean') refuse('Variable', 'requiresGrad', 'a boolean', requiresGrad)
    if (typeof name !== 'string') refuse('Variable', 'name', 'a string', name)
    this._name = name
    this._kind = Kind.variable
    this._open(isTensor(value) ? value : tensor(value), requiresGrad)
  }

  /** @internal Makes the native variable. */
  _open(value: Tensor, requiresGrad: boolean): void {
    const from = value._now()
    const variable = native.variable(from._id, this._name, requiresGrad)
    native.ownVariable(variable, this)
    native.describeVariable(variable)
    fill(this as unknown as Tensor, 0)
    this._id = variable
    this._requiresGrad = requiresGrad ? 1 : 0
  }

  /** @internal Puts a variable with another dtype or on another device in this one's place. */
  _replace(value: Tensor): void {
    const before = this._id
    this._open(value, this.requiresGrad)
    native.freeVariable(before)
  }

  /** @internal */
  override _now(): Tensor {
    return described((target) => native.alias(this._id, 1, target))
  }

  /** Makes `value` the new version. Shape, dtype and device must be the variable's; no gradient flows through. */
  assign(value: Tensor): void {
    if (!isTensor(value)) refuse('assign', 'value', 'a Tensor', value)
    const { shape } = this
    if (!sameShape(value, this)) {
      const [expected, received] = [`[${shape.join(', ')}]`, `[${value.shape.join(', ')}]`]
      throw new ShapeError(`assign: ${this._name || 'the variable'} has shape ${expected}, the value ${received}`, {
        op: 'assign',
        argument: 'value',
        expected,
        received,
      })
    }
    if (value.dtype !== this.dtype) {
      const [expected, received] = [this.dtype, value.dtype]
      const what = `${this._name || 'the variable'} is ${expected}, the value ${received}`
      throw new DTypeError(`assign: ${what}; cast it with to('${expected}')`, {
        op: 'assign',
        argument: 'value',
        expected,
        received,
      })
    }
    native.assign(this._id, value._now()._id)
  }

  /** @internal Changes how errors call it and whether it asks for gradients. */
  _set(name: string, requiresGrad: boolean): void {
    if (name === this._name && requiresGrad === this.requiresGrad) return
    native.setVariable(this._id, name, requiresGrad)
    this._name = name
    this._requiresGrad = requiresGrad ? 1 : 0
  }

  override dispose(): void {
    try {
      native.freeVariable(this._id)
    } catch (error) {
      if (!(error instanceof DisposedError)) throw error
    }
  }
}
