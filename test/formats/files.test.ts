/** Files that PyTorch, NumPy and safetensors for Python wrote; test/reference/formats.py made them. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ArgumentError, DataError, type DType, FormatError, nn, tensor, type Tensor } from 'fovea'
import { loadIdx, loadNpy, loadWeights, saveNpy, saveWeights } from 'fovea/formats'
import { resultOf, root } from '../child.ts'
import { numbers, sameBits } from '../engine.ts'

const folder = join(root, 'test', 'reference', 'formats')
const dir = mkdtempSync(join(tmpdir(), 'fovea-formats-'))
afterAll(() => rmSync(dir, { recursive: true }))

interface Values {
  dtype: string
  shape: number[]
  data: (number | string | boolean)[]
}

const reference = JSON.parse(readFileSync(join(root, 'test', 'reference', 'formats.json'), 'utf8')) as {
  files: Record<string, Record<string, Values>>
  model: { input: Values; output: Values }
}

const DTYPES: Record<string, DType> = {
  float32: 'f32',
  float64: 'f64',
  int32: 'i32',
  int64: 'i64',
  uint8: 'u8',
  bool: 'bool',
}

/** What the reference says a tensor is. */
function expectValues(name: string, x: Tensor | undefined, { dtype, shape, data }: Values): void {
  expect([name, x?.dtype, x?.shape]).toEqual([name, DTYPES[dtype], shape])
  const own = Array.from(x!.dataSync(), (v) => (typeof v === 'bigint' ? String(v) : v))
  expect(own, name).toEqual(data.map((v) => (typeof v === 'boolean' ? Number(v) : v)))
}

const read = async (file: string): Promise<Record<string, Tensor>> =>
  file.endsWith('.npy') ? { '': await loadNpy(join(folder, file)) } : loadWeights(join(folder, file))

describe('files of the reference implementations', () => {
  test.each(Object.keys(reference.files))('%s holds the same tensors', async (file) => {
    const expected = reference.files[file]!
    const tensors = await read(file)
    expect(Object.keys(tensors).toSorted()).toEqual(Object.keys(expected).toSorted())
    for (const [name, values] of Object.entries(expected)) expectValues(name, tensors[name], values)
  })

  test.each(['labels.idx', 'labels.idx.gz'])('%s holds what MNIST would', async (file) => {
    const x = await loadIdx(join(folder, file))
    expect([x.dtype, x.shape, numbers(x)]).toEqual(['u8', [4, 5], Array.from({ length: 20 }, (_, i) => i)])
  })

  test("a model with PyTorch's weights gives PyTorch's output; a prefix picks one part of a checkpoint", async () => {
    const model = new nn.Sequential(
      new nn.Conv2d(1, 2, 3, { padding: 1 }),
      new nn.BatchNorm2d(2),
      new nn.Flatten(),
      new nn.Linear(32, 3),
    )
    const { input, output } = reference.model
    const x = tensor(input.data as number[]).reshape(input.shape)
    for (const weights of [
      await loadWeights(join(folder, 'model.pth')),
      await loadWeights(join(folder, 'checkpoint.pth'), { prefix: 'model' }),
    ]) {
      model.loadStateDict(weights)
      const y = numbers(model.eval().forward(x))
      const scale = Math.max(...output.data.map((v) => Math.abs(Number(v))))
      y.forEach((v, i) => expect(Math.abs(v - Number(output.data[i])) / scale).toBeLessThan(1e-5))
    }
    await expect(loadWeights(join(folder, 'checkpoint.pth'), { prefix: 'modle' })).rejects.toThrow(
      /no name in .*checkpoint.pth begins with modle\./,
    )
  })

  const refused: [string, RegExp][] = [
    ['hostile.pth', /asks for (posix|nt)\.system, which is not read/],
    ['module.pth', /asks for torch\.nn\.modules\.linear\.Linear, which is not read/],
    ['legacy.pth', /from before version 1\.6: load and save it once in PyTorch/],
    ['objects.npy', /pickled objects/],
  ]
  test.each(refused)('%s is refused with the reason', async (file, message) => {
    const error = await read(file).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as Error).message).toMatch(message)
    expect((error as Error).message).toContain(join(folder, file))
  })
})

