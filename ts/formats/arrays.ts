/** Single arrays in files of NumPy and of MNIST. */
import { resolve } from 'node:path'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { formatOf, loadTensors, saveTensors } from './tensors.ts'

/** The array of an `.npy` file. Throws a DataError where it can't be read, a FormatError where it is damaged. */
export async function loadNpy(file: string): Promise<Tensor> {
  const { path, format } = formatOf('loadNpy', file, ['npy'])
  return (await loadTensors(path, format)).tensors['']!
}

/** Writes a tensor as an `.npy` file, as a whole or not at all. */
export async function saveNpy(x: Tensor, file: string): Promise<void> {
  if (!isTensor(x)) refuse('saveNpy', 'x', 'a Tensor', x)
  await saveTensors('saveNpy', formatOf('saveNpy', file, ['npy']), { x })
}

/**
 * The array of an IDX file, the format of MNIST, plain or gzipped. Throws a DataError where it can't be read, a
 * FormatError where it is damaged.
 */
export async function loadIdx(file: string): Promise<Tensor> {
  if (typeof file !== 'string' || file === '') refuse('loadIdx', 'file', 'a path', file)
  return (await loadTensors(resolve(file), 'idx')).tensors['']!
}
