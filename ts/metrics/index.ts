/** Figures over many batches. */
import type { Tensor } from '../tensor/tensor.ts'

/** Collects outputs and targets and tells a figure about all of them. */
export interface Metric {
  update(output: Tensor, target: Tensor): void
  compute(): Promise<number>
  reset(): void
}

/** A sum and a count; the sum stays on the device until it is read. */
abstract class Mean implements Metric {
  #total: Tensor | null = null
  #count = 0

  abstract update(output: Tensor, target: Tensor): void

  /** Adds a sum over `count` items. */
  protected add(sum: Tensor, count: number): void {
    const here = sum.detach()
    // f64 exists on the CPU only.
    const now = (here.device === 'cpu' ? here : here.to('cpu')).to('f64')
    this.#total = this.#total === null ? now : this.#total.add(now)
    this.#count += count
  }

  /** NaN where nothing was collected. */
  async compute(): Promise<number> {
    return this.#total === null ? NaN : (await this.#total.item()) / this.#count
  }

  reset(): void {
    this.#total = null
    this.#count = 0
  }
}

/** The share of items whose largest logit [N, C, ...] is the target's [N, ...]. */
export class Accuracy extends Mean {
  update(output: Tensor, target: Tensor): void {
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

  update(output: Tensor, target: Tensor): void {
    const items = target.shape[0] ?? 1
    this.add(this.#loss(output, target).mul(items), items)
  }
}