const every = (): Record<string, Tensor> => ({
  'a.f32': tensor([1.5, -0, 3e38, 1e-45]),
  f64: tensor([[Math.PI], [-1e-300]], { dtype: 'f64' }),
  i32: tensor([-(2 ** 31), 2 ** 31 - 1], { dtype: 'i32' }),
  i64: tensor([-(2n ** 63n), 2n ** 63n - 1n]),
  u8: tensor([0, 255], { dtype: 'u8' }),
  bool: tensor([true, false]),
  scalar: tensor(7),
  none: tensor(new Float32Array(0), { shape: [0, 3] }),
  'ü and spaces': tensor([1]),
})

/** The first Python that has torch, or null. */
const python = [process.env.FOVEA_PYTHON, 'python3'].find(
  (program) => program && spawnSync(program, ['-c', 'import torch']).status === 0,
)

describe('files of our own', () => {
  test.each(['safetensors', 'npz', 'pth', 'pt'])('every dtype survives a .%s file', async (ending) => {
    const file = join(dir, `every.${ending}`)
    await saveWeights(every(), file)
    const tensors = await loadWeights(file)
    expect(Object.keys(tensors).toSorted()).toEqual(Object.keys(every()).toSorted())
    for (const [name, x] of Object.entries(every())) {
      const y = tensors[name]!
      expect([y.dtype, y.shape], name).toEqual([x.dtype, x.shape])
      expect(sameBits(x.dataSync(), y.dataSync()), name).toBe(true)
    }
  })

  test('one tensor survives an .npy file', async () => {
    for (const x of Object.values(every())) {
      await saveNpy(x, join(dir, 'one.npy'))
      const y = await loadNpy(join(dir, 'one.npy'))
      expect([y.dtype, y.shape]).toEqual([x.dtype, x.shape])
      expect(sameBits(x.dataSync(), y.dataSync())).toBe(true)
    }
  })

  test.skipIf(!python)('PyTorch and NumPy open them (skipped where torch is not installed)', async () => {
    await saveWeights(every(), join(dir, 'ours.pth'))
    await saveWeights(every(), join(dir, 'ours.npz'))
    const program = [
      'import json, sys, torch, numpy',
      'd = torch.load(sys.argv[1], weights_only=True)',
      'n = numpy.load(sys.argv[2])',
      'assert all((n[k] == v.numpy()).all() and n[k].shape == tuple(v.shape) for k, v in d.items())',
      'print(json.dumps({k: [str(v.dtype), list(v.shape), v.flatten().tolist()] for k, v in d.items()}))',
    ].join('\n')
    const out = execFileSync(python!, ['-c', program, join(dir, 'ours.pth'), join(dir, 'ours.npz')], {
      encoding: 'utf8',
    })
    const seen = JSON.parse(out) as Record<string, unknown>
    expect(Object.keys(seen)).toEqual(Object.keys(every()))
    expect(seen.f64).toEqual(['torch.float64', [2, 1], [Math.PI, -1e-300]])
    expect(seen.bool).toEqual(['torch.bool', [2], [true, false]])
    expect(seen.none).toEqual(['torch.float32', [0, 3], []])
    expect(seen.scalar).toEqual(['torch.float32', [], [7]])
  })
})

test('each part of the library works without the others', async () => {
  const shapeOf = (part: string, file: string) => resultOf('part-alone', { args: [part, join(folder, file)] })
  expect(await shapeOf('data', 'rgb.png')).toEqual([3, 16, 24])
  expect(await shapeOf('formats', 'fortran.npy')).toEqual([2, 3, 4])
})

describe('what is asked wrongly', () => {
  test('endings that name no format, metadata where there is none, what is no tensor', async () => {
    await expect(loadWeights('weights.onnx')).rejects.toThrow(
      /ends in \.safetensors, \.npz, \.pth, \.pt, \.bin, got "weights.onnx"/,
    )
    await expect(saveWeights({}, 'weights')).rejects.toThrow(ArgumentError)
    await expect(loadNpy('x.npz')).rejects.toThrow(ArgumentError)
    await expect(saveWeights({ a: tensor([1]) }, join(dir, 'a.npz'), { who: 'me' })).rejects.toThrow(/metadata/)
    await expect(saveWeights({ a: 1 as never }, join(dir, 'a.npz'))).rejects.toThrow(/a must be a Tensor/)
    await expect(saveNpy(1 as never, join(dir, 'a.npy'))).rejects.toThrow(ArgumentError)
    await expect(loadIdx(join(dir, 'none'))).rejects.toThrow(DataError)
  })

  test('a place that can not be written to is a DataError that names the file', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    const error = await saveWeights({ a: tensor([1]) }, join(file, 'a.npz')).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DataError)
    expect((error as Error).message).toMatch(/a\.npz can't be written/)
  })
})
