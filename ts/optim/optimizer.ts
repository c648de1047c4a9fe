/** What all optimizers share: groups of parameters, state, and the step. */
import { div, neg } from '../generated/ops.ts'
import { native } from '../native/addon.ts'
import { ArgumentError, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate } from '../native/types.ts'
import { leaf } from '../tensor/create.ts'
import { scope } from '../tensor/scopes.ts'
import { sameShape } from '../tensor/structure.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'

/** Hyperparameters that every optimizer has. */
export interface OptimizerOptions {
  /** The learning rate. */
  lr: number
  /** Whether steps go up the gradient. Default false. */
  maximize?: boolean
}

/** Parameters and the hyperparameters they are trained with; these may be changed between steps. */
export type ParameterGroup<Options> = Options & {
  parameters: Parameter[]
  /** The learning rate that schedules start from; they set it. */
  initialLr?: number
}

/** What an optimizer trains: a model, parameters, or groups with hyperparameters of their own. */
export type Target<Options> =
  AnyModule | Iterable<Parameter> | readonly (Partial<Options> & { parameters: Iterable<Parameter> | AnyModule })[]

/** An optimizer's state for one parameter: variables and the number of steps. */
export interface ParameterState {
  step: number
  variables: Record<string, Variable>
}

/** As plain data: tensors, numbers and positions of parameters in the order of the groups. */
export interface OptimizerState {
  state: Record<number, Record<string, Tensor | number>>
  groups: (Record<string, unknown> & { parameters: number[] })[]
}

/**
 * The end of a step. Whoever waits for it gets its error; if nobody does, the next call into the library throws it, and
 * it is never an unhandled rejection.
 */
