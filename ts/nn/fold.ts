import { add, mul, rsqrt, sub } from '../generated/ops.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Identity } from './activation.ts'
import { Conv1d, Conv2d } from './conv.ts'
import { Linear } from './linear.ts'
import type { AnyModule } from './module.ts'
import { BatchNorm1d, BatchNorm2d } from './norm.ts'
import { Parameter } from './parameter.ts'
import { type InputShape, type SummaryOptions, trace } from './summary.ts'

/** Layers whose outputs are a weight's rows, and what normalises them. */
type Layer = Conv1d | Conv2d | Linear
type Norm = BatchNorm1d | BatchNorm2d

const isLayer = (m: unknown): m is Layer => m instanceof Conv1d || m instanceof Conv2d || m instanceof Linear
const isNorm = (m: unknown): m is Norm => m instanceof BatchNorm1d || m instanceof BatchNorm2d

/** Layers that run once and whose output goes to one module, a batch normalisation that runs once. */
function pairs(model: AnyModule, inputShape: InputShape, options: SummaryOptions): [Layer, Norm][] {
  const runs = new Map<AnyModule, number>()
  const makers = new Map<unknown, Layer>() // by their output
  const readers = new Map<unknown, AnyModule[]>() // by what they read
  trace(model, inputShape, options, ({ module, args, output }) => {
    runs.set(module, (runs.get(module) ?? 0) + 1)
    if (isLayer(module)) makers.set(output, module)
    for (const x of args) readers.set(x, [...(readers.get(x) ?? []), module])
  })
  return [...makers].flatMap(([output, layer]): [Layer, Norm][] => {
    const [reader, ...others] = readers.get(output) ?? []
    const once = runs.get(layer as unknown as AnyModule) === 1 && runs.get(reader!) === 1
    return once && others.length === 0 && isNorm(reader) && reader.runningMean !== null ? [[layer, reader]] : []
  })
}

/** y = (W x + b - mean) / √(variance + eps) · weight + bias as one layer. */
function fold(layer: Layer, norm: Norm): void {
  const { runningMean, runningVar, weight, bias, eps } = norm
  noGrad(() => {
    const spread = rsqrt(add(runningVar!, eps))
    const factor = weight ? mul(spread, weight) : spread // [out]
    const shift = mul(sub(layer.bias ?? 0, runningMean!), factor)
    const rows = factor.reshape([-1, ...layer.weight.shape.slice(1).map(() => 1)])
    layer.weight.assign(mul(layer.weight, rows))
    const value: Tensor = bias ? add(shift, bias) : shift
    if (layer.bias) layer.bias.assign(value)
    else layer.bias = new Parameter(value)
  })
}

type Runnable = { forward(...args: never): unknown }

/**
 * Merges every batch normalisation into the convolution or linear layer before it and puts an {@link Identity} in its
 * place: fewer passes for the same outputs in evaluation. Which stand behind each other is seen in a run on zeros of
 * `inputShape`; a layer whose output other modules read too stays as it is. Changes the model and returns it.
 */
export function foldBatchNorm<M extends Runnable>(model: M, inputShape: InputShape, options: SummaryOptions = {}): M {
  const whole = model as unknown as AnyModule
  for (const [layer, norm] of pairs(whole, inputShape, options)) {
    fold(layer, norm)
    const identity = new Identity().train(norm.training)
    for (const module of whole.modules()) {
      module._exchange(norm as unknown as AnyModule, identity as unknown as AnyModule)
    }
  }
  return model
}
