/** Pictures in files: one, lists of them, and folders with one folder for each class. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { native } from '../native/addon.ts'
import { DataError, refuse, translate } from '../native/errors.ts'
import { taken } from '../native/record.ts'
import { leaf } from '../tensor/create.ts'
import { defaultDevice } from '../tensor/defaults.ts'
import { nextSeed, shuffled } from '../tensor/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { BatchedDataset } from './dataset.ts'

/** How pictures become tensors; plain data, so that it can be saved with a model. */
export interface ImageOptions {
  /** 3 (RGB, the default) or 1 (grey). */
  channels?: 1 | 3
  /** [height, width] to resize to, bilinear and antialiased. Pictures of one batch must be of one size. */
  size?: readonly [height: number, width: number]
  /** Taken from each channel after it is scaled to 0 … 1. Default 0. */
  mean?: readonly number[]
  /** By which each channel is divided after that. Default 1. */
  std?: readonly number[]
  /** The most pixels that a file may say it has. Default 2^26. */
  maxPixels?: number
}

/** A file that could not be read, and why. */
export interface SkippedFile {
  file: string
  reason: string
}

const ENDINGS = new Set(['.png', '.jpg', '.jpeg', '.pgm', '.ppm'])
const MAX_PIXELS = 2 ** 26

/** What is wanted of pixels: whether they can be read, one picture [C, H, W], a batch [N, C, H, W]. */
const Keep = { nothing: 0, one: 1, batch: 2 } as const

/** The device of files that are only looked at. */
const CPU = 0

/** The options as the addon takes them; throws an ArgumentError where one is wrong. */
function numbersOf(op: string, options: ImageOptions): number[] {
  const { channels = 3, size, maxPixels = MAX_PIXELS } = options
  if (channels !== 1 && channels !== 3) refuse(op, 'channels', '1 or 3', channels)
  const whole = (value: unknown, most: number) =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
  if (size !== undefined && !(Array.isArray(size) && size.length === 2 && size.every((d) => whole(d, 16_384)))) {
    refuse(op, 'size', '[height, width], each from 1 to 16,384', size)
  }
  if (!whole(maxPixels, 2 ** 30)) refuse(op, 'maxPixels', 'a whole number from 1 to 2^30', maxPixels)
  const each = (name: 'mean' | 'std', other: number): readonly number[] => {
    const list = options[name] ?? Array<number>(channels).fill(other)
    const fits = (v: unknown) => typeof v === 'number' && Number.isFinite(v) && (name === 'mean' || v !== 0)
    if (!Array.isArray(list) || list.length !== channels || !list.every(fits)) {
      refuse(op, name, `${channels} numbers${name === 'std' ? ' other than 0' : ''}`, list)
    }
    return list
  }
  return [channels, size?.[0] ?? 0, size?.[1] ?? 0, maxPixels, ...each('mean', 0), ...each('std', 1)]
}

/** One picture as f32 [C, H, W]. Throws a DataError where it can't be read, a FormatError where it is damaged. */
export async function readImage(file: string, options: ImageOptions = {}): Promise<Tensor> {
  if (typeof file !== 'string' || file === '') refuse('readImage', 'file', 'a path', file)
  const numbers = numbersOf('readImage', options)
  const { prepared, errors } = await native.decodeImages([resolve(file)], numbers, Keep.one, defaultDevice())
  if (prepared === undefined) throw translate(errors[0])
  return taken(prepared)[0]!
}

/** Pictures and the classes they belong to, decoded on threads when a batch is asked for. */
export class ImageDataset implements BatchedDataset<[image: Tensor, label: number], [images: Tensor, labels: Tensor]> {
  readonly files: readonly string[]
  readonly labels: readonly number[]
  /** Names of the classes. */
  readonly classes: readonly string[]
  readonly #numbers: number[]

  /** Throws an ArgumentError where files and labels differ in number. */
  constructor(
    files: readonly string[],
    labels: readonly number[],
    classes: readonly string[],
    options: ImageOptions = {},
  ) {
    this.#numbers = numbersOf('ImageDataset', options)
    if (files.length !== labels.length) {
      refuse('ImageDataset', 'labels', `as many as files (${files.length})`, labels)
    }
    this.files = files
    this.labels = labels
    this.classes = classes
  }

  /** How many pictures there are. */
  get length(): number {
    return this.files.length
  }

