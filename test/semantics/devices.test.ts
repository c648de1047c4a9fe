/** S3: tensors of several devices; machines without a GPU. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeviceError, devices, F, grad, nn, ones, tensor, useDevice, zeros, type Tensor } from 'fovea'
import { resultOf } from '../child.ts'
import { failure, numbers } from '../engine.ts'
import { gpuFor, on } from '../gpu.ts'

const gpu = await gpuFor('S3 on the GPU')
const there = { device: 'gpu' } as const

describe.skipIf(!gpu)('S3: devices', () => {
  const cases: [name: string, make: () => Tensor, expected: object][] = [
    ['add', () => ones([2]).add(ones([2], there)), { op: 'add', argument: 'b', expected: 'cpu', received: 'gpu' }],
    ['where', () => F.where(ones([2], there).gt(0), ones([2]), 0), { op: 'where', argument: 'a', received: 'cpu' }],
    ['concat', () => F.concat([ones([2]), ones([2]), ones([2], there)]), { op: 'concat', argument: 'tensors[2]' }],
    [
      'crossEntropy',
      () => F.crossEntropy(zeros([1, 2]), tensor([0], { dtype: 'i32', ...there })),
      { argument: 'target' },
    ],
  ]

  test.each(cases)('S3: mixing devices is an error of the call (%s)', (_, make, expected) => {
    const error = failure(make)
    expect(error).toBeInstanceOf(DeviceError)
    expect(error).toMatchObject(expected)
  })

  test('S3: the error names op, both tensors and their devices, what to do, and the layer', () => {
    const model = new nn.Sequential({ head: new nn.Linear(3, 2) })
    expect(failure(() => ones([2]).add(ones([2], there))).message).toBe(
      "add: a is on cpu, b on gpu; move one of them with to('cpu') or to('gpu')",
    )
    expect(failure(() => model.forward(ones([1, 3], there))).message).toMatch(
      /^matmul: a is on gpu, b on cpu; move one of them .* \(in head\)$/,
    )
  })

  test('S3: numbers go with either device', () => {
    for (const x of [tensor([1, 2]), tensor([1, 2], there)]) {
      const y = x.mul(2).add(1).maximum(4)
      expect([y.device, numbers(y)]).toEqual([x.device, [4, 5]])
      expect(numbers(F.sub(1, x))).toEqual([0, -1])
    }
  })

  test('S3: useDevice moves nothing that exists', async () => {
    const x = tensor([1, 2])
    const made = await on('gpu', () => [x.add(1), ones([2])] as const)
    expect([x.device, made[0].device, made[1].device, ones([1]).device]).toEqual(['cpu', 'cpu', 'gpu', 'cpu'])
    expect(numbers(made[0])).toEqual([2, 3])
  })

  test('S3: to(device) is differentiable, there and back', () => {
    const w = new nn.Parameter([1, 2, 3])
    w.to('gpu').square().to('cpu').mul(w).sum().backward() // w³
    expect([w.grad!.device, numbers(w.grad!)]).toEqual(['cpu', [3, 12, 27]])
  })

  // Incoming gradients, and constants that rules make, once went to the default device and so met other ones.
  test.each(['cpu', 'gpu'] as const)('S3: what a gradient needs is made where its value is (default %s)', (other) => {
    return on(other, () => {
      for (const device of ['cpu', 'gpu'] as const) {
        const w = new nn.Parameter(tensor([[0.5, -1, 2, 4]], { device }))
        const [here, away] = [w, w.to(device === 'cpu' ? 'gpu' : 'cpu')]
        for (const x of [here, away]) {
          const target = tensor([1], { dtype: 'i32', device: x.device })
          const loss = F.crossEntropy(F.gelu(x), target)
            .add(x.sum().pow(3))
            .add(x.prod({ dim: 1 }).sum())
            .add(x.max())
          const [first] = grad(loss, w, { createGraph: true })
          const [second] = grad(first!.square().sum(), w)
          expect([first!.device, second!.device]).toEqual([device, device])
          expect([...numbers(first!), ...numbers(second!)].every(Number.isFinite)).toBe(true)
        }
        w.square().sum().backward()
        expect([w.grad!.device, numbers(w.grad!)]).toEqual([device, [1, -2, 4, 8]])
      }
    })
  })

  test('S3: second derivatives agree across devices', () => {
    const values = [1.5, -0.5, 2]
    const hessianRow = (move: (w: Tensor) => Tensor) => {
      const w = new nn.Parameter(values)
      const [g] = grad(F.gelu(move(w)).pow(2).sum(), w, { createGraph: true })
      return numbers(grad(g!.sum(), w)[0]!)
    }
    const here = hessianRow((w) => w)
    hessianRow((w) => w.to('gpu')).forEach((v, i) => expect(v).toBeCloseTo(here[i]!, 4))
  })

  test('S3: a gradient of another device is refused', () => {
    const y = new nn.Parameter([1, 2]).to('gpu').mul(2)
    expect(() => y.backward(ones([2]))).toThrow(
      "backward: the gradient is on cpu, its value on gpu; move it with to('gpu')",
    )
  })

  test('S3: i64 is range-checked where it is uploaded', () => {
    const x = tensor([1n, 2n ** 40n])
    expect(() => x.to('gpu').add(1).dataSync()).toThrow(/1099511627776 at element 1 does not fit.*32-bit/)
    expect(numbers(tensor([7n]).to('gpu').add(1))).toEqual([8])
  })

  test('there is one GPU, and no other can be asked for', async () => {
    await expect(useDevice('gpu:7')).rejects.toThrow(
      "there is no gpu:7: one GPU is opened, this machine's best, as 'gpu'",
    )
    expect((await devices()).filter(({ usable }) => usable).map(({ device }) => device)).toEqual(['cpu', 'gpu'])
    expect(ones([1]).device).toBe('cpu')
  })
})

/** Whether there is a GPU other than a software one. */
const usable = (await devices()).some(({ device, name, usable: can }) => {
  return device !== 'cpu' && can && !/llvmpipe|WARP|Basic Render/.test(name)
})

