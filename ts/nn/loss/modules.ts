/** Losses as modules: the functions of the same name with their options. */
import type { TensorLike } from '../../native/write.ts'
import { tensor } from '../../tensor/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { Variable } from '../../tensor/variable.ts'
import { Module } from '../module.ts'
import * as F from './index.ts'

/** A loss with its options. */
abstract class Loss<Options extends object, Args extends unknown[] = [Tensor, TensorLike]> extends Module<Args> {
  /** @internal */ readonly _options: Options

  constructor(options: Options = {} as Options) {
    super()
    this._options = options
  }
}

/** A buffer with these weights. */
function buffer(weight: TensorLike | null | undefined): Variable | null {
  if (weight === null || weight === undefined) return null
  return new Variable(typeof weight === 'number' ? tensor(weight) : weight)
}

/** See F.mseLoss. */
export class MSELoss extends Loss<F.LossOptions> {
  forward(prediction: Tensor, target: TensorLike): Tensor {
    return F.mseLoss(prediction, target, this._options)
  }
}

/** See F.l1Loss. */
export class L1Loss extends Loss<F.LossOptions> {
  forward(prediction: Tensor, target: TensorLike): Tensor {
    return F.l1Loss(prediction, target, this._options)
  }
}

/** See F.smoothL1Loss. */
export class SmoothL1Loss extends Loss<F.LossOptions & { beta?: number }> {
  forward(prediction: Tensor, target: TensorLike): Tensor {
    return F.smoothL1Loss(prediction, target, this._options)
  }
}

/** See F.huberLoss. */
export class HuberLoss extends Loss<F.LossOptions & { delta?: number }> {
  forward(prediction: Tensor, target: TensorLike): Tensor {
    return F.huberLoss(prediction, target, this._options)
  }
}

/** See F.klDiv. */
export class KLDivLoss extends Loss<F.KlOptions, [Tensor, Tensor]> {
  forward(logProbabilities: Tensor, target: Tensor): Tensor {
    return F.klDiv(logProbabilities, target, this._options)
  }
}

/** See F.poissonNLLLoss. */
export class PoissonNLLLoss extends Loss<F.PoissonOptions, [Tensor, Tensor]> {
  forward(prediction: Tensor, target: Tensor): Tensor {
    return F.poissonNLLLoss(prediction, target, this._options)
  }
}

/** See F.gaussianNLLLoss. */
export class GaussianNLLLoss extends Loss<F.GaussianOptions, [Tensor, TensorLike, Tensor]> {
  forward(prediction: Tensor, target: TensorLike, variance: Tensor): Tensor {
    return F.gaussianNLLLoss(prediction, target, variance, this._options)
  }
}

/** A loss with a buffer of weights. */
abstract class WeightedLoss<
  Options extends { weight?: TensorLike | null | undefined },
  Args extends unknown[],
> extends Loss<Omit<Options, 'weight'>, Args> {
  readonly weight: Variable | null

  constructor(options: Options = {} as Options) {
    const { weight, ...rest } = options
    super(rest)
    this.weight = buffer(weight)
  }
}

/** See F.crossEntropy. */
export class CrossEntropyLoss extends WeightedLoss<F.CrossEntropyOptions, [Tensor, Tensor]> {
  forward(logits: Tensor, target: Tensor): Tensor {
    return F.crossEntropy(logits, target, { ...this._options, weight: this.weight })
  }
}

/** See F.nllLoss. */
export class NLLLoss extends WeightedLoss<F.NllOptions, [Tensor, Tensor]> {
  forward(logProbabilities: Tensor, target: Tensor): Tensor {
    return F.nllLoss(logProbabilities, target, { ...this._options, weight: this.weight })
  }
}

/** See F.multiMarginLoss. */
export class MultiMarginLoss extends WeightedLoss<F.MultiMarginOptions, [Tensor, Tensor]> {
  forward(scores: Tensor, target: Tensor): Tensor {
    return F.multiMarginLoss(scores, target, { ...this._options, weight: this.weight })
  }
}

/** See F.bceLoss. */
export class BCELoss extends WeightedLoss<Omit<F.BceOptions, 'posWeight'>, [Tensor, TensorLike]> {
  forward(probabilities: Tensor, target: TensorLike): Tensor {
    return F.bceLoss(probabilities, target, { ...this._options, weight: this.weight })
  }
}

/** See F.bceWithLogits. */
export class BCEWithLogitsLoss extends WeightedLoss<Omit<F.BceOptions, 'posWeight'>, [Tensor, TensorLike]> {
  readonly posWeight: Variable | null

  constructor({ posWeight, ...options }: F.BceOptions = {}) {
    super(options)
    this.posWeight = buffer(posWeight)
  }

  forward(logits: Tensor, target: TensorLike): Tensor {
    return F.bceWithLogits(logits, target, { ...this._options, weight: this.weight, posWeight: this.posWeight })
  }
}

/** See F.multiLabelSoftMarginLoss. */
export class MultiLabelSoftMarginLoss extends WeightedLoss<Omit<F.BceOptions, 'posWeight'>, [Tensor, TensorLike]> {
  forward(logits: Tensor, target: TensorLike): Tensor {
    return F.multiLabelSoftMarginLoss(logits, target, { ...this._options, weight: this.weight })
  }
}

/** See F.softMarginLoss. */
export class SoftMarginLoss extends Loss<F.LossOptions> {
  forward(prediction: Tensor, target: TensorLike): Tensor {
    return F.softMarginLoss(prediction, target, this._options)
  }
}

/** See F.cosineEmbeddingLoss. */
export class CosineEmbeddingLoss extends Loss<F.MarginOptions, [Tensor, Tensor, Tensor]> {
  forward(a: Tensor, b: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(a, b, target, this._options)
  }
}

/** See F.tripletMarginLoss. */
export class TripletMarginLoss extends Loss<F.TripletOptions, [Tensor, Tensor, Tensor]> {
  forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    return F.tripletMarginLoss(anchor, positive, negative, this._options)
  }
}

/** See F.marginRankingLoss. */
export class MarginRankingLoss extends Loss<F.MarginOptions, [Tensor, Tensor, TensorLike]> {
  forward(a: Tensor, b: Tensor, target: TensorLike): Tensor {
    return F.marginRankingLoss(a, b, target, this._options)
  }
}

/** See F.hingeEmbeddingLoss. */
export class HingeEmbeddingLoss extends Loss<F.MarginOptions, [Tensor, Tensor]> {
  forward(distance: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(distance, target, this._options)
  }
}

/** See F.cosineSimilarity. */
export class CosineSimilarity extends Loss<{ dim?: number; eps?: number }, [Tensor, Tensor]> {
  forward(a: Tensor, b: Tensor): Tensor {
    return F.cosineSimilarity(a, b, this._options)
  }
}

/** See F.pairwiseDistance. */
export class PairwiseDistance extends Loss<F.DistanceOptions, [Tensor, Tensor]> {
  forward(a: Tensor, b: Tensor): Tensor {
    return F.pairwiseDistance(a, b, this._options)
  }
}
