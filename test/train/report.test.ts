/** Reports of runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { ArgumentError, DataError, F, nn, optim, tensor, withSeed, type Tensor } from 'fovea'
import { DataLoader, readImage, TensorDataset } from 'fovea/data'
import { Accuracy, fit, judge, report, writeReport } from 'fovea/train'
import { curves, thinned, ticks } from '../../ts/train/report/curves.ts'
import { VERSION } from '../../ts/train/report/index.ts'
import { png } from '../../ts/train/report/picture.ts'
import { root } from '../child.ts'
import { numbers } from '../engine.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-reports-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** A classifier of three classes that takes the largest of three pixels for the class. */
class Largest extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.flatten(1).mul(10)
  }
}

/** Pictures [1, 1, 3] and labels: two right, one class 2 taken for 0, one class 1 taken for 0 more surely. */
const batch = (): Tensor[] => [
  tensor([[[[1, 0, 0]]], [[[0, 1, 0]]], [[[0.6, 0, 0.5]]], [[[1, 0.1, 0]]]]),
  tensor([0, 1, 2, 1], { dtype: 'i32' }),
]

describe('judge', () => {
  test('counts what is taken for what, and keeps the worst mistakes with their pictures', async () => {
    const model = new Largest()
    const { confusion, mistakes } = await judge(model, [batch()])
    expect(confusion).toEqual([
      [1, 0, 0],
      [1, 1, 0],
      [1, 0, 0],
    ])
    expect(mistakes.map(({ target, predicted }) => [target, predicted])).toEqual([
      [1, 0],
      [2, 0],
    ])
    const [e10, e1] = [Math.exp(10), Math.exp(1)]
    expect(mistakes[0]!.sure).toBeCloseTo(e10 / (e10 + e1 + 1), 5)
    expect(mistakes[0]!.right).toBeCloseTo(e1 / (e10 + e1 + 1), 5)
    const file = join(dir, 'mistake.png')
    writeFileSync(file, mistakes[1]!.picture!)
    const read = numbers(await readImage(file, { channels: 1 }))
    expect(read.map((v) => Number(v.toFixed(2)))).toEqual([0.6, 0, 0.5])
    expect((await judge(model, [batch()], { worst: 1 })).mistakes).toEqual([mistakes[0]])
    expect(model.training).toBe(true)
  })

  test('refuses what is no classifier', async () => {
    await expect(judge(new nn.Flatten(), [[tensor([[1]]), tensor([[1]])]])).rejects.toThrow(ArgumentError)
    await expect(judge(new Largest(), [[tensor([1])]])).rejects.toThrow(/loader must be batches/)
  })
})

describe('the page', () => {
  test('a run writes one file that needs nothing beside it', async () => {
    const model = withSeed(1, () => new nn.Sequential(new nn.Flatten(), new nn.Linear(3, 3)))
    const [x, y] = batch()
    const loader = new DataLoader(new TensorDataset(x!, y!), { batchSize: 2 })
    const file = join(dir, 'report.html')
    await fit(model, loader, {
      loss: F.crossEntropy,
      optimizer: new optim.SGD(model, { lr: 0.1 }),
      epochs: 3,
      validation: loader,
      metrics: { accuracy: new Accuracy() },
      callbacks: [
        report(file, { title: 'A <small> run', classes: ['a', 'b & c', 'd'], seed: 7, facts: { note: 'none' } }),
      ],
    })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('<h1>A &lt;small&gt; run</h1>')
    for (const part of [
      'Loss of each step',
      'Accuracy of each epoch',
      'Confusion',
      'Worst mistakes',
      'Learning rate',
    ]) {
      expect(text, part).toContain(part)
    }
    expect(text).toContain('b &amp; c')
    expect(text).toContain('<th>seed</th><td>7</td>')
    expect(text).toContain(`Fovea ${VERSION}`)
    expect(text).toMatch(/data:image\/png;base64,[\w+/=]+/)
    expect(text).not.toMatch(/(src|href)="(?!data:)|<script|NaN|undefined|\[object/)
    expect(text.match(/<(\w+)/g)!.filter((tag) => tag === '<table').length).toBe(text.match(/<\/table>/g)!.length)
  })

  test('models that are no classifiers have curves and layers', async () => {
    const model = new nn.Linear(1, 1)
    const file = join(dir, 'plain.html')
    const data = [[tensor([[1], [2]]), tensor([[2], [4]])]]
    await fit(model, data, {
      loss: F.mseLoss,
      optimizer: new optim.SGD(model, { lr: 0.1 }),
      epochs: 1,
      validation: data,
      callbacks: [report(file)],
    })
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('<code>Linear</code>')
    expect(text).not.toContain('Confusion')
  })

  test('models of integers have their layers; without validation there are no shapes', async () => {
    const model = new nn.Sequential(new nn.Embedding(5, 4), new nn.Flatten(), new nn.Linear(8, 3))
    const data = [
      [
        tensor(
          [
            [1, 2],
            [3, 4],
          ],
          { dtype: 'i32' },
        ),
        tensor([0, 2], { dtype: 'i32' }),
      ],
    ]
    const history = { epochs: [], best: null, stopped: 'epochs' as const }
    const file = join(dir, 'tokens.html')
    await writeReport(file, { model, history, steps: [], device: 'cpu', validation: data })
    const text = readFileSync(file, 'utf8')
    for (const part of ['[N, 2, 4]', '[N, 8]', '[N, 3]', '>20<', '>27<', '>47<', 'Confusion'])
      expect(text).toContain(part)
    await writeReport(file, { model, history, steps: [], device: 'cpu' })
    expect(readFileSync(file, 'utf8')).not.toContain('[N,')
  })

  test('a place that can not be written to is a DataError', async () => {
    const history = { epochs: [], best: null, stopped: 'epochs' as const }
    const run = { model: new nn.Linear(1, 1), history, steps: [], device: 'cpu' }
    writeFileSync(join(dir, 'file'), '')
    await expect(writeReport(join(dir, 'file', 'report.html'), run)).rejects.toThrow(DataError)
    await expect(writeReport('', run)).rejects.toThrow(ArgumentError)
  })

  test('the version is that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(VERSION).toBe(version)
  })
})

describe('parts', () => {
  test('ticks are round numbers within the range', () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(ticks(0.013, 0.094, 4)).toEqual([0.02, 0.04, 0.06, 0.08])
    expect(ticks(3, 3, 5)).toEqual([3])
    expect(ticks(-1200, 900, 4)).toEqual([-1000, -500, 0, 500])
  })

  test('long lines are thinned to means, and points that are no numbers left out', () => {
    const points = Array.from({ length: 1000 }, (_, i) => [i, i % 2] as const)
    const thin = thinned(points)
    expect(thin.length).toBeLessThanOrEqual(400)
    expect(thin.slice(0, -1).every(([, y]) => y > 0.2 && y < 0.8)).toBe(true)
    const chart = { title: 't', x: 'x', format: String, series: [{ name: 's', points: [[0, NaN] as const] }] }
    expect(curves(chart)).toBe('')
  })

  test('a PNG has the rows it should', () => {
    const file = png([0, 1, 0.5, 0.25], [1, 2, 2])
    const at = file.indexOf('IDAT')
    const rows = inflateSync(file.subarray(at + 4, at + 4 + file.readUInt32BE(at - 4)))
    expect([...rows]).toEqual([0, 0, 255, 0, 128, 64])
  })
})
