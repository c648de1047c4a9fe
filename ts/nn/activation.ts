/** Activations as modules. */
import { randLike } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { constant } from './init.ts'
import { count, Linear } from './linear.ts'
import { Module } from './module.ts'
import { type Parameter, unset } from './parameter.ts'

/** max(x, 0). */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return F.relu(x)
  }
}

/** min(max(x, 0), 6). Howard et al. 2017, https://arxiv.org/abs/1704.04861 */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return F.relu6(x)
  }
}

/** max(x, 0) + negativeSlope · min(x, 0). */
export class LeakyReLU extends Module {
  constructor(readonly negativeSlope = 0.01) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.leakyRelu(x, this.negativeSlope)
  }
}

/** max(x, 0) + weight · min(x, 0) with a learned weight for all or for each channel. https://arxiv.org/abs/1502.01852 */
export class PReLU extends Module {
  readonly weight: Parameter // [1] or [C]

  constructor(numParameters = 1, options: { init?: number } = {}) {
    super()
    this.weight = constant(unset(count(numParameters, 'PReLU', 'numParameters')), options.init ?? 0.25)
  }

  forward(x: Tensor): Tensor {
    return F.prelu(x, this.weight)
  }
}

/**
 * max(x, 0) + slope · min(x, 0) with a slope drawn between `lower` and `upper` for each element in training, their mean
 * in evaluation. Xu et al. 2015, https://arxiv.org/abs/1505.00853
 */
export class RReLU extends Module {
  constructor(
    readonly lower = 1 / 8,
    readonly upper = 1 / 3,
  ) {
    super()
  }

  forward(x: Tensor): Tensor {
    const { lower, upper } = this
    if (!this.training) return F.leakyRelu(x, (lower + upper) / 2)
    const slope = randLike(x)
      .mul(upper - lower)
      .add(lower)
    return F.leakyRelu(x, slope)
  }
}

/** x above 0, else α (eˣ - 1). */
export class ELU extends Module {
  constructor(readonly alpha = 1) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.elu(x, this.alpha)
  }
}

/** x above 0, else α (e^(x / α) - 1). */
export class CELU extends Module {
  constructor(readonly alpha = 1) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.celu(x, this.alpha)
  }
}

/** λ elu(x, α): keeps activations at mean 0 and variance 1. https://arxiv.org/abs/1706.02515 */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return F.selu(x)
  }
}

/** x Φ(x), or its approximation through tanh. Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415 */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh'

  constructor(options: { approximate?: 'none' | 'tanh' } = {}) {
    super()
    this.approximate = options.approximate ?? 'none'
  }

  forward(x: Tensor): Tensor {
    return this.approximate === 'tanh' ? F.geluTanh(x) : F.gelu(x)
  }
}

/** x / (1 + exp(-x)). */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return F.silu(x)
  }
}

/** x tanh(softplus(x)). */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return F.mish(x)
  }
}

/** log(1 + exp(beta x)) / beta. */
export class Softplus extends Module {
  constructor(readonly beta = 1) {
    super()
  }

  forward(x: Tensor): Tensor {
    return this.beta === 1 ? F.softplus(x) : F.softplus(x.mul(this.beta)).div(this.beta)
  }
}

/** x min(max(x + 3, 0), 6) / 6. Howard et al. 2019, https://arxiv.org/abs/1905.02244 */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return F.hardswish(x)
  }
}

/** min(max(x + 3, 0), 6) / 6. */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.hardsigmoid(x)
  }
}

/** x limited to [min, max]. */
export class Hardtanh extends Module {
  constructor(
    readonly min = -1,
    readonly max = 1,
  ) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.hardtanh(x, this.min, this.max)
  }
}

/** tanh x. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return F.tanh(x)
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.sigmoid(x)
  }
}

/** log(1 / (1 + exp(-x))). */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return F.logsigmoid(x)
  }
}

/** x / (1 + |x|). */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return F.softsign(x)
  }
}

/** x moved by λ towards 0, which it doesn't pass. */
export class Softshrink extends Module {
  constructor(readonly lambd = 0.5) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.softshrink(x, this.lambd)
  }
}

/** x beyond ±λ, else 0. */
export class Hardshrink extends Module {
  constructor(readonly lambd = 0.5) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.hardshrink(x, this.lambd)
  }
}

/** x - tanh x. */
export class Tanhshrink extends Module {
  forward(x: Tensor): Tensor {
    return F.tanhshrink(x)
  }
}

/** x above `threshold`, else `value`. */
export class Threshold extends Module {
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.threshold(x, this.threshold, this.value)
  }
}

/** exp(x) / Σ exp(x) along dimension `dim`. */
export class Softmax extends Module {
  constructor(readonly dim: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.softmax(x, { dim: this.dim })
  }
}

/** exp(x) / Σ exp(x) over the channels of images [N, C, H, W]. */
export class Softmax2d extends Module {
  forward(x: Tensor): Tensor {
    return F.softmax(x, { dim: 1 })
  }
}

/** log softmax(x) along dimension `dim`. */
export class LogSoftmax extends Module {
  constructor(readonly dim: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.logSoftmax(x, { dim: this.dim })
  }
}

/** softmax(-x) along dimension `dim`. */
export class Softmin extends Module {
  constructor(readonly dim: number) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.softmin(x, { dim: this.dim })
  }
}

/** The first half of dimension `dim` times the sigmoid of the second. https://arxiv.org/abs/1612.08083 */
export class GLU extends Module {
  constructor(readonly dim = -1) {
    super()
  }

  forward(x: Tensor): Tensor {
    return F.glu(x, { dim: this.dim })
  }
}

/** The largest of `pieces` linear maps: [..., in] to [..., out]. Goodfellow et al. 2013, https://arxiv.org/abs/1302.4389 */
export class Maxout extends Module {
  readonly linear: Linear // pieces of an output stand side by side

  constructor(
    inFeatures: number,
    readonly outFeatures: number,
    readonly pieces: number,
    options: { bias?: boolean } = {},
  ) {
    super()
    count(outFeatures, 'Maxout', 'outFeatures')
    this.linear = new Linear(inFeatures, outFeatures * count(pieces, 'Maxout', 'pieces'), options)
  }

  forward(x: Tensor): Tensor {
    const all = this.linear.forward(x) // [..., out · pieces]
    return all.reshape([...x.shape.slice(0, -1), this.outFeatures, this.pieces]).max({ dim: -1 })
  }
}

/** x itself. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x
  }
}
