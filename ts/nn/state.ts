/** State dicts. */
import { ArgumentError, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { sameShape } from '../tensor/structure.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Variable } from '../tensor/variable.ts'
import { walk } from './fields.ts'
import type { AnyModule } from './module.ts'

/** Keys that the dict lacked and keys that the module has no place for. */
export interface LoadResult {
  missing: string[]
  unexpected: string[]
}

function variables(module: AnyModule): Map<string, Variable> {
  const found = new Map<string, Variable>()
  walk(module, { variable: (path, variable) => void found.set(path, variable) })
  return found
}

export function stateOf(module: AnyModule): Record<string, Tensor> {
  return Object.fromEntries(Array.from(variables(module), ([key, variable]) => [key, variable.detach() as Tensor]))
}

const listed = (keys: string[]) => keys.slice(0, 8).join(', ') + (keys.length > 8 ? `, … (${keys.length})` : '')

export function loadInto(module: AnyModule, dict: Record<string, Tensor>, strict: boolean): LoadResult {
  const own = variables(module)
  const missing = [...own.keys()].filter((key) => !(key in dict))
  const unexpected = Object.keys(dict).filter((key) => !own.has(key))
  if (strict && missing.length + unexpected.length > 0) {
    const parts = [
      missing.length > 0 ? `missing ${listed(missing)}` : '',
      unexpected.length > 0 ? `unexpected ${listed(unexpected)}` : '',
    ]
    throw new ArgumentError(`loadStateDict: ${parts.filter(Boolean).join('; ')} (strict: false lets that pass)`, {
      op: 'loadStateDict',
      argument: 'dict',
      expected: 'the keys of the module',
      received: `${Object.keys(dict).length} keys`,
    })
  }
  for (const [key, variable] of own) {
    const value = dict[key]
    if (value === undefined) continue
    if (!isTensor(value)) refuse('loadStateDict', key, 'a Tensor', value)
    if (sameShape(value, variable)) continue
    const [expected, received] = [`[${variable.shape.join(', ')}]`, `[${value.shape.join(', ')}]`]
    throw new ShapeError(`loadStateDict: ${key} has shape ${expected} in the module, ${received} in the dict`, {
      op: 'loadStateDict',
      argument: key,
      expected,
      received,
    })
  }
  for (const [key, variable] of own) {
    const value = dict[key]
    if (value === undefined) continue
    const typed = value.dtype === variable.dtype ? value : value.to(variable.dtype)
    variable.assign(typed.device === variable.device ? typed : typed.to(variable.device))
  }
  return { missing, unexpected }
}