class Step extends Promise<void> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  #number = 0

  static begin(): Step {
    const step = new Step(() => {})
    step.#number = native.step()
    return step
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being awaited is what must be seen
  override then<A = void, B = never>(
    done?: ((value: void) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return native.stepDone(this.#number).then(done, failed)
  }
}

/**
 * Runs `work` without gradients and as the library's own: its small values are not made to exist, and what it doesn't
 * return is disposed of. Left to the collector, the values that parameters were given would be held beside them, and no
 * step could write its parameters in place.
 */
export function internally<T>(work: () => T): T {
  const before = native.setGradEnabled(false)
  native.enterInternal()
  try {
    return scope(work)
  } finally {
    native.exitInternal()
    native.setGradEnabled(before)
  }
}

const isModel = (target: object): target is AnyModule =>
  'parameters' in target && typeof (target as AnyModule).parameters === 'function'

/** The parameters of a model or list, checked. */
export function listOf(source: Iterable<Parameter> | AnyModule, op: string, argument: string): Parameter[] {
  if (typeof source !== 'object' || source === null) refuse(op, argument, 'a model or parameters', source)
  const list = isModel(source) ? source.parameters() : [...source]
  list.forEach((p: unknown, i) => void (p instanceof Variable || refuse(op, `${argument}[${i}]`, 'a Parameter', p)))
  return list
}

/** What all optimizers have: parameter groups, {@link step}, {@link zeroGrad} and a state that can be saved. */
export abstract class Optimizer<Options extends OptimizerOptions> {
  readonly groups: ParameterGroup<Options>[]
  readonly #defaults: Options
  readonly #states = new Map<Parameter, ParameterState>()

  constructor(target: Target<Options>, defaults: Options) {
    const op = new.target.name
    this.#defaults = defaults
    this.groups = this.#group(target, defaults, op)
    if (this.groups.every((group) => group.parameters.length === 0)) {
      throw new ArgumentError(`${op}: there are no parameters to train`, {
        op,
        argument: 'parameters',
        expected: 'at least one parameter',
        received: 'none',
      })
    }
    this.#check(this.groups)
  }

  /** Trains more parameters, with hyperparameters of their own where they are given. */
  addGroup(group: Partial<Options> & { parameters: Iterable<Parameter> | AnyModule }): void {
    if (typeof group !== 'object' || group === null) refuse(this.constructor.name, 'group', 'a group', group)
    const parameters = listOf(group.parameters, this.constructor.name, 'group.parameters')
    const added: ParameterGroup<Options> = { ...this.#defaults, ...group, parameters }
    this.#check([...this.groups, added])
    this.groups.push(added)
  }

  /** Refuses groups that share a parameter and hyperparameters out of their range. */
  #check(groups: ParameterGroup<Options>[]): void {
    const op = this.constructor.name
    const all = groups.flatMap((group) => group.parameters)
    if (new Set(all).size !== all.length) {
      throw new ArgumentError(`${op}: a parameter is given twice`, { op, argument: 'parameters' })
    }
    for (const group of groups) this.#checkGroup(group)
  }

  #checkGroup(group: ParameterGroup<Options>): void {
    const { lr, maximize = false } = group
    within(this.constructor.name, 'lr', lr, 0)
    if (typeof maximize !== 'boolean') refuse(this.constructor.name, 'maximize', 'a boolean', maximize)
    this._check(group)
  }

  #group(target: Target<Options>, defaults: Options, op: string): ParameterGroup<Options>[] {
    if (typeof target !== 'object' || target === null) refuse(op, 'target', 'a model, parameters or groups', target)
    const entries = isModel(target) ? null : [...(target as Iterable<object>)]
    const grouped = entries !== null && entries.length > 0 && !isTensor(entries[0]) && 'parameters' in entries[0]!
    if (!grouped) return [{ ...defaults, parameters: listOf((entries as Parameter[]) ?? target, op, 'parameters') }]
    return entries.map((entry, i) => {
      const group = entry as Partial<Options> & { parameters: Iterable<Parameter> | AnyModule }
      return { ...defaults, ...group, parameters: listOf(group.parameters, op, `groups[${i}].parameters`) }
    })
  }

  /** @internal Throws an ArgumentError where a hyperparameter is out of its range. */
  abstract _check(group: ParameterGroup<Options>): void

  /** @internal Records the new value of one parameter. */
  abstract _update(parameter: Parameter, gradient: Tensor, group: ParameterGroup<Options>, state: ParameterState): void

  /** @internal What every gradient of a step is divided by, for optimizers that look at all of them first. */
  _divisor(_gradients: readonly Tensor[]): Tensor | null {
    return null
  }

  /**
   * Updates every parameter that has a gradient and evaluates. It may go unawaited; the third such step waits for the
   * first. Its error reaches whoever awaits it, otherwise the next call into the library.
   */
  step(): Promise<void> {
    for (const group of this.groups) this.#checkGroup(group)
    internally(() => {
      const all = this.groups.flatMap((group) => group.parameters.map((p) => [p, p.grad, group] as const))
      const work = all.filter((entry): entry is [Parameter, Tensor, ParameterGroup<Options>] => entry[1] !== null)
      const divisor = this._divisor(work.map(([, gradient]) => gradient))
      for (const [parameter, gradient, group] of work) {
        const state = this.#stateOf(parameter)
        state.step++
        const up = group.maximize === true ? neg(gradient) : gradient
        this._update(parameter, divisor === null ? up : div(up, divisor), group, state)
      }
    })
    return Step.begin()
  }

  /** Sets `.grad` of all parameters to null. */
  zeroGrad(): void {
    for (const group of this.groups) for (const parameter of group.parameters) parameter.grad = null
  }

  #stateOf(parameter: Parameter): ParameterState {
    let state = this.#states.get(parameter)
    if (!state) {
      state = { step: 0, variables: {} }
      this.#states.set(parameter, state)
    }
    return state
  }

  /** Hyperparameters, steps and moments, by the position of each parameter. */
  stateDict(): OptimizerState {
    const order = this.groups.flatMap((group) => group.parameters)
    const state: OptimizerState['state'] = {}
    order.forEach((parameter, i) => {
      const own = this.#states.get(parameter)
      if (!own) return
      const tensors = Object.entries(own.variables).map(([name, v]) => [name, v.detach()] as const)
      state[i] = { step: own.step, ...Object.fromEntries(tensors) } as Record<string, Tensor | number>
    })
    const groups = this.groups.map((group) => {
      return { ...(group as object), parameters: group.parameters.map((p) => order.indexOf(p)) }
    })
    return { state, groups }
  }

  /**
   * Takes over what {@link stateDict} gave, converted to the dtype and device of each parameter. Throws an
   * ArgumentError where groups, positions or hyperparameters don't fit and a ShapeError where a moment's shape differs;
   * nothing is changed when it throws.
   */
  loadStateDict(dict: OptimizerState): void {
    const op = this.constructor.name
    checkDict(dict, op)
    const sizes = (groups: { parameters: unknown[] }[]) => groups.map((g) => g.parameters.length).join(', ')
    if (sizes(dict.groups) !== sizes(this.groups)) {
      refuse(op, 'groups', `groups of ${sizes(this.groups)} parameters`, `groups of ${sizes(dict.groups)}`)
    }
    const order = this.groups.flatMap((group) => group.parameters)
    const groups = dict.groups.map(({ parameters: _, ...options }, i) => ({ ...this.groups[i]!, ...options }))
    for (const group of groups) this.#checkGroup(group)
    const states = Object.entries(dict.state).map(([i, stored]) => {
      const parameter = order[Number(i)] ?? refuse(op, 'state', `positions from 0 to ${order.length - 1}`, i)
      return [parameter, restored(stored, parameter, `${op}.state[${i}]`)] as const
    })
    groups.forEach((group, i) => Object.assign(this.groups[i]!, group))
    this.#states.clear()
    for (const [parameter, state] of states) this.#states.set(parameter, state)
  }
}

