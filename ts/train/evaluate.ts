/** Models used without being trained. */
import type { Metric } from '../metrics/index.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { AnyModule, Module } from '../nn/module.ts'
import { materialize } from '../tensor/read.ts'
import { noGrad } from '../tensor/scopes.ts'
import { eachTensor } from '../tensor/structure.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { batchesOf, checkSignal, unlessAborted } from './abort.ts'

/** Puts `model` into evaluation mode; returns what puts every module back into the mode it was in. */
function evaluating(model: AnyModule): () => void {
  const before = model.modules().map((module) => [module, module.training] as const)
  model.eval()
  return () => {
    for (const [module, mode] of before) (module as { training: boolean }).training = mode
  }
}

/**
 * The metrics of `model` over all batches [inputs, targets] of `loader`, in evaluation mode and without gradients; the
 * mode is restored. Rejects with the reason of an aborted `signal`.
 */
export async function evaluate<Names extends string>(
  model: Module<[Tensor], Tensor>,
  loader: AsyncIterable<readonly Tensor[]> | Iterable<readonly Tensor[]>,
  options: { metrics: Record<Names, Metric>; signal?: AbortSignal },
): Promise<Record<Names, number>> {
  const metrics = Object.entries<Metric>(options.metrics)
  const { signal } = options
  checkSignal('evaluate', signal)
  if (metrics.length === 0) refuse('evaluate', 'metrics', 'at least one metric', options.metrics)
  for (const [, metric] of metrics) metric.reset()
  const restore = evaluating(model as unknown as AnyModule)
  try {
    for await (const [x, target] of batchesOf(loader, signal)) {
      if (!isTensor(x) || !isTensor(target)) refuse('evaluate', 'loader', 'batches [inputs, targets]', [x, target])
      noGrad(() => {
        const output = model.forward(x)
        for (const [, metric] of metrics) metric.update(output, target)
      })
    }
  } finally {
    restore()
  }
  const computed = Promise.all(metrics.map(async ([name, metric]) => [name, await metric.compute()] as const))
  const figures = await unlessAborted(computed, signal)
  return Object.fromEntries(figures) as Record<Names, number>
}

/** What `model` gives for `input`, computed, in evaluation mode and without gradients; the mode is restored. */
export async function predict<In, Out>(model: Module<[In], Out>, input: In): Promise<Out> {
  const restore = evaluating(model as unknown as AnyModule)
  let output: Out
  try {
    output = noGrad(() => model.forward(input))
  } finally {
    restore()
  }
  const tensors: Tensor[] = []
  eachTensor(output, (x) => tensors.push(x))
  await materialize(...tensors)
  return output
}
