/** Weights in files that PyTorch, NumPy and others open. */
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { AnyModule } from '../nn/module.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { formatOf, loadTensors, saveTensors } from './tensors.ts'

const FORMATS = ['safetensors', 'npz', 'pth'] as const

/**
 * Writes a model's state dict, or any named tensors, in the format that the file's ending names: `.safetensors`,
 * `.pth`, `.pt` or `.bin` (`torch.load` opens it) or `.npz`. The file is written as a whole or not at all.
 *
 * Only safetensors files carry `metadata`. Throws a DataError where the file can't be written.
 */
export async function saveWeights(
  model: AnyModule | Record<string, Tensor>,
  file: string,
  metadata: Record<string, string> = {},
): Promise<void> {
  const target = formatOf('saveWeights', file, FORMATS)
  if (typeof model !== 'object' || model === null || isTensor(model)) {
    refuse('saveWeights', 'model', 'a model or a record of tensors', model)
  }
  const dict = typeof model.stateDict === 'function' ? model.stateDict() : (model as Record<string, Tensor>)
  await saveTensors('saveWeights', target, dict, metadata)
}

/**
 * The named tensors of a file: `.safetensors`, `.npz`, or PyTorch's `.pth`, `.pt` or `.bin`. Halves become f32.
 *
 * In a PyTorch file a name is the path through its dictionaries, such as `model.conv1.weight`; of anything but
 * tensors, containers, strings and numbers it is refused, and nothing in it is executed. `prefix` picks the names that
 * begin with it and a dot, and cuts it off. Throws a DataError where the file can't be read, a FormatError where it is
 * damaged.
 */
export async function loadWeights(file: string, options: { prefix?: string } = {}): Promise<Record<string, Tensor>> {
  const { path, format } = formatOf('loadWeights', file, FORMATS)
  const { prefix } = options
  if (prefix !== undefined && typeof prefix !== 'string') refuse('loadWeights', 'prefix', 'a string', prefix)
  const { tensors } = await loadTensors(path, format)
  if (prefix === undefined || prefix === '') return tensors
  const start = prefix.endsWith('.') ? prefix : `${prefix}.`
  const within = Object.entries(tensors).filter(([name]) => name.startsWith(start))
  if (within.length === 0) {
    const some = Object.keys(tensors).slice(0, 3).join(', ')
    throw new ArgumentError(`loadWeights: no name in ${file} begins with ${start}; it holds ${some || 'nothing'}`, {
      op: 'loadWeights',
      argument: 'prefix',
      expected: 'the beginning of names in the file',
      received: prefix,
    })
  }
  return Object.fromEntries(within.map(([name, value]) => [name.slice(start.length), value]))
}