function checkDict(dict: OptimizerState, op: string): void {
  const parts = typeof dict === 'object' && dict !== null ? dict : ({} as Partial<OptimizerState>)
  const { state, groups } = parts
  if (typeof state !== 'object' || state === null) refuse(op, 'state', 'a record by position', state)
  const listed = (group: unknown) => Array.isArray((group as { parameters?: unknown } | null)?.parameters)
  if (!Array.isArray(groups) || !groups.every(listed))
    refuse(op, 'groups', 'an array of groups with parameters', groups)
}

/** A parameter's state from its stored form. */
function restored(stored: Record<string, Tensor | number>, parameter: Parameter, where: string): ParameterState {
  const { step, ...tensors } = stored
  if (!Number.isSafeInteger(step) || (step as number) < 0) refuse(where, 'step', 'a whole number from 0 on', step)
  const variables = Object.entries(tensors).map(([name, value]) => {
    if (!isTensor(value)) refuse(where, name, 'a Tensor', value)
    if (!sameShape(value, parameter)) {
      const [expected, received] = [`[${parameter.shape.join(', ')}]`, `[${value.shape.join(', ')}]`]
      throw new ShapeError(`${where}: ${name} must have the parameter's shape ${expected}, got ${received}`, {
        argument: name,
        expected,
        received,
      })
    }
    const start = value.to(parameter.dtype).to(parameter.device)
    return [name, new Variable(start, { name: `${parameter._name}.${name}` })] as const
  })
  return { step: step as number, variables: Object.fromEntries(variables) }
}

/** The variable `name` of a parameter's state, `initial` everywhere at first. */
export function moment(state: ParameterState, name: string, parameter: Parameter, initial = 0): Variable {
  let variable = state.variables[name]
  if (!variable) {
    const { device, shape } = parameter
    const values = allocate(parameter._dtype, parameter.size)
    if (initial !== 0) (values as Float64Array).fill(initial)
    const start = leaf(values, parameter._dtype, shape, { device })
    variable = new Variable(start, { name: `${parameter._name}.${name}` })
    state.variables[name] = variable
  }
  if (variable._dtype !== parameter._dtype || variable._device !== parameter._device) {
    variable._replace(variable.detach().to(parameter.dtype).to(parameter.device)) // the model was moved
  }
  return variable
}

/** Throws an ArgumentError unless `low` ≤ `value` (and ≤ `high`, or below it where it is open). */
export function within(op: string, name: string, value: number, low: number, below = Infinity): void {
  if (typeof value === 'number' && value >= low && value < below) return
  refuse(
    op,
    name,
    below === Infinity ? `a finite number from ${low} on` : `a number from ${low} to below ${below}`,
    value,
  )
}
