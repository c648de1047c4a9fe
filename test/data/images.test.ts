/** Pictures in files and folders; test/reference/formats.py made them with Pillow. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ArgumentError, DataError, FormatError } from 'fovea'
import { caltech101Sample, cifar10Sample, DataLoader, imageFolder, omniglot, orlFaces, readImage } from 'fovea/data'
import { root } from '../child.ts'
import { numbers } from '../engine.ts'

const pictures = join(root, 'test', 'reference', 'formats')
const dir = mkdtempSync(join(tmpdir(), 'fovea-images-'))
afterAll(() => rmSync(dir, { recursive: true }))

interface Pixels {
  shape: number[]
  data: number[]
}
const reference = JSON.parse(readFileSync(join(root, 'test', 'reference', 'formats.json'), 'utf8')) as {
  images: Record<string, Pixels>
  resized: Pixels
}

/** [C, H, W] from 0 to 1 as rows of pixels from 0 to 255. */
function pixelsOf(values: number[], [height, width, channels]: number[]): number[] {
  const plane = height! * width!
  return Array.from({ length: plane * channels! }, (_, i) => {
    return Math.round(values[(i % channels!) * plane + Math.floor(i / channels!)]! * 255)
  })
}

describe('readImage', () => {
  test.each(Object.keys(reference.images))("%s has Pillow's pixels", async (name) => {
    const { shape, data } = reference.images[name]!
    const x = await readImage(join(pictures, name))
    expect(x.shape).toEqual([3, shape[0], shape[1]])
    const differences = pixelsOf(numbers(x), shape).map((v, i) => Math.abs(v - data[i]!))
    // PNG is exact. JPEG leaves the rounding of its transforms and how colour is spread over pixels to the decoder.
    expect(Math.max(...differences)).toBeLessThanOrEqual(name.endsWith('.jpg') ? 8 : 0)
    expect(differences.reduce((a, b) => a + b) / differences.length).toBeLessThan(1)
  })

  test("resizing gives Pillow's pixels within a step", async () => {
    const { shape, data } = reference.resized
    const x = await readImage(join(pictures, 'rgb.png'), { size: [6, 8] })
    const differences = pixelsOf(numbers(x), shape).map((v, i) => Math.abs(v - data[i]!))
    expect(Math.max(...differences)).toBeLessThanOrEqual(1) // its fixed-point weights round differently
  })

  test('channels, mean and std are as asked', async () => {
    const grey = numbers(await readImage(join(pictures, 'grey.png'), { channels: 1 }))
    const x = await readImage(join(pictures, 'grey.png'), { channels: 1, mean: [0.5], std: [0.25] })
    expect(x.shape).toEqual([1, 16, 24])
    numbers(x).forEach((v, i) => expect(v).toBeCloseTo((grey[i]! - 0.5) / 0.25, 5))
  })

  test('bad files and bad options are refused', async () => {
    const torn = join(dir, 'torn.jpg')
    writeFileSync(torn, readFileSync(join(pictures, 'baseline.jpg')).subarray(0, 500))
    await expect(readImage(torn)).rejects.toThrow(FormatError)
    await expect(readImage(torn)).rejects.toThrow(/torn\.jpg is not a valid image file/)
    await expect(readImage(join(dir, 'none.png'))).rejects.toThrow(DataError)
    await expect(readImage(join(pictures, 'rgb.png'), { maxPixels: 383 })).rejects.toThrow(/24 × 16 pixels, more than/)
    await expect(readImage(torn, { channels: 2 as never })).rejects.toThrow(/channels must be 1 or 3, got 2/)
    await expect(readImage(torn, { std: [1, 0, 1] })).rejects.toThrow(/std must be 3 numbers other than 0/)
    await expect(readImage(torn, { size: [0, 3] })).rejects.toThrow(ArgumentError)
  })
})

