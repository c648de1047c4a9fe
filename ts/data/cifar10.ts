/** CIFAR-10: 50,000 + 10,000 small photographs. Krizhevsky 2009, "Learning multiple layers of features from tiny images". */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { DataError, refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { TensorDataset } from './dataset.ts'
import { untar } from './tar.ts'
import { cacheFolder, download, type DownloadOptions, givenFolder, settle } from './download.ts'

/** The address of the binary version and the MD5 that its page gives. */
const URL = 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz'
const MD5 = 'c32a1d4ab5d03f1284b67883e8d87530'
const BYTES = 170_052_171

const SIDE = 32
const PIXELS = 3 * SIDE * SIDE
const CLASSES = 10
const TRAIN = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`)
const TEST = ['test_batch.bin']

/** Names of the classes, in the order of their labels. */
export const cifar10Classes: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
]

/** Where {@link cifar10} takes its files from. */
export interface CifarOptions {
  /** A folder with the binary version's files, in place of FOVEA_DATA, the cache and the download. */
  dir?: string | undefined
  /** Where to download from instead: a mirror. */
  url?: string
  /** Is told of the download, see {@link DownloadOptions}. */
  progress?: DownloadOptions['progress']
  /** Ends the download. */
  signal?: DownloadOptions['signal']
}

/** The folder with the six files, after a download where nothing else has them. */
async function folder({ dir, url = URL, progress, signal }: CifarOptions): Promise<string> {
  if (dir !== undefined) return resolve(dir)
  const given = givenFolder('cifar10')
  if (given) return given
  const cached = join(cacheFolder(), 'cifar10')
  if (existsSync(cached)) return cached
  const archive = await download(url, `${cached}.tar.gz`, {
    checksum: { algorithm: 'md5', digest: MD5 },
    maxBytes: BYTES,
    progress,
    signal,
  })
  const files = untar(gunzipSync(readFileSync(archive), { maxOutputLength: 2 * BYTES }), [...TRAIN, ...TEST])
  const unpacked = `${cached}.${process.pid}.tmp`
  mkdirSync(unpacked, { recursive: true })
  for (const [name, data] of files) writeFileSync(join(unpacked, name), data)
  settle(unpacked, cached)
  rmSync(archive)
  return cached
}

/**
 * The pictures as f32 [3, 32, 32] from 0 to 1 and their labels as i32, see {@link cifar10Classes}: from `dir`, from
 * `cifar10` in FOVEA_DATA, or downloaded once into the cache (162 MB).
 *
 * Throws a DataError naming the file where one is missing or corrupt, or the address where its checksum is wrong.
 */
export async function cifar10(
  split: 'train' | 'test',
  options: CifarOptions = {},
): Promise<TensorDataset<[images: Tensor, labels: Tensor]>> {
  if (split !== 'train' && split !== 'test') refuse('cifar10', 'split', "'train' or 'test'", split)
  const from = await folder(options)
  const records = (split === 'train' ? TRAIN : TEST).map((name) => {
    const file = join(from, name)
    const fault = (what: string, expected: string, received: string): never => {
      throw new DataError(`cifar10: ${file} ${what}`, { op: 'cifar10', argument: 'dir', expected, received })
    }
    if (!existsSync(file)) return fault('does not exist', name, 'no such file')
    const raw = readFileSync(file)
    if (raw.length === 0 || raw.length % (1 + PIXELS) !== 0) {
      return fault(
        `has ${raw.length} bytes, no multiple of ${1 + PIXELS}`,
        'records of 3,073 bytes',
        `${raw.length} bytes`,
      )
    }
    for (let at = 0; at < raw.length; at += 1 + PIXELS) {
      if (raw[at]! >= CLASSES) fault(`has the label ${raw[at]} at byte ${at}`, '0 to 9', String(raw[at]))
    }
    return raw
  })
  const raw = Buffer.concat(records)
  const count = raw.length / (1 + PIXELS)
  const [pixels, labels] = [new Uint8Array(count * PIXELS), new Int32Array(count)]
  for (let i = 0; i < count; i++) {
    const at = i * (1 + PIXELS)
    labels[i] = raw[at]!
    pixels.set(raw.subarray(at + 1, at + 1 + PIXELS), i * PIXELS)
  }
  return new TensorDataset<[images: Tensor, labels: Tensor]>(
    { data: pixels, shape: [3, SIDE, SIDE], scale: 1 / 255 },
    { data: labels, shape: [] },
  )
}