describe('without a GPU', () => {
  const fallback = { auto: 'cpu', sum: 3 }
  const refused = (message: RegExp) => {
    return {
      ...fallback,
      error: { name: 'DeviceError', code: 'FOVEA_DEVICE', message: expect.stringMatching(message) },
    }
  }

  // Metal and DirectX 12 need neither drivers' files nor a loader.
  test.runIf(process.platform === 'linux')('no driver: gpu is a clear error, auto the CPU', async () => {
    const nowhere = '/nonexistent/driver.json'
    const found = await resultOf('no-gpu', { env: { VK_DRIVER_FILES: nowhere, VK_ICD_FILENAMES: nowhere } })
    expect(found).toEqual({ ...refused(/^no GPU: .*Install the GPU's driver.*or use the CPU$/), devices: ['cpu'] })
  })

  test.runIf(process.platform === 'linux')('no Vulkan loader: gpu is a clear error, auto the CPU', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fovea-loader-'))
    writeFileSync(join(folder, 'libvulkan.so.1'), '') // found first, and no library
    const found = await resultOf('no-gpu', { env: { LD_LIBRARY_PATH: folder } })
    rmSync(folder, { recursive: true })
    expect(found).toEqual({ ...refused(/^no GPU: .*libvulkan1.*or use the CPU$/), devices: ['cpu'] })
  })

  test.skipIf(usable)('software adapters are refused, with the way to allow them', async () => {
    const found = await resultOf('no-gpu', { env: { FOVEA_ALLOW_SOFTWARE_GPU: '' } })
    expect(found).toMatchObject(refused(/^no (usable GPU; found .*FOVEA_ALLOW_SOFTWARE_GPU=1|GPU: ).*or use the CPU$/))
  })
})
