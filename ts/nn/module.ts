/** The base of every model and layer. */
import { refuse } from '../native/errors.ts'
import type { Device, DType } from '../native/types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { isDevice, isDType } from '../native/types.ts'
import type { Variable } from '../tensor/variable.ts'
import { addHook, type ForwardCall, wrapMethods } from './calls.ts'
import { type Entry, exchangeFields, fieldEntries, named, walk } from './fields.ts'
import type { Parameter } from './parameter.ts'
import { loadInto, type LoadResult, stateOf } from './state.ts'
import { type InputShape, Summary, type SummaryOptions } from './summary.ts'

/** A module whatever it takes and gives. */
export type AnyModule = Module<unknown[], unknown>

/**
 * A function with parameters. Subclasses keep parameters ({@link Parameter}), buffers (Variable) and other modules in
 * public fields, arrays or records, and say in `forward` what they compute.
 *
 * Public methods are wrapped: what they return to code outside any module stays readable, errors carry the module's
 * path. Methods whose name starts with `_` and accessors are left alone. A state dict's keys are PyTorch's: the path
 * of fields, camelCase fields in snake_case.
 */
export abstract class Module<Args extends unknown[] = [Tensor], Out = Tensor> {
  /** Whether layers such as dropout behave as in training; see {@link train}. */
  readonly training: boolean = true

  constructor() {
    wrapMethods(new.target.prototype, Module.prototype)
  }

  /** What the module computes. Must be synchronous. */
  abstract forward(...args: Args): Out

  /** @internal What the module itself owns; containers that name their parts otherwise override it. */
  _entries(): Entry[] {
    return fieldEntries(this as unknown as AnyModule)
  }

  /** @internal Puts `now` where the module holds `before`; containers that keep their parts otherwise override it. */
  _exchange(before: AnyModule, now: AnyModule): void {
    exchangeFields(this, before, now)
  }

  /** Every parameter in the module, once. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter)
  }

  /** Every parameter with its key in the state dict. */
  namedParameters(): [name: string, parameter: Parameter][] {
    return named(this as unknown as AnyModule, true) as [string, Parameter][]
  }

  /** Every buffer (a variable that is no parameter), once. */
  buffers(): Variable[] {
    return this.namedBuffers().map(([, buffer]) => buffer)
  }

  /** Buffers of this module and all below with their names, as in the state dict. */
  namedBuffers(): [name: string, buffer: Variable][] {
    return named(this as unknown as AnyModule, false)
  }

  /** The module itself and every module in it, once. */
  modules(): AnyModule[] {
    return this.namedModules().map(([, module]) => module)
  }

  /** This module (under the empty name) and all below with their paths. */
  namedModules(): [name: string, module: AnyModule][] {
    const seen = new Map<AnyModule, string>()
    walk(this as unknown as AnyModule, {
      module: (path, module) => {
        if (!seen.has(module)) seen.set(module, path)
      },
    })
    return Array.from(seen, ([module, path]) => [path, module])
  }

  /** Parameters and buffers as they are now, under PyTorch's keys. */
  stateDict(): Record<string, Tensor> {
    return stateOf(this as unknown as AnyModule)
  }

  /**
   * Takes over values under PyTorch's keys, converted to the dtype and device of what they replace. Throws a
   * ShapeError where a shape differs and, unless `strict` is false, an ArgumentError where keys are missing or left
   * over. Nothing is changed when it throws.
   */
  loadStateDict(dict: Record<string, Tensor>, options: { strict?: boolean } = {}): LoadResult {
    return loadInto(this as unknown as AnyModule, dict, options.strict ?? true)
  }

  /** Sets {@link training} here and in every module below. */
  train(mode = true): this {
    if (typeof mode !== 'boolean') refuse('train', 'mode', 'a boolean', mode)
    for (const module of this.modules()) (module as { training: boolean }).training = mode
    return this
  }

  /** Evaluation mode, here and in every module below; as `train(false)`. */
  eval(): this {
    return this.train(false)
  }

  /** Stops asking for gradients of all parameters. */
  freeze(): this {
    return this.#require(false)
  }

  /** Trains the parameters here and below again. */
  unfreeze(): this {
    return this.#require(true)
  }

  #require(on: boolean): this {
    for (const [name, parameter] of this.namedParameters()) parameter._set(name, on)
    return this
  }

  /** Sets `.grad` of all parameters to null. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null
  }

  /** Moves parameters and buffers to a device, or gives those that hold floats another float dtype. */
  to(target: Device | 'f32' | 'f64'): this {
    if (!isDevice(target) && target !== 'f32' && target !== 'f64') {
      refuse('to', 'target', 'a device or a float dtype', target as DType)
    }
    const all = [...this.parameters(), ...this.buffers()]
    for (const variable of all) {
      const float = variable.dtype === 'f32' || variable.dtype === 'f64'
      if (isDType(target) && (!float || variable.dtype === target)) continue
      variable._replace(variable.detach().to(target) as Tensor)
    }
    return this
  }

  /**
   * Calls `hook` after each `forward` of this module; what it returns, unless undefined, becomes the output. Returns a
   * function that removes the hook.
   */
  onForward(hook: (call: ForwardCall<Args, Out>) => Out | void): () => void {
    if (typeof hook !== 'function') refuse('onForward', 'hook', 'a function', hook)
    return addHook(this as unknown as AnyModule, hook as (call: ForwardCall) => unknown)
  }

  /** Runs the module on zeros of this shape, or of several, and tells each layer's output shape and parameters. */
  summary(inputShape: InputShape, options: SummaryOptions = {}): Summary {
    return Summary.of(this as unknown as AnyModule, inputShape, options)
  }

  /** Shows the module's parts and their parameters. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return Summary.parts(this as unknown as AnyModule).toString()
  }
}

export function isModule(value: unknown): value is AnyModule {
  return value instanceof Module
}
