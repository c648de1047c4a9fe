/** Transformers. Vaswani et al. 2017, "Attention Is All You Need", https://arxiv.org/abs/1706.03762 */
import { gelu, relu } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AttentionCall, MultiheadAttention } from './attention.ts'
import { ModuleList } from './containers.ts'
import { Dropout } from './dropout.ts'
import { xavierUniform } from './init.ts'
import { count, Linear } from './linear.ts'
import { type AnyModule, Module } from './module.ts'
import { LayerNorm } from './norm.ts'

/** Options of the layers of a transformer. */
export interface TransformerLayerOptions {
  /** Width between the two linear maps. Default 2048. */
  dimFeedforward?: number
  /** Default 0.1. */
  dropout?: number
  /** Default relu. */
  activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor)
  /** Default 1e-5. */
  layerNormEps?: number
  /** Whether sequences are [N, L, E] rather than [L, N, E]. Default true, unlike PyTorch's. */
  batchFirst?: boolean
  /** Whether normalisation comes before each part (pre-norm) rather than after it. Default false. */
  normFirst?: boolean
  /** Default true. */
  bias?: boolean
}

type Masks = Pick<AttentionCall, 'mask' | 'keyPaddingMask' | 'causal'>

function activationOf(activation: TransformerLayerOptions['activation'], op: string): (x: Tensor) => Tensor {
  if (activation === undefined || activation === 'relu') return relu
  if (activation === 'gelu') return gelu
  if (typeof activation === 'function') return activation
  return refuse(op, 'activation', 'relu, gelu or a function', activation)
}

/** The part that encoder and decoder layers share: x + dropout(linear2(dropout(activation(linear1(x))))). */
abstract class TransformerLayer<Args extends unknown[]> extends Module<Args> {
  readonly selfAttn: MultiheadAttention
  /** Attention to an encoder's output, where there is one. */
  readonly multiheadAttn: MultiheadAttention | null
  readonly linear1: Linear
  readonly linear2: Linear
  readonly norm1: LayerNorm
  readonly norm2: LayerNorm
  readonly dropout: Dropout
  readonly dropout1: Dropout
  readonly dropout2: Dropout
  readonly normFirst: boolean
  /** @internal */ readonly _activation: (x: Tensor) => Tensor

  constructor(dModel: number, nhead: number, crosses: boolean, options: TransformerLayerOptions) {
    super()
    const { dimFeedforward = 2048, dropout = 0.1, layerNormEps: eps = 1e-5, batchFirst = true, bias = true } = options
    this._activation = activationOf(options.activation, new.target.name)
    this.normFirst = options.normFirst ?? false
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst })
    this.multiheadAttn = crosses ? new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst }) : null
    this.linear1 = new Linear(dModel, dimFeedforward, { bias })
    this.linear2 = new Linear(dimFeedforward, dModel, { bias })
    this.norm1 = new LayerNorm(dModel, { eps, bias })
    this.norm2 = new LayerNorm(dModel, { eps, bias })
    this.dropout = new Dropout(dropout)
    this.dropout1 = new Dropout(dropout)
    this.dropout2 = new Dropout(dropout)
  }

  /** @internal x + part(norm(x)) or norm(x + part(x)). */
  _residual(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? x.add(part(norm.forward(x))) : norm.forward(x.add(part(x)))
  }

  /** @internal */
  _attend(x: Tensor, masks: Masks): Tensor {
    return this.dropout1.forward(this.selfAttn.forward(x, x, x, { ...masks, needWeights: false })[0])
  }

  /** @internal */
  _feedForward(x: Tensor, last: Dropout): Tensor {
    return last.forward(this.linear2.forward(this.dropout.forward(this._activation(this.linear1.forward(x)))))
  }
}

/** Self-attention and a feed-forward network, each beside a residual connection: [N, L, E] to [N, L, E]. */
export class TransformerEncoderLayer extends TransformerLayer<[src: Tensor, masks?: Masks]> {
  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, false, options)
  }

  forward(src: Tensor, masks: Masks = {}): Tensor {
    const x = this._residual(src, this.norm1, (y) => this._attend(y, masks))
    return this._residual(x, this.norm2, (y) => this._feedForward(y, this.dropout2))
  }
}

/** Masks of a decoder: of the target itself, and of the encoder's output. */
export interface DecoderMasks extends Masks {
  memoryMask?: Tensor | null
  memoryKeyPaddingMask?: Tensor | null
}

