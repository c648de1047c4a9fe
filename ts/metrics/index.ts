/** Figures over many batches. */
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
import { refuse } from '../native/errors.ts'
import { tensor } from '../tensor/create.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Collects outputs and targets and tells a figure about all of them. */
export interface Metric {
  /** Takes a batch in. */
  update(output: Tensor, target: Tensor): void
  /** The figure of all that was taken in. */
  compute(): Promise<number>
  /** Forgets all that was taken in. */
  reset(): void
  /** Takes in what another metric of the same kind has taken in. */
  merge?(other: this): void
  /** What was taken in, for a run that goes on in the middle of an epoch. */
  stateDict?(): Record<string, Tensor>
  /** Takes over what {@link stateDict} gave. */
  loadStateDict?(dict: Readonly<Record<string, Tensor>>): void
}

/** A sum and a count; the sum stays on the device until it is read. */
abstract class Mean implements Metric {
  #total: Tensor | null = null
  #count = 0

  /** Takes a batch in. */
  abstract update(output: Tensor, target: Tensor): void

  /** Adds a sum over `count` items. */
  protected add(sum: Tensor, count: number): void {
    const here = sum.detach()
    // f64 exists on the CPU only.
    const now = (here.device === 'cpu' ? here : here.to('cpu')).to('f64')
    this.#total = this.#total === null ? now : this.#total.add(now)
    this.#count += count
  }

  /** The mean of all that was taken in; NaN where nothing was. */
  async compute(): Promise<number> {
    return this.#total === null ? NaN : (await this.#total.item()) / this.#count
  }

  /** Forgets all that was taken in. */
  reset(): void {
    this.#total = null
    this.#count = 0
  }

  /** Takes in what another one has taken in, such as one of another part of the data. */
  merge(other: this): void {
    if (!(other instanceof this.constructor)) refuse('merge', 'other', `a ${this.constructor.name}`, other)
    if (other.#total !== null) this.add(other.#total, other.#count)
  }

  /** The sum and the count; empty where nothing was taken in. */
  stateDict(): Record<string, Tensor> {
    if (this.#total === null) return {}
    return { total: this.#total, count: tensor(this.#count, { dtype: 'f64', device: 'cpu' }) }
  }

  /** Takes over what {@link stateDict} gave. */
  loadStateDict({ total, count }: Readonly<Record<string, Tensor>>): void {
    this.reset()
    if (total && count) this.add(total, count.itemSync())
  }
}

/** The share of items whose largest logit [N, C, ...] is the target's [N, ...]. */
export class Accuracy extends Mean {
  /** Takes in logits [N, C, ...] and class numbers [N, ...]. */
  override update(output: Tensor, target: Tensor): void {
    this.add(output.argmax({ dim: 1 }).eq(target).to('f32').sum(), target.size)
  }
}

/** The mean of a loss over items; `loss` must give the mean over a batch. */
export class MeanLoss extends Mean {
  readonly #loss: (output: Tensor, target: Tensor) => Tensor

  constructor(loss: (output: Tensor, target: Tensor) => Tensor) {
    super()
    this.#loss = loss
  }

  /** Takes in what the loss of a batch is made of. */
  override update(output: Tensor, target: Tensor): void {
    const items = target.shape[0] ?? 1
    this.add(this.#loss(output, target).mul(items), items)
  }
}
