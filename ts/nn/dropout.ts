import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { dropout } from './functional.ts'
import { Module } from './module.ts'

/** In training: elements dropped with probability `p`, the others scaled by 1 / (1 - p). Srivastava et al. 2014. */
export class Dropout extends Module {
  readonly p: number

  constructor(p = 0.5) {
    super()
    if (typeof p !== 'number' || !(p >= 0 && p <= 1)) refuse('Dropout', 'p', 'a number from 0 to 1', p)
    this.p = p
  }

  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training })
  }
}
