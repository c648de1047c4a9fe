/** What `profile` tells of the steps that ran. */
import { describe, expect, test } from 'vitest'
import { F, nn, profile, randn, tensor } from 'fovea'

describe('profile', () => {
  test('names each step, its module and its work', async () => {
    const model = new nn.Sequential({ first: new nn.Linear(32, 16), last: new nn.Linear(16, 8) })
    const x = randn([10, 32])
    await x.data()
    const found = await profile(() => model.forward(x).data())
    const products = found.steps.filter((step) => step.kind === 'contraction')
    expect(products.map((step) => step.module)).toEqual(['first', 'last'])
    expect(products.map((step) => step.flops)).toEqual([2 * 10 * 32 * 16, 2 * 10 * 16 * 8])
    expect(products[0]).toMatchObject({ bytesRead: 4 * (10 * 32 + 32 * 16), bytesWritten: 4 * 10 * 16 })
    for (const step of found.steps) expect(step.ms).toBeGreaterThanOrEqual(0)
    const starts = found.steps.map((step) => step.startMs)
    expect(starts).toEqual(starts.toSorted((a, b) => a - b))
    expect(found.busyMs).toBeLessThanOrEqual(found.ms)
  })

  test('counts gradients to the module that they come through, and what a strided convolution skips not at all', async () => {
    const conv = new nn.Conv2d(3, 16, 3, { stride: 2, padding: 1, bias: false })
    const model = new nn.Sequential({ conv })
    const x = randn([2, 3, 8, 8], { requiresGrad: true })
    await x.data()
    const found = await profile(async () => {
      model.forward(x).sum().backward()
      await Promise.all([x.grad!.data(), conv.weight.grad!.data()])
    })
    const of = (name: string) => found.steps.find((step) => step.name === name)
    expect(of('convTranspose2d')).toMatchObject({ module: 'conv', flops: 2 * 2 * 3 * 16 * 9 * 16 })
    expect(of('conv2dWeightGradient')).toMatchObject({ module: 'conv', flops: 2 * 2 * 3 * 16 * 9 * 16 })
  })

  test('adds up by kernel and by module, and prints both', async () => {
    const x = randn([64, 64])
    await x.data()
    const found = await profile(async () => {
      for (let i = 0; i < 3; i++) await x.matmul(x).relu().data()
    })
    const rows = found.byKernel()
    expect(rows.find((row) => row.name === 'contract')?.calls).toBe(3)
    expect(rows.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1)
    expect(found.byModule().map((row) => row.name)).toEqual([''])
    expect(found.toString()).toMatch(/6 steps[^]*kernel +calls[^]*contract[^]*module +calls[^]*\(none\)/)
  })

  test('counts the copies that a change of layout costs', async () => {
    const x = randn([6, 8])
    await x.data()
    const direct = await profile(() => x.reshape([8, 6]).data())
    expect(direct.copies).toEqual([])
    const turned = await profile(() => x.transpose(0, 1).reshape([6, 8]).mul(2).data())
    expect(turned.copies.length).toBe(1)
  })

  test('gives a trace of complete events in microseconds', async () => {
    const x = randn([100])
    const found = await profile(() => x.exp().data())
    const { traceEvents } = JSON.parse(found.trace()) as { traceEvents: Record<string, unknown>[] }
    const events = traceEvents.filter((event) => event.ph === 'X')
    expect(events.length).toBe(found.steps.length)
    expect(events.at(-1)).toMatchObject({ dur: found.steps.at(-1)!.ms * 1e3, pid: 1, tid: 1 })
  })

  test('ends with what it runs, and refuses another inside', async () => {
    await expect(profile(() => profile(() => 0))).rejects.toThrow(/nested/)
    await expect(profile(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    const after = await profile(() => F.add(tensor([1, 2]), 1).data())
    expect(after.steps.length).toBe(1)
  })
})