  /** One picture as f32 [C, H, W] and the number of its class. */
  async get(index: number): Promise<[image: Tensor, label: number]> {
    return [await this.#decode([index], Keep.one), this.labels[index]!]
  }

  /** The pictures at `indices` as f32 [N, C, H, W] and their labels as i32 [N]. */
  async batch(indices: ArrayLike<number>): Promise<[images: Tensor, labels: Tensor]> {
    const images = await this.#decode(indices, Keep.batch)
    const labels = Int32Array.from(indices, (index) => this.labels[index]!)
    return [images, leaf(labels, 2, [indices.length], {})]
  }

  async #decode(indices: ArrayLike<number>, keep: 1 | 2): Promise<Tensor> {
    const files = Array.from(indices, (index) => {
      return this.files[index] ?? refuse('ImageDataset', 'index', `an integer from 0 to ${this.length - 1}`, index)
    })
    const found = await native.decodeImages(files, this.#numbers, keep, defaultDevice())
    const { prepared, sizes, failed, errors } = found
    if (prepared !== undefined) return taken(prepared)[0]!
    if (errors.length > 0) {
      const at = failed[0]!
      const cause = translate(errors[0]) as Error
      throw Object.assign(
        new DataError(`ImageDataset: item ${indices[at]} can't be loaded: ${cause.message}`, {
          op: 'ImageDataset',
          argument: `dataset[${indices[at]}]`,
        }),
        { cause },
      )
    }
    const [height, width] = sizes
    const other = files.findIndex((_, i) => sizes[2 * i] !== height || sizes[2 * i + 1] !== width)
    const expected = `${height} × ${width}, as ${files[0]}`
    const received = `${sizes[2 * other]} × ${sizes[2 * other + 1]}`
    throw new DataError(
      `ImageDataset: ${files[other]} is ${received}, ${files[0]} ${height} × ${width}; give a size to resize to`,
      { op: 'ImageDataset', argument: 'size', expected, received },
    )
  }
}

/** How {@link imageFolder} reads and splits a folder. */
export interface ImageFolderOptions extends ImageOptions {
  /** The share of each class that goes to `test`, from 0 (the default) to below 1. */
  split?: number
  /** Of the split; drawn from the library's generator when left out. */
  seed?: number
  /**
   * 'throw' (the default): a damaged file is an error of the loop that draws it. 'skip': every file is decoded once
   * now, and the damaged ones are left out and listed in `skipped`.
   */
  onCorrupt?: 'skip' | 'throw'
}

/** What {@link imageFolder} found. */
export interface ImageFolder {
  train: ImageDataset
  /** The share that `split` asks for, in each class the nearest whole number of files. */
  test: ImageDataset
  /** Names of the folders, sorted. */
  classes: readonly string[]
  skipped: readonly SkippedFile[]
}

/** The picture files below `dir`, sorted. */
function picturesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ENDINGS.has(extname(entry.name).toLowerCase()))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

/** Which of `files` are damaged. */
async function damaged(files: readonly string[], numbers: readonly number[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const STEP = 256
  for (let i = 0; i < files.length; i += STEP) {
    const some = files.slice(i, i + STEP)
    const { failed, errors } = await native.decodeImages(some, numbers, Keep.nothing, CPU)
    failed.forEach((at, k) => found.set(some[at]!, (translate(errors[k]) as Error).message))
  }
  return found
}

/**
 * The pictures below `dir`, which has one folder for each class: PNG, JPEG, PGM and PPM, found at any depth.
 *
 * Splits are stratified and follow from the seed and the names of the files alone. Throws a DataError where the folder
 * has no pictures.
 */
export async function imageFolder(dir: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const op = 'imageFolder'
  if (typeof dir !== 'string' || dir === '') refuse(op, 'dir', 'a path', dir)
  const { split = 0, seed, onCorrupt = 'throw', ...pictures } = options
  if (typeof split !== 'number' || !(split >= 0 && split < 1)) refuse(op, 'split', 'a number from 0 to below 1', split)
  if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0)) {
    refuse(op, 'seed', 'an integer from 0 to 2^53 - 1', seed)
  }
  if (onCorrupt !== 'skip' && onCorrupt !== 'throw') refuse(op, 'onCorrupt', "'skip' or 'throw'", onCorrupt)
  const numbers = numbersOf(op, pictures)
  const root = resolve(dir)
  if (!existsSync(root) || !statSync(root).isDirectory()) {
    throw new DataError(`imageFolder: ${root} is no folder`, { op, argument: 'dir', expected: 'a folder of classes' })
  }
  const classes = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && picturesBelow(join(root, entry.name)).length > 0)
    .map((entry) => entry.name)
    .toSorted()
  if (classes.length === 0) {
    throw new DataError(`imageFolder: ${root} has no folders with pictures`, {
      op,
      argument: 'dir',
      expected: `folders with ${[...ENDINGS].join(', ')} files`,
    })
  }
  const skipped: SkippedFile[] = []
  const [train, test] = [new Listed(), new Listed()]
  const drawn = split > 0 ? (seed === undefined ? nextSeed() : [seed, 0]) : [0, 0]
  for (const [label, name] of classes.entries()) {
    let files = picturesBelow(join(root, name))
    if (onCorrupt === 'skip') {
      const bad = await damaged(files, numbers)
      for (const [file, reason] of bad) skipped.push({ file, reason })
      files = files.filter((file) => !bad.has(file))
    }
    const held = Math.round(files.length * split)
    const order = shuffled(files.length, [...drawn, label])
    const tested = new Set(order.subarray(0, held))
    files.forEach((file, i) => (tested.has(i) ? test : train).add(file, label))
  }
  const dataset = ({ files, labels }: Listed) => new ImageDataset(files, labels, classes, pictures)
  return { train: dataset(train), test: dataset(test), classes, skipped }
}

class Listed {
  readonly files: string[] = []
  readonly labels: number[] = []

  add(file: string, label: number): void {
    this.files.push(file)
    this.labels.push(label)
  }
}