/** Self-attention, attention to an encoder's output, and a feed-forward network: [N, L, E] to [N, L, E]. */
export class TransformerDecoderLayer extends TransformerLayer<[tgt: Tensor, memory: Tensor, masks?: DecoderMasks]> {
  declare readonly multiheadAttn: MultiheadAttention
  readonly norm3: LayerNorm
  readonly dropout3: Dropout

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, true, options)
    const { dropout = 0.1, layerNormEps: eps = 1e-5, bias = true } = options
    this.norm3 = new LayerNorm(dModel, { eps, bias })
    this.dropout3 = new Dropout(dropout)
  }

  forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    const { mask = null, keyPaddingMask = null, causal = false, memoryMask = null, memoryKeyPaddingMask = null } = masks
    const across = { mask: memoryMask, keyPaddingMask: memoryKeyPaddingMask, needWeights: false }
    const seen = (y: Tensor) => this.multiheadAttn.forward(y, memory, memory, across)[0]
    let x = this._residual(tgt, this.norm1, (y) => this._attend(y, { mask, keyPaddingMask, causal }))
    x = this._residual(x, this.norm2, (y) => this.dropout2.forward(seen(y)))
    return this._residual(x, this.norm3, (y) => this._feedForward(y, this.dropout3))
  }
}

/** As many layers as asked for, each made by a call of `make`. */
function stacked<L extends AnyModule>(make: () => L, layers: number, op: string): ModuleList<L> {
  if (typeof make !== 'function') refuse(op, 'make', 'a function that makes a layer', make)
  return new ModuleList(Array.from({ length: count(layers, op, 'layers') }, () => make()))
}

/** Encoder layers one after the other, and a normalisation at the end where one is given. */
export class TransformerEncoder extends Module<[src: Tensor, masks?: Masks]> {
  readonly layers: ModuleList<TransformerEncoderLayer>
  readonly norm: LayerNorm | null

  /** `make` is called for each of the `layers`. */
  constructor(make: () => TransformerEncoderLayer, layers: number, options: { norm?: LayerNorm | null } = {}) {
    super()
    this.layers = stacked(make, layers, 'TransformerEncoder')
    this.norm = options.norm ?? null
  }

  forward(src: Tensor, masks: Masks = {}): Tensor {
    let x = src
    for (const layer of this.layers) x = layer.forward(x, masks)
    return this.norm === null ? x : this.norm.forward(x)
  }
}

/** Decoder layers one after the other, and a normalisation at the end where one is given. */
export class TransformerDecoder extends Module<[tgt: Tensor, memory: Tensor, masks?: DecoderMasks]> {
  readonly layers: ModuleList<TransformerDecoderLayer>
  readonly norm: LayerNorm | null

  /** `make` is called for each of the `layers`. */
  constructor(make: () => TransformerDecoderLayer, layers: number, options: { norm?: LayerNorm | null } = {}) {
    super()
    this.layers = stacked(make, layers, 'TransformerDecoder')
    this.norm = options.norm ?? null
  }

  forward(tgt: Tensor, memory: Tensor, masks: DecoderMasks = {}): Tensor {
    let x = tgt
    for (const layer of this.layers) x = layer.forward(x, memory, masks)
    return this.norm === null ? x : this.norm.forward(x)
  }
}

/** Options of {@link Transformer}. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** Default 512. */
  dModel?: number
  /** Default 8. */
  nhead?: number
  /** Default 6. */
  numEncoderLayers?: number
  /** Default 6. */
  numDecoderLayers?: number
}

/** Masks of a transformer: of the source, of the target, and of the source as the target sees it. */
export interface TransformerMasks {
  srcMask?: Tensor | null
  tgtMask?: Tensor | null
  memoryMask?: Tensor | null
  srcKeyPaddingMask?: Tensor | null
  tgtKeyPaddingMask?: Tensor | null
  memoryKeyPaddingMask?: Tensor | null
  /** Whether each place of the target sees only those before it and itself. Default false. */
  tgtCausal?: boolean
}

/** Encoder and decoder: a source [N, S, E] and a target [N, T, E] to [N, T, E]. */
export class Transformer extends Module<[src: Tensor, tgt: Tensor, masks?: TransformerMasks]> {
  readonly encoder: TransformerEncoder
  readonly decoder: TransformerDecoder

  constructor(options: TransformerOptions = {}) {
    super()
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...layer } = options
    const norm = () => new LayerNorm(dModel, { eps: layer.layerNormEps ?? 1e-5, bias: layer.bias ?? true })
    const encoderLayer = () => new TransformerEncoderLayer(dModel, nhead, layer)
    const decoderLayer = () => new TransformerDecoderLayer(dModel, nhead, layer)
    this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, { norm: norm() })
    this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, { norm: norm() })
    for (const p of this.parameters()) if (p.rank > 1) xavierUniform(p)
  }

  forward(src: Tensor, tgt: Tensor, masks: TransformerMasks = {}): Tensor {
    const { srcMask = null, srcKeyPaddingMask = null, tgtMask = null, tgtKeyPaddingMask = null } = masks
    const { memoryMask = null, memoryKeyPaddingMask = null, tgtCausal = false } = masks
    const memory = this.encoder.forward(src, { mask: srcMask, keyPaddingMask: srcKeyPaddingMask })
    const own = { mask: tgtMask, keyPaddingMask: tgtKeyPaddingMask, causal: tgtCausal }
    return this.decoder.forward(tgt, memory, { ...own, memoryMask, memoryKeyPaddingMask })
  }
}
