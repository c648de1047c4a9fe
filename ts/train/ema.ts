/** Averaged weights. Polyak and Juditsky 1992; as `EMA` in Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780 */
import { add, mul, sub } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { distinct } from '../native/write.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Parameter } from '../nn/parameter.ts'
import { internally } from '../optim/optimizer.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'

/** An exponential moving average of a model's parameters: a ← a + (1 − decay) (p − a) after each step. */
export class Ema {
  readonly decay: number
  readonly #averages: Map<string, { parameter: Parameter; average: Variable }>

  /** Begins at the weights of now. Throws an ArgumentError unless `decay` is from 0 to below 1. */
  constructor(model: AnyModule | { namedParameters(): [string, Parameter][] }, decay = 0.999) {
    if (typeof decay !== 'number' || !(decay >= 0 && decay < 1)) {
      refuse('Ema', 'decay', 'a number from 0 to below 1', decay)
    }
    this.decay = decay
    this.#averages = new Map(
      model.namedParameters().map(([name, parameter]) => {
        return [name, { parameter, average: new Variable(parameter.detach(), { name: `${name}.ema` }) }]
      }),
    )
  }

  /** Moves the averages towards the parameters. */
  update(): void {
    internally(() => {
      for (const { parameter, average } of this.#averages.values()) {
        average.assign(add(average, mul(sub(parameter, average), distinct(1 - this.decay))))
      }
    })
  }

  /** Puts the averages into the model; returns what puts its own weights back. */
  apply(): () => void {
    const own = [...this.#averages.values()].map(({ parameter }) => [parameter, parameter.detach()] as const)
    internally(() => {
      for (const { parameter, average } of this.#averages.values()) parameter.assign(average.detach() as Tensor)
    })
    return () => internally(() => own.forEach(([parameter, value]) => parameter.assign(value as Tensor)))
  }

  /** The averages under the parameters' names. */
  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(Array.from(this.#averages, ([name, { average }]) => [name, average.detach() as Tensor]))
  }

  /** Takes over what {@link stateDict} gave. Throws an ArgumentError where a name is missing. */
  loadStateDict(dict: Readonly<Record<string, Tensor>>): void {
    for (const [name, { average }] of this.#averages) {
      const value = dict[name] ?? refuse('Ema', 'dict', `an average of ${name}`, undefined)
      average.assign(value.device === average.device ? value : value.to(average.device))
    }
  }
}
