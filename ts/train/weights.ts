/** Weights in files that PyTorch's and others' safetensors readers open. */
import { resolve } from 'node:path'
import { native, scratch } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import { adopted, isTensor } from '../native/record.ts'
import type { AnyModule } from '../nn/module.ts'
import { materialize } from '../tensor/read.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Writes a model's state dict, or any named tensors, as safetensors: all of the file or nothing. */
export async function saveWeights(
  model: AnyModule | Record<string, Tensor>,
  file: string,
  metadata: Record<string, string> = {},
): Promise<void> {
  if (typeof file !== 'string' || file === '') refuse('saveWeights', 'file', 'a path', file)
  const path = resolve(file)
  if (typeof model !== 'object' || model === null || isTensor(model)) {
    refuse('saveWeights', 'model', 'a model or a record of tensors', model)
  }
  const dict = typeof model.stateDict === 'function' ? model.stateDict() : (model as Record<string, Tensor>)
  const names = Object.keys(dict)
  const tensors = names.map((name) => {
    const value = dict[name]
    return isTensor(value) ? value._now() : refuse('saveWeights', name, 'a Tensor', value)
  })
  await materialize(...tensors)
  native.saveSafetensors(
    path,
    names,
    tensors.map((x) => x._id),
    Object.entries(metadata).flat(),
  )
}

/** The named tensors of a safetensors file. Throws a FormatError where it is not one. */
export async function loadWeights(file: string): Promise<Record<string, Tensor>> {
  if (typeof file !== 'string' || file === '') refuse('loadWeights', 'file', 'a path', file)
  const names = native.loadSafetensors(resolve(file))
  const handles = Array.from(scratch.subarray(0, names.length))
  return Object.fromEntries(names.map((name, i) => [name, adopted(handles[i]!)]))
}
