/** What is dropped in training, as modules. */
import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { alphaDropout, dropout, dropout2d, stochasticDepth } from './functional/dropout.ts'
import { Module } from './module.ts'

abstract class Dropping extends Module {
  readonly p: number

  constructor(p = 0.5) {
    super()
    if (typeof p !== 'number' || !(p >= 0 && p <= 1)) refuse(new.target.name, 'p', 'a number from 0 to 1', p)
    this.p = p
  }
}

/** In training: elements dropped with probability `p`, the others scaled by 1 / (1 - p). Srivastava et al. 2014. */
export class Dropout extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout(x, this.p, { training: this.training })
  }
}

/** In training: channels of [N, C, ...] dropped with probability `p`, the others scaled by 1 / (1 - p). */
export class Dropout2d extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout2d(x, this.p, { training: this.training })
  }
}

/** In training: channels of [N, C, L] dropped with probability `p`, the others scaled by 1 / (1 - p). */
export class Dropout1d extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout2d(x, this.p, { training: this.training })
  }
}

/** In training: channels of [N, C, D, H, W] dropped with probability `p`, the others scaled by 1 / (1 - p). */
export class Dropout3d extends Dropping {
  forward(x: Tensor): Tensor {
    return dropout2d(x, this.p, { training: this.training })
  }
}

/** Dropout that keeps mean 0 and variance 1, for SELU. https://arxiv.org/abs/1706.02515 */
export class AlphaDropout extends Dropping {
  forward(x: Tensor): Tensor {
    return alphaDropout(x, this.p, { training: this.training })
  }
}

/** In training: a residual branch [N, ...] dropped with probability `p` for each item, else scaled by 1 / (1 - p). */
export class StochasticDepth extends Dropping {
  readonly mode: 'row' | 'batch'

  constructor(p: number, options: { mode?: 'row' | 'batch' } = {}) {
    super(p)
    this.mode = options.mode ?? 'row'
  }

  forward(x: Tensor): Tensor {
    return stochasticDepth(x, this.p, { mode: this.mode, training: this.training })
  }
}
