/** Event files; test/reference/event_files.py made the one they are compared with. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ArgumentError, DataError, F, nn, ones, optim, tensor } from 'fovea'
import { Accuracy, fit, tensorBoard, TensorBoardWriter } from 'fovea/train'
import { crc32c } from '../../ts/train/tensorboard.ts'
import { root } from '../child.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-events-'))
afterAll(() => rmSync(dir, { recursive: true }))
const script = join(root, 'test', 'reference', 'event_files.py')

test('CRC-32C gives the check value of its specification', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa) // RFC 3720, B.4
})

test("the file is byte for byte that of TensorBoard's writer", () => {
  let seconds = 1_700_000_000 - 0.5
  const writer = new TensorBoardWriter(dir, () => (seconds += 1))
  writer.scalar('train/loss', 0.1, 1)
  writer.scalar('ü', -2.5, 300)
  writer.histogram('weights', [0, 1, NaN, 2, 4], 2)
  writer.histogram('nothing', [Infinity], 2)
  writer.close()
  const expected = readFileSync(join(root, 'test', 'reference', 'event_files.tfevents'))
  expect(readFileSync(writer.file).equals(expected)).toBe(true)
})

const python = [process.env.FOVEA_PYTHON, 'python3'].find(
  (program) => program && spawnSync(program, ['-c', 'import tensorboard']).status === 0,
)

test('a run has the figures of its steps and epochs', async () => {
  const model = new nn.Linear(2, 2)
  const batch = [ones([3, 2]), tensor([0, 1, 1], { dtype: 'i32' })]
  const where = join(dir, 'run')
  await fit(model, [batch, batch], {
    loss: F.crossEntropy,
    optimizer: new optim.SGD(model, { lr: 0.5 }),
    epochs: 2,
    validation: [batch],
    metrics: { accuracy: new Accuracy() },
    callbacks: [tensorBoard(where, { histograms: true })],
  })
  const [name] = readdirSync(where)
  expect(name).toMatch(/^events\.out\.tfevents\.\d+\./)
  const text = readFileSync(join(where, name!), 'latin1')
  for (const tag of ['step/loss', 'step/lr', 'train/accuracy', 'validation/loss', 'weight', 'bias']) {
    expect(text, tag).toContain(tag)
  }
  if (!python) console.log('reading it with TensorBoard: skipped, since it is not installed')
  const read = python
    ? (JSON.parse(execFileSync(python, [script, join(where, name!)], { encoding: 'utf8', stdio: 'pipe' })) as {
        scalars: Record<string, [number, number][]>
        histograms: Record<string, [number, number][]>
      })
    : null
  expect(read?.scalars['step/lr'] ?? [1, 2, 3, 4].map((i) => [i, 0.5])).toEqual([1, 2, 3, 4].map((i) => [i, 0.5]))
  expect(read?.histograms.weight ?? [1, 2].map((i) => [i, 4])).toEqual([1, 2].map((i) => [i, 4]))
}, 60_000)

test('folders that can not be made and steps that are none are refused', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(() => new TensorBoardWriter(join(dir, 'file', 'in'))).toThrow(DataError)
  expect(() => new TensorBoardWriter('')).toThrow(ArgumentError)
  const writer = new TensorBoardWriter(dir)
  expect(() => writer.scalar('a', 1, -1)).toThrow(/step must be a whole number from 0 on, got -1/)
  writer.close()
})
