/** Arrays in files as datasets. */
import { loadTensors } from '../formats/tensors.ts'
import { resolve } from 'node:path'
import { ArgumentError, refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { TensorDataset } from './dataset.ts'

/** The device whose values are read at once. */
const CPU = 0

function path(op: string, file: unknown): string {
  return typeof file === 'string' && file !== '' ? resolve(file) : refuse(op, 'file', 'a path', file)
}

/** One array of each IDX file, indexed along their first dimension. Throws a FormatError where a file is damaged. */
export async function idx(...files: string[]): Promise<TensorDataset> {
  const loaded = await Promise.all(files.map((file) => loadTensors(path('idx', file), 'idx', CPU)))
  return new TensorDataset(...loaded.map(({ tensors }) => tensors['']!))
}

/**
 * The arrays of these names in an npz file, indexed along their first dimension. Throws a FormatError where the file is
 * damaged, an ArgumentError where a name isn't in it.
 */
export async function npz(file: string, names: readonly string[]): Promise<TensorDataset> {
  const { tensors } = await loadTensors(path('npz', file), 'npz', CPU)
  const pick = (name: string): Tensor => {
    const found = tensors[name]
    if (found) return found
    const there = Object.keys(tensors).join(', ')
    throw new ArgumentError(`npz: ${file} has no array called ${name}; it has ${there}`, {
      op: 'npz',
      argument: 'names',
      expected: there,
      received: name,
    })
  }
  return new TensorDataset(...names.map(pick))
}
