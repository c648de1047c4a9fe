/** What a model is made of. */
import { isTensor } from '../../native/record.ts'
import type { AnyModule } from '../../nn/module.ts'
import { noGrad } from '../../tensor/scopes.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Model } from '../events.ts'

export interface Layer {
  path: string
  name: string
  /** Of what it gives for a batch; null where it gave no tensor or never ran. */
  output: readonly number[] | null
  /** Elements of the parameters that it owns itself. */
  parameters: number
}

/** The modules of `model`, itself first, with the shapes they give for the batch `x` in evaluation mode. */
export function layersOf(model: Model, x: Tensor | null): Layer[] {
  const all = model.namedModules()
  const shapes = new Map<AnyModule, readonly number[]>()
  if (x !== null) {
    const modes = all.map(([, module]) => [module, module.training] as const)
    const remove = all.map(([, module]) =>
      module.onForward(({ output }) => {
        if (isTensor(output)) shapes.set(module, output.shape)
      }),
    )
    try {
      model.eval()
      noGrad(() => model.forward(x))
    } finally {
      for (const off of remove) off()
      for (const [module, mode] of modes) (module as { training: boolean }).training = mode
    }
  }
  const owned = new Map<string, number>()
  for (const [name, parameter] of model.namedParameters()) {
    const owner = all.reduce((best, [path]) => {
      return path.length > best.length && name.startsWith(`${path}.`) ? path : best
    }, '')
    owned.set(owner, (owned.get(owner) ?? 0) + parameter.size)
  }
  return all.map(([path, module]) => {
    const output = shapes.get(module) ?? null
    return { path, name: module.constructor.name, output, parameters: owned.get(path) ?? 0 }
  })
}
