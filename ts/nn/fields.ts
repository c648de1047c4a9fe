/** What a module owns, found in its public fields, and how state dicts call it. */
import { ModuleError } from '../native/errors.ts'
import { Variable } from '../tensor/variable.ts'
import { type AnyModule, isModule } from './module.ts'
import { Parameter } from './parameter.ts'

/** A parameter, buffer or submodule and its key within the module that owns it. */
export type Entry = readonly [key: string, value: Variable | AnyModule]

const CAMEL = /^[a-z][a-zA-Z0-9]*$/

/** `running_mean` for a field `runningMean`; names that aren't camelCase stay as they are. */
export function keyOf(field: string): string {
  return CAMEL.test(field) ? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : field
}

function isRecord(value: object): value is Record<string, unknown> {
  return Object.getPrototypeOf(value) === Object.prototype
}

/** Adds what `value`, found under `key`, holds: itself, or the entries of an array or record. */
function collect(key: string, value: unknown, into: Entry[]): void {
  if (typeof value !== 'object' || value === null) return
  if (value instanceof Variable || isModule(value)) into.push([key, value])
  else if (Array.isArray(value)) value.forEach((v, i) => collect(`${key}.${i}`, v, into))
  else if (isRecord(value)) for (const name of Object.keys(value)) collect(`${key}.${name}`, value[name], into)
}

/** Refuses a field that hides a method: callers would miss the method, and the base class its wrapping. */
function checkField(module: AnyModule, field: string): void {
  const hidden: unknown = Object.getPrototypeOf(module)[field]
  if (field !== 'forward' && typeof hidden !== 'function') return
  const name = module.constructor.name
  throw new ModuleError(
    `${name}: the field ${field} hides the method ${field}(); make it a method or rename the field`,
    {
      argument: field,
      expected: 'a method',
      received: 'a field',
    },
  )
}

/** The parameters, buffers and submodules of `module` itself. Fields whose name starts with _ or # are its own. */
export function fieldEntries(module: AnyModule): Entry[] {
  const entries: Entry[] = []
  for (const field of Object.keys(module)) {
    checkField(module, field)
    if (!field.startsWith('_')) collect(keyOf(field), (module as unknown as Record<string, unknown>)[field], entries)
  }
  return entries
}

/** Puts `now` wherever a public field, or an array or record in one, holds `before`. */
export function exchangeFields(holder: object, before: AnyModule, now: AnyModule): void {
  const fields = holder as Record<string, unknown>
  for (const field of Object.keys(fields)) {
    if (field.startsWith('_')) continue
    const value = fields[field]
    if (value === before) fields[field] = now
    else if (Array.isArray(value) || (typeof value === 'object' && value !== null && isRecord(value))) {
      exchangeFields(value, before, now)
    }
  }
}

const join = (path: string, key: string) => (path === '' ? key : `${path}.${key}`)

/** Calls `visit` with `module` and everything in it, parents first; what is shared comes once for each of its paths. */
export function walk(
  module: AnyModule,
  visit: { module?: (path: string, module: AnyModule) => void; variable?: (path: string, variable: Variable) => void },
  path = '',
  above: readonly AnyModule[] = [],
): void {
  if (above.includes(module)) {
    const from = above[above.length - 1]!.constructor.name
    throw new ModuleError(
      `${from} holds ${module.constructor.name}, which holds it: keep such links in a #private field`,
    )
  }
  visit.module?.(path, module)
  const inside = [...above, module]
  for (const [key, value] of module._entries()) {
    if (isModule(value)) walk(value, visit, join(path, key), inside)
    else visit.variable?.(join(path, key), value)
  }
}

/** Every variable of the kind asked for, once, under its first path. */
export function named(module: AnyModule, parameters: boolean): [string, Variable][] {
  const seen = new Map<Variable, string>()
  walk(module, {
    variable: (path, variable) => {
      if (variable instanceof Parameter === parameters && !seen.has(variable)) seen.set(variable, path)
    },
  })
  return Array.from(seen, ([variable, path]) => [path, variable])
}
