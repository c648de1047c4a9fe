/** What all optimizers share: groups of parameters, state, and the step. */
import { native } from '../native/addon.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate } from '../native/types.ts'
import { leaf } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'

/** Parameters and the hyperparameters they are trained with; these may be changed between steps. */
export type ParameterGroup<Options> = Options & { parameters: Parameter[] }

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

/** Runs `work` without gradients and as the library's own: its small values are not made to exist. */
export function internally<T>(work: () => T): T {
  const before = native.setGradEnabled(false)
  native.enterInternal()
  try {
    return work()
  } finally {
    native.exitInternal()
    native.setGradEnabled(before)
  }
}

const isModel = (target: object): target is AnyModule =>
  'parameters' in target && typeof (target as AnyModule).parameters === 'function'

function listOf(source: Iterable<Parameter> | AnyModule, op: string, argument: string): Parameter[] {
  if (typeof source !== 'object' || source === null) refuse(op, argument, 'a model or parameters', source)
  const list = isModel(source) ? source.parameters() : [...source]
  list.forEach((p: unknown, i) => void (p instanceof Variable || refuse(op, `${argument}[${i}]`, 'a Parameter', p)))
  return list
}

export abstract class Optimizer<Options extends object> {
  readonly groups: ParameterGroup<Options>[]
  readonly #states = new Map<Parameter, ParameterState>()

  constructor(target: Target<Options>, defaults: Options) {
    const op = new.target.name
    this.groups = this.#group(target, defaults, op)
    const all = this.groups.flatMap((group) => group.parameters)
    if (all.length === 0) {
      throw new ArgumentError(`${op}: there are no parameters to train`, {
        op,
        argument: 'parameters',
        expected: 'at least one parameter',
        received: 'none',
      })
    }
    if (new Set(all).size !== all.length) {
      throw new ArgumentError(`${op}: a parameter is given twice`, { op, argument: 'parameters' })
    }
    for (const group of this.groups) this._check(group)
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

  /**
   * Updates every parameter that has a gradient and evaluates. It may go unawaited; the third such step waits for the
   * first. Its error reaches whoever awaits it, otherwise the next call into the library.
   */
  step(): Promise<void> {
    internally(() => {
      for (const group of this.groups) {
        this._check(group)
        for (const parameter of group.parameters) {
          const gradient = parameter.grad
          if (gradient === null) continue
          const state = this.#stateOf(parameter)
          state.step++
          this._update(parameter, gradient, group, state)
        }
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
      return { ...group, parameters: group.parameters.map((p) => order.indexOf(p)) }
    })
    return { state, groups }
  }

  /** Takes over what {@link stateDict} gave. Throws an ArgumentError where the groups don't fit. */
  loadStateDict(dict: OptimizerState): void {
    const op = this.constructor.name
    const sizes = (groups: { parameters: unknown[] }[]) => groups.map((g) => g.parameters.length).join(', ')
    if (sizes(dict.groups) !== sizes(this.groups)) {
      refuse(op, 'groups', `groups of ${sizes(this.groups)} parameters`, `groups of ${sizes(dict.groups)}`)
    }
    const order = this.groups.flatMap((group) => group.parameters)
    dict.groups.forEach(({ parameters: _, ...options }, i) => Object.assign(this.groups[i]!, options))
    this.#states.clear()
    for (const [i, { step, ...tensors }] of Object.entries(dict.state)) {
      const state = this.#stateOf(order[Number(i)] ?? refuse(op, 'state', 'positions of parameters', i))
      state.step = step as number
      for (const [name, value] of Object.entries(tensors)) state.variables[name] = new Variable(value as Tensor)
    }
  }
}

/** The variable `name` of a parameter's state, zeros at first. */
export function moment(state: ParameterState, name: string, parameter: Parameter): Variable {
  let variable = state.variables[name]
  if (!variable) {
    const { device, shape } = parameter
    const start = leaf(allocate(parameter._dtype, parameter.size), parameter._dtype, shape, { device })
    variable = new Variable(start, { name: `${parameter._name}.${name}` })
    state.variables[name] = variable
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
