/** `fovea report`. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { F, nn, optim, tensor } from 'fovea'
import { fit, saveWeights } from 'fovea/train'
import { fovea } from './command.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-report-'))
const run = join(dir, 'digits')
beforeAll(async () => {
  const model = new nn.Linear(2, 3)
  const batch = [tensor([[1, 2]]), tensor([1], { dtype: 'i32' })]
  const optimizer = new optim.SGD(model, { lr: 0.1 })
  await fit(model, [batch], { loss: F.crossEntropy, optimizer, epochs: 3, checkpoint: { dir: run } })
})
afterAll(() => rmSync(dir, { recursive: true }))

test('is written from the checkpoint where there is none, and kept where there is one', async () => {
  const file = join(run, 'report.html')
  const first = await fovea(['report', run])
  expect([first.code, first.stdout, first.stderr]).toEqual([0, `${file}\n`, ''])
  const text = readFileSync(file, 'utf8')
  expect(text).toContain('<title>digits</title>')
  expect(text).toContain('Loss of each epoch')
  expect(text).toContain('9 elements in 2 tensors')
  writeFileSync(file, 'written by fit')
  expect((await fovea(['report', run])).stdout).toBe(`${file}\n`)
  expect(readFileSync(file, 'utf8')).toBe('written by fit')
})

test('--out writes another one, with a title', async () => {
  const file = join(dir, 'elsewhere.html')
  const { code, stdout } = await fovea(['report', run, '--out', file, '--title', 'Digits & <more>'])
  expect([code, stdout]).toEqual([0, `${file}\n`])
  expect(readFileSync(file, 'utf8')).toContain('<title>Digits &amp; &lt;more&gt;</title>')
})

test.skipIf(process.platform !== 'linux')('--open hands it to the browser', async () => {
  const programs = join(dir, 'programs')
  const seen = join(dir, 'seen')
  mkdirSync(programs)
  writeFileSync(join(programs, 'xdg-open'), `#!/bin/sh\necho "$1" > ${seen}\n`)
  chmodSync(join(programs, 'xdg-open'), 0o755)
  const env = { PATH: [programs, process.env.PATH].join(delimiter) }
  expect((await fovea(['report', run, '--open'], { env })).code).toBe(0)
  for (let i = 0; i < 100 && !existsSync(seen); i++) await new Promise((done) => setTimeout(done, 50))
  expect(readFileSync(seen, 'utf8')).toBe(`${join(run, 'report.html')}\n`)
})

test('folders without a run are errors of one line', async () => {
  const bare = join(dir, 'bare')
  mkdirSync(bare)
  const weights = join(dir, 'weights')
  await saveWeights(new nn.Linear(1, 1), join(weights, 'last.safetensors'))
  const cases: [string, RegExp][] = [
    [join(dir, 'nowhere'), /DataError: report: .*nowhere does not exist/],
    [bare, /DataError: report: .*bare has neither a report\.html nor a checkpoint/],
    [weights, /FormatError: .*last\.safetensors holds weights, but no run/],
  ]
  for (const [folder, message] of cases) {
    const { code, stdout, stderr } = await fovea(['report', folder])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  }
})
