/**
 * The boundary of modules (S21, S22): public methods are wrapped once for each prototype, so that the engine knows
 * where in a model it is, what a model returns, and hooks can listen.
 */
import { native } from '../native/addon.ts'
import { locate, ModuleError } from '../native/errors.ts'
import { location } from '../native/watch.ts'
import { eachTensor, isPromise, refusePromise } from '../tensor/structure.ts'
import { walk } from './fields.ts'
import type { AnyModule } from './module.ts'

/** A call of a module's forward, as hooks see it. */
export interface ForwardCall<Args extends unknown[] = unknown[], Out = unknown> {
  module: AnyModule
  /** The module's path in the model whose method was called from outside; '' for that model itself. */
  path: string
  args: Args
  output: Out
}

type Method = (this: AnyModule, ...args: unknown[]) => unknown
type Hook = (call: ForwardCall) => unknown

/** A method that is running. */
interface Frame {
  module: AnyModule
  method: string
  path: string
  root: AnyModule
}

let current: Frame | null = null
location.path = () => (current === null ? '' : current.path || current.module.constructor.name)
const wrapped = new WeakSet<object>()
const hooks = new WeakMap<AnyModule, Hook[]>()
const paths = new WeakMap<AnyModule, WeakMap<AnyModule, string>>()
/** Modules that some model is known to contain. */
const registered = new WeakSet<AnyModule>()

/** Wraps the public methods of `prototype` and of those above it, up to `base`. */
export function wrapMethods(prototype: object, base: object): void {
  for (let p: object = prototype; p !== base && !wrapped.has(p); p = Object.getPrototypeOf(p) as object) {
    wrapped.add(p)
    for (const name of Object.getOwnPropertyNames(p)) {
      const property = Object.getOwnPropertyDescriptor(p, name)!
      if (name === 'constructor' || name.startsWith('_') || typeof property.value !== 'function') continue
      const method = property.value as Method
      const outer: Method = function (...args) {
        return call(this, name, method, args)
      }
      Object.defineProperty(outer, 'name', { value: name })
      Object.defineProperty(outer, 'length', { value: method.length })
      Object.defineProperty(p, name, { ...property, value: outer })
    }
  }
}

/** The paths of everything in `root`; gives variables their names on the way. */
function survey(root: AnyModule): WeakMap<AnyModule, string> {
  const found = new WeakMap<AnyModule, string>()
  walk(root, {
    module: (path, module) => {
      if (path !== '') registered.add(module)
      if (!found.has(module)) found.set(module, path)
    },
    variable: (path, variable) => {
      // A part that is also called by itself keeps the longer of its names.
      if (path.length > variable._name.length) variable._set(path, variable.requiresGrad)
    },
  })
  paths.set(root, found)
  return found
}

/** The path of `module`, which is called while `outer` runs. */
function pathWithin(outer: Frame, module: AnyModule): string {
  const known = paths.get(outer.root)?.get(module) ?? survey(outer.root).get(module)
  if (known !== undefined) return known
  const name = module.constructor.name
  const path = outer.path === '' ? name : `${outer.path}.${name}`
  if (registered.has(module) || module.parameters().length === 0) return path
  const where = outer.path === '' ? outer.module.constructor.name : outer.path
  throw new ModuleError(
    `${where} calls a ${name} that has parameters but is in no module's public fields: ` +
      'it would be neither trained nor saved. Keep it in a public field, array or record.',
    { modulePath: outer.path || outer.module.constructor.name, expected: 'a registered module', received: name },
  )
}

function call(module: AnyModule, method: string, fn: Method, args: unknown[]): unknown {
  const outer = current
  // Calls of a module's own methods stay in the frame; forward called by another method of it still has its hooks.
  const own = outer !== null && outer.module === module
  if (own && (method !== 'forward' || outer.method === 'forward')) return fn.apply(module, args)
  const root = outer === null ? module : outer.root
  if (outer === null && !paths.has(module)) survey(module)
  const path = outer === null ? '' : own ? outer.path : pathWithin(outer, module)
  native.enterModule(path === '' ? module.constructor.name : path)
  current = { module, method, path, root }
  let result: unknown
  try {
    result = fn.apply(module, args)
    if (method === 'forward') result = afterForward(module, path, args, result)
  } catch (error) {
    locate(error, path || module.constructor.name)
    throw error
  } finally {
    current = outer
    native.exitModule()
  }
  if (outer === null) {
    eachTensor(result, (x) => {
      if (x._kind === 0) native.markReturned(x._id)
    })
  }
  return result
}

function afterForward(module: AnyModule, path: string, args: unknown[], result: unknown): unknown {
  if (isPromise(result)) {
    Promise.resolve(result).catch(() => {})
    refusePromise(module.constructor.name, 'forward method')
  }
  let output = result
  const listening = hooks.get(module)
  // A copy: hooks may remove themselves.
  for (const hook of listening?.slice() ?? []) output = hook({ module, path, args, output }) ?? output
  return output
}

/** Adds a hook; returns what removes it. */
export function addHook(module: AnyModule, hook: Hook): () => void {
  const list = hooks.get(module) ?? []
  list.push(hook)
  hooks.set(module, list)
  return () => {
    const at = list.indexOf(hook)
    if (at >= 0) list.splice(at, 1)
  }
}