describe('imageFolder', () => {
  const folder = join(dir, 'classes')
  beforeAll(() => {
    for (const [name, count] of [
      ['cat', 10],
      ['dog', 20],
    ] as const) {
      mkdirSync(join(folder, name, 'more'), { recursive: true })
      for (let i = 0; i < count; i++) {
        copyFileSync(join(pictures, 'rgb.png'), join(folder, name, i % 2 ? 'more' : '', `${i}.png`))
      }
    }
    mkdirSync(join(folder, 'empty'))
    writeFileSync(join(folder, 'dog', 'notes.txt'), 'no picture')
    writeFileSync(join(folder, 'dog', 'torn.png'), readFileSync(join(pictures, 'rgb.png')).subarray(0, 60))
  })

  test('splits each class by the seed and reports what it skips', async () => {
    const {
      train,
      test: tested,
      classes,
      skipped,
    } = await imageFolder(folder, { split: 0.2, seed: 1, onCorrupt: 'skip' })
    expect(classes).toEqual(['cat', 'dog'])
    expect(skipped).toEqual([
      { file: join(folder, 'dog', 'torn.png'), reason: expect.stringMatching(/torn\.png is not/) },
    ])
    const counts = (labels: readonly number[]) => [0, 1].map((c) => labels.filter((label) => label === c).length)
    expect([counts(train.labels), counts(tested.labels)]).toEqual([
      [8, 16],
      [2, 4],
    ])
    expect(new Set([...train.files, ...tested.files]).size).toBe(30)
    const again = await imageFolder(folder, { split: 0.2, seed: 1, onCorrupt: 'skip' })
    expect(again.test.files).toEqual(tested.files)
    const other = await imageFolder(folder, { split: 0.2, seed: 2, onCorrupt: 'skip' })
    expect(other.test.files).not.toEqual(tested.files)
  })

  test('a damaged file surfaces at the loop with file and index', async () => {
    const { train } = await imageFolder(folder)
    const at = train.files.findIndex((file) => basename(file) === 'torn.png')
    const loop = async () => {
      let batches = 0
      for await (const [x, labels] of new DataLoader(train, { batchSize: 4 })) {
        expect([x.shape, labels.shape]).toEqual([[4, 3, 16, 24], [4]])
        batches++
      }
      return batches
    }
    const error = await loop().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DataError)
    expect((error as Error).message).toContain(`item ${at} can't be loaded`)
    expect((error as Error).message).toContain(join('dog', 'torn.png'))
  })

  test('pictures of several sizes need a size', async () => {
    const mixed = join(dir, 'mixed')
    mkdirSync(join(mixed, 'a'), { recursive: true })
    copyFileSync(join(pictures, 'rgb.png'), join(mixed, 'a', '1.png'))
    writeFileSync(join(mixed, 'a', '2.pgm'), 'P5 2 1 255 ab')
    const { train } = await imageFolder(mixed)
    await expect(train.batch([0, 1])).rejects.toThrow(/2\.pgm is 1 × 2, .*1\.png 16 × 24; give a size to resize to/)
    const { train: sized } = await imageFolder(mixed, { size: [4, 5], channels: 1 })
    expect((await sized.batch([0, 1]))[0].shape).toEqual([2, 1, 4, 5])
    expect((await sized.batch([1]))[0].shape).toEqual([1, 1, 4, 5])
    expect((await sized.get(1))[0].shape).toEqual([1, 4, 5])
    expect((await sized.get(1))[0].shape).toEqual([1, 4, 5])
    await expect(sized.batch([2])).rejects.toThrow(/index must be an integer from 0 to 1/)
  })

  test('what is asked wrongly is refused', async () => {
    await expect(imageFolder(join(dir, 'none'))).rejects.toThrow(/is no folder/)
    await expect(imageFolder(join(folder, 'empty'))).rejects.toThrow(/has no folders with pictures/)
    await expect(imageFolder(folder, { split: 1 })).rejects.toThrow(/split must be a number from 0 to below 1/)
    await expect(imageFolder(folder, { onCorrupt: 'hide' as never })).rejects.toThrow(/onCorrupt/)
  })
})

const shared = process.env.FOVEA_DATA ?? join(root, '..', 'shared', 'data')
const there = existsSync(join(shared, 'orl_faces'))
if (!there) console.log('samples of published data sets: skipped, since FOVEA_DATA names no folder with orl_faces')

describe.skipIf(!there)('samples of published data sets', () => {
  beforeAll(() => {
    process.env.FOVEA_DATA = shared
    process.env.FOVEA_CACHE = join(dir, 'cache')
  })

  test('faces, characters, photographs have their counts and shapes', async () => {
    const [train, tested] = [await orlFaces('train'), await orlFaces('test')]
    expect([train.length, tested.length, train.classes.length]).toEqual([200, 200, 40])
    const [faces, people] = await train.batch([0, 199])
    expect([faces.shape, numbers(people)]).toEqual([
      [2, 1, 112, 92],
      [0, 39],
    ])
    const characters = await omniglot(1)
    expect([characters.length, characters.classes.length]).toEqual([2720, 136])
    expect((await characters.get(0))[0].shape).toEqual([1, 105, 105])
    const photos = await caltech101Sample({ size: [32, 32], split: 0.25, seed: 0, onCorrupt: 'skip' })
    expect([photos.train.length + photos.test.length, photos.classes.length, photos.skipped]).toEqual([325, 6, []])
  }, 120_000)

  test('the sample of CIFAR-10 is decoded whole', async () => {
    const sets = [await cifar10Sample('train'), await cifar10Sample('test')]
    expect(sets.map((set) => set.length)).toEqual([5000, 1000])
    let seen = 0
    for await (const [x] of new DataLoader(sets[1]!, { batchSize: 250 })) {
      expect(x.shape).toEqual([250, 3, 32, 32])
      seen += x.shape[0]!
    }
    expect(seen).toBe(1000)
  }, 120_000)

  test('an archive with another checksum is refused', async () => {
    const fake = join(dir, 'fake')
    mkdirSync(join(fake, 'orl_faces'), { recursive: true })
    writeFileSync(join(fake, 'orl_faces', 'orl_faces.zip'), 'PK')
    process.env.FOVEA_DATA = fake
    process.env.FOVEA_CACHE = join(dir, 'other-cache')
    await expect(orlFaces('train')).rejects.toThrow(/orl_faces\.zip has the sha256 \w+, expected a425038b/)
    await expect(caltech101Sample()).rejects.toThrow(/there is no caltech101_sample/)
  })
})
