/** Weights in safetensors files. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DataError, FormatError, full, randn, tensor, withSeed, type Tensor } from 'fovea'
import { loadWeights, saveWeights } from 'fovea/train'
import { convNet, numbers, sameBits } from './engine.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-weights-'))
afterAll(() => rmSync(dir, { recursive: true }))

const PYTHON = process.env.FOVEA_PYTHON ?? 'python3'
const reader = spawnSync(PYTHON, ['-c', 'import safetensors.numpy'], { encoding: 'utf8' })

/** One tensor of each dtype, a scalar and one without elements. */
function mixed(): Record<string, Tensor> {
  return {
    f32: tensor([1.5, -0, 3e38, 1e-45]),
    f64: tensor([[Math.PI], [-1e-300]], { dtype: 'f64' }),
    i32: tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: 'i32' }),
    i64: tensor([-(2n ** 63n), 2n ** 63n - 1n]),
    u8: tensor([0, 255], { dtype: 'u8' }),
    bool: tensor([true, false]),
    scalar: full([], 7),
    none: randn([0, 3]),
    'a.name with spaces "and" ü': tensor([1]),
  }
}

describe('safetensors', () => {
  test('a model comes back to the bit from its file', async () => {
    const file = join(dir, 'model.safetensors')
    const [a, b] = [withSeed(1, () => convNet()), withSeed(2, () => convNet())]
    a.forward(randn([4, 1, 8, 8]))
    await saveWeights(a, file, { format: 'pt' })
    expect(b.loadStateDict(await loadWeights(file))).toEqual({ missing: [], unexpected: [] })
    const [before, after] = [a.stateDict(), b.stateDict()]
    for (const [key, value] of Object.entries(before)) {
      expect(sameBits(value.dataSync(), after[key]!.dataSync()), key).toBe(true)
    }
  })

  test('every dtype, scalars and empty tensors survive', async () => {
    const file = join(dir, 'mixed.safetensors')
    const given = mixed()
    await saveWeights(given, file)
    const read = await loadWeights(file)
    expect(Object.keys(read).toSorted()).toEqual(Object.keys(given).toSorted())
    for (const [name, x] of Object.entries(given)) {
      const y = read[name]!
      expect([y.dtype, y.shape], name).toEqual([x.dtype, x.shape])
      expect(sameBits(x.dataSync(), y.dataSync()), name).toBe(true)
    }
  })

  test('the header is what the format says: a length, JSON, and offsets without gaps', async () => {
    const file = join(dir, 'header.safetensors')
    await saveWeights({ b: tensor([1, 2]), a: tensor([3], { dtype: 'f64' }) }, file, { who: 'test' })
    const bytes = readFileSync(file)
    const length = Number(bytes.readBigUInt64LE(0))
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<string, never>
    const { __metadata__: metadata, ...entries } = header
    expect(metadata).toEqual({ who: 'test' })
    const spans = Object.values(entries as Record<string, { data_offsets: [number, number] }>)
      .map((e) => e.data_offsets)
      .toSorted((p, q) => p[0] - q[0])
    expect(spans[0]![0]).toBe(0)
    expect(spans[1]![0]).toBe(spans[0]![1])
    expect(spans[1]![1]).toBe(bytes.length - 8 - length)
    expect((8 + length) % 8).toBe(0)
  })

  test.skipIf(reader.status !== 0)(
    'safetensors for Python opens the file (skipped where it is not installed)',
    async () => {
      const file = join(dir, 'python.safetensors')
      await saveWeights(mixed(), file, { format: 'pt' })
      const program = [
        'import json, sys',
        'from safetensors.numpy import load_file',
        'print(json.dumps({k: [str(v.dtype), list(v.shape), v.flatten().tolist()] for k, v in load_file(sys.argv[1]).items()}))',
      ].join('\n')
      const { stdout, stderr } = spawnSync(PYTHON, ['-c', program, file], { encoding: 'utf8' })
      expect(stderr).toBe('')
      const read = JSON.parse(stdout) as Record<string, [string, number[], number[]]>
      expect(Object.keys(read)).toHaveLength(9)
      expect(read.f64).toEqual(['float64', [2, 1], [Math.PI, -1e-300]])
      expect(read.f32).toEqual(['float32', [4], numbers(mixed().f32!)])
      expect(read.bool).toEqual(['bool', [2], [true, false]])
      expect(read.none).toEqual(['float32', [0, 3], []])
    },
  )

  const broken: [string, (good: Buffer) => Buffer][] = [
    ['cut off', (good) => good.subarray(0, good.length - 1)],
    ['with bytes too many', (good) => Buffer.concat([good, Buffer.from([0])])],
    [
      'with a header longer than the file',
      (good) => Buffer.concat([Buffer.from('ffffffffffffff7f', 'hex'), good.subarray(8)]),
    ],
    ['with a header that is no JSON', (good) => Buffer.from(good).fill('x', 8, 20)],
    ['empty', () => Buffer.alloc(0)],
  ]
  test.each(broken)('a file %s is a FormatError that names it', async (_, spoil) => {
    const file = join(dir, 'broken.safetensors')
    await saveWeights({ a: tensor([1, 2, 3]) }, file)
    writeFileSync(file, spoil(readFileSync(file)))
    const error = await loadWeights(file).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as Error).message).toContain('broken.safetensors')
  })

  test('a missing file is a DataError; a failed save leaves the old file', async () => {
    await expect(loadWeights(join(dir, 'none.safetensors'))).rejects.toThrow(DataError)
    const file = join(dir, 'kept.safetensors')
    await saveWeights({ a: tensor([1]) }, file)
    const gone = tensor([2])
    gone.dispose()
    await expect(saveWeights({ a: gone }, file)).rejects.toThrow(/disposed/)
    expect(numbers((await loadWeights(file)).a!)).toEqual([1])
  })
})
