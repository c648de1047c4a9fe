/** Modules made of modules. */
import { ArgumentError, refuse } from '../native/errors.ts'
import { dimension, flatten } from '../tensor/compose.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Entry } from './fields.ts'
import { type AnyModule, isModule, Module } from './module.ts'
import { Parameter } from './parameter.ts'

type Record_ = Readonly<Record<string, Module>>

/** One module after the other: `new Sequential(a, b)`, keys 0, 1, …, or `new Sequential({ name: a, … })`. */
export class Sequential extends Module {
  readonly #parts: Map<string, Module>

  constructor(...modules: Module[])
  constructor(modules: Record_)
  constructor(...modules: Module[] | [Record_]) {
    super()
    const [first] = modules
    const record = modules.length === 1 && first !== undefined && !isModule(first)
    const parts: [string, unknown][] = record
      ? Object.entries(first as object)
      : modules.map((module, i) => [String(i), module])
    for (const [name, module] of parts) {
      if (!isModule(module)) refuse('Sequential', record ? name : `modules[${name}]`, 'a Module', module)
      if (name === '' || name.includes('.')) refuse('Sequential', 'name', 'a name without dots', name)
    }
    this.#parts = new Map(parts as [string, Module][])
  }

  override _entries(): Entry[] {
    return [...this.#parts] as unknown as Entry[]
  }

  override _exchange(before: AnyModule, now: AnyModule): void {
    for (const [name, module] of this.#parts) if ((module as unknown) === before) this.#parts.set(name, now as never)
  }

  /** How many modules there are. */
  get length(): number {
    return this.#parts.size
  }

  /** The module of this name or position (negative counts from the end); throws an ArgumentError if there is none. */
  get(which: string | number): Module {
    const key = typeof which === 'number' ? [...this.#parts.keys()].at(which) : which
    const module = key === undefined ? undefined : this.#parts.get(key)
    if (module) return module
    throw new ArgumentError(`Sequential: there is no module ${which}`, {
      op: 'Sequential',
      argument: 'which',
      expected: `one of ${[...this.#parts.keys()].join(', ')}`,
      received: String(which),
    })
  }

  /** Puts a module in the place of the one that {@link get} gives. */
  set(which: string | number, module: Module): this {
    if (!isModule(module)) refuse('Sequential', 'module', 'a Module', module)
    const before = this.get(which)
    for (const [name, part] of this.#parts) {
      if (part === before && (typeof which === 'number' || name === which)) this.#parts.set(name, module)
    }
    return this
  }

  /** The modules in order. */
  [Symbol.iterator](): IterableIterator<Module> {
    return this.#parts.values()
  }

  forward(x: Tensor): Tensor {
    let y = x
    for (const module of this.#parts.values()) y = module.forward(y)
    return y
  }
}

/** A list of modules, keys 0, 1, …; its owner says how they are called. */
export class ModuleList<M extends AnyModule = Module> extends Module<never, never> {
  readonly #list: M[]

  constructor(modules: Iterable<M> = []) {
    super()
    this.#list = []
    for (const module of modules) this.push(module)
  }

  override _entries(): Entry[] {
    return this.#list.map((module, i) => [String(i), module])
  }

  override _exchange(before: AnyModule, now: AnyModule): void {
    this.#list.forEach((module, i) => void ((module as unknown) === before && (this.#list[i] = now as never)))
  }

  /** How many there are. */
  get length(): number {
    return this.#list.length
  }

  /** The module at this position, negative from the end; undefined if there is none. */
  at(i: number): M | undefined {
    return this.#list.at(i)
  }

  /** Adds a module at the end. */
  push(module: M): this {
    if (!isModule(module)) refuse('ModuleList', `modules[${this.#list.length}]`, 'a Module', module)
    this.#list.push(module)
    return this
  }

  /** The modules in order. */
  [Symbol.iterator](): IterableIterator<M> {
    return this.#list.values()
  }

  /** A list computes nothing: call the modules in it. */
  forward(): never {
    throw new ArgumentError('ModuleList: a list computes nothing; call the modules in it', { op: 'ModuleList' })
  }
}

/** Modules by name; their owner says how they are called. */
export class ModuleDict<M extends AnyModule = Module> extends Module<never, never> {
  readonly #parts = new Map<string, M>()

  constructor(modules: Readonly<Record<string, M>> = {}) {
    super()
    for (const [name, module] of Object.entries(modules)) this.set(name, module)
  }

  override _entries(): Entry[] {
    return [...this.#parts]
  }

  override _exchange(before: AnyModule, now: AnyModule): void {
    for (const [name, module] of this.#parts) if ((module as unknown) === before) this.#parts.set(name, now as never)
  }

  /** How many modules there are. */
  get length(): number {
    return this.#parts.size
  }

  /** The module of this name; undefined if there is none. */
  get(name: string): M | undefined {
    return this.#parts.get(name)
  }

  /** Adds a module, or puts it in the place of the one of this name. */
  set(name: string, module: M): this {
    if (name === '' || name.includes('.')) refuse('ModuleDict', 'name', 'a name without dots', name)
    if (!isModule(module)) refuse('ModuleDict', name, 'a Module', module)
    this.#parts.set(name, module)
    return this
  }

  /** Names and modules in the order in which they were set. */
  [Symbol.iterator](): IterableIterator<[string, M]> {
    return this.#parts.entries()
  }

  /** A dict computes nothing: call the modules in it. */
  forward(): never {
    throw new ArgumentError('ModuleDict: a dict computes nothing; call the modules in it', { op: 'ModuleDict' })
  }
}

/** A list of parameters, keys 0, 1, …. */
export class ParameterList extends Module<never, never> {
  readonly #list: Parameter[] = []

  constructor(parameters: Iterable<Parameter> = []) {
    super()
    for (const parameter of parameters) this.push(parameter)
  }

  override _entries(): Entry[] {
    return this.#list.map((parameter, i) => [String(i), parameter])
  }

  /** How many there are. */
  get length(): number {
    return this.#list.length
  }

  /** The parameter at this position, negative from the end; undefined if there is none. */
  at(i: number): Parameter | undefined {
    return this.#list.at(i)
  }

  /** Adds a parameter at the end. */
  push(parameter: Parameter): this {
    if (!(parameter instanceof Parameter)) {
      refuse('ParameterList', `parameters[${this.#list.length}]`, 'a Parameter', parameter)
    }
    this.#list.push(parameter)
    return this
  }

  /** The parameters in order. */
  [Symbol.iterator](): IterableIterator<Parameter> {
    return this.#list.values()
  }

  /** A list computes nothing: use the parameters in it. */
  forward(): never {
    throw new ArgumentError('ParameterList: a list computes nothing', { op: 'ParameterList' })
  }
}

/** Dimensions `first` to `last` as one; by default all but the first. */
export class Flatten extends Module {
  constructor(
    readonly first = 1,
    readonly last = -1,
  ) {
    super()
  }

  forward(x: Tensor): Tensor {
    return flatten(x, this.first, this.last)
  }
}

/** Dimension `dim` as several of these sizes, one of which may be -1: what is left. */
export class Unflatten extends Module {
  constructor(
    readonly dim: number,
    readonly sizes: readonly number[],
  ) {
    super()
    if (!Array.isArray(sizes)) refuse('Unflatten', 'sizes', 'an array of sizes', sizes)
  }

  forward(x: Tensor): Tensor {
    const d = dimension(this.dim, x.rank, 'Unflatten')
    return x.reshape([...x.shape.slice(0, d), ...this.sizes, ...x.shape.slice(d + 1)])
  }
}

/** Parameters by name. */
export class ParameterDict extends Module<never, never> {
  readonly #map = new Map<string, Parameter>()

  constructor(parameters: Readonly<Record<string, Parameter>> = {}) {
    super()
    for (const [name, parameter] of Object.entries(parameters)) this.set(name, parameter)
  }

  override _entries(): Entry[] {
    return [...this.#map]
  }

  /** How many there are. */
  get length(): number {
    return this.#map.size
  }

  /** The parameter of this name; undefined if there is none. */
  get(name: string): Parameter | undefined {
    return this.#map.get(name)
  }

  /** Adds a parameter, or puts it in the place of the one of this name. */
  set(name: string, parameter: Parameter): this {
    if (name === '' || name.includes('.')) refuse('ParameterDict', 'name', 'a name without dots', name)
    if (!(parameter instanceof Parameter)) refuse('ParameterDict', name, 'a Parameter', parameter)
    this.#map.set(name, parameter)
    return this
  }

  /** Names and parameters in the order in which they were set. */
  [Symbol.iterator](): IterableIterator<[string, Parameter]> {
    return this.#map.entries()
  }

  /** A dict computes nothing: use the parameters in it. */
  forward(): never {
    throw new ArgumentError('ParameterDict: a dict computes nothing', { op: 'ParameterDict' })
  }
}
