/** `fovea summary`. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tensor, zeros } from 'fovea'
import { save, saveWeights } from 'fovea/formats'
import { root } from '../child.ts'
import { smallNet } from '../programs/small-net.ts'
import { fovea } from './command.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-summary-'))
afterAll(() => rmSync(dir, { recursive: true }))

const tensors = () => ({
  'conv.weight': zeros([8, 3, 3, 3]),
  'conv.bias': zeros([8]),
  steps: tensor([7n], { dtype: 'i64' }),
  'red\u001b[31m': tensor([1, 0], { dtype: 'u8' }),
})

test.each(['safetensors', 'npz', 'pth'])('a .%s file: names, dtypes, shapes, totals', async (ending) => {
  const file = join(dir, `weights.${ending}`)
  await saveWeights(tensors(), file)
  const { code, stdout, stderr } = await fovea(['summary', file])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^conv\.weight +f32 +\[8, 3, 3, 3\] +216$/m)
  expect(stdout).toMatch(/^steps +i64 +\[1\] +1$/m)
  expect(stdout).toMatch(/^4 tensors, 227 elements, 906 B$/m)
  expect(stdout).toContain('red\\u{1b}[31m')
  expect(stdout).not.toContain('\u001b')
})

test('layers come in the order of their numbers', async () => {
  const file = join(dir, 'layers.safetensors')
  await saveWeights(Object.fromEntries([10, 9, 1].map((i) => [`${i}.weight`, zeros([1])])), file)
  const { stdout } = await fovea(['summary', file])
  expect(stdout.match(/^\d+\.weight/gm)).toEqual(['1.weight', '9.weight', '10.weight'])
})

test.skipIf(process.platform === 'win32')('a pipe is refused rather than waited for', async () => {
  const file = join(dir, 'pipe.safetensors')
  execFileSync('mkfifo', [file])
  const { code, stderr } = await fovea(['summary', file])
  expect(code).toBe(1)
  expect(stderr).toMatch(/DataError: .*pipe\.safetensors can't be read: it is neither a file nor a folder/)
})

test('halves are told as what they are in the file, and as what they are loaded', async () => {
  const { stdout } = await fovea(['summary', join(root, 'test/reference/formats/halves.safetensors')])
  expect(stdout).toMatch(/^half +f16 → f32 /m)
  expect(stdout).toMatch(/^brain +bf16 → f32 /m)
})

test('metadata is told, and --json has everything', async () => {
  const file = join(dir, 'noted.safetensors')
  await saveWeights(tensors(), file, { trained: 'on digits' })
  expect((await fovea(['summary', file])).stdout).toMatch(/^trained +on digits$/m)
  const { stdout } = await fovea(['summary', file, '--json'])
  expect(JSON.parse(stdout)).toMatchObject({
    elements: 227,
    bytes: 906,
    metadata: { trained: 'on digits' },
    tensors: expect.arrayContaining([
      { name: 'conv.bias', dtype: 'f32', loadedAs: 'f32', shape: [8], elements: 8 },
    ]) as unknown,
  })
})

test('the folder of a saved model: which model it is, and its weights', async () => {
  const folder = join(dir, 'model')
  const model = smallNet({ width: 4, classes: 2 })
  await save(model, folder, { labels: ['cat', 'dog'] })
  const { code, stdout } = await fovea(['summary', folder])
  expect(code).toBe(0)
  expect(stdout).toMatch(new RegExp(`^model +${smallNet.modelName}$`, 'm'))
  expect(stdout).toMatch(/^labels +2: cat, dog$/m)
  const elements = Object.values(model.stateDict()).reduce((sum, { size }) => sum + size, 0)
  expect(stdout).toContain(`${elements.toLocaleString('en-US')} elements`)
})

test.each([
  ['missing.safetensors', null, /DataError: summary: .*missing\.safetensors can't be read: it does not exist/],
  ['damaged.safetensors', 'not a header at all', /FormatError: .*damaged\.safetensors/],
  ['damaged.pth', 'no zip', /FormatError: .*damaged\.pth/],
  ['notes.txt', 'text', /ArgumentError: summary: file must be a path that ends in \.safetensors/],
  [`${'long'.repeat(100)}.npz`, null, /^fovea: ENAMETOOLONG: /],
  ['.', null, /DataError: .*model\.json can't be read/],
])('%s is an error of one line', async (name, content, message) => {
  const file = join(dir, name)
  if (content !== null) writeFileSync(file, content)
  const { code, stdout, stderr } = await fovea(['summary', file])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(message)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})
