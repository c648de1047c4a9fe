/** Data sets in memory: what they hold, and where their batches are made. */
import { describe, expect, test } from 'vitest'
import { tensor, type Tensor } from 'fovea'
import { TensorDataset } from 'fovea/data'
import { numbers } from '../engine.ts'
import { gpuFor, on } from '../gpu.ts'

const gpu = await gpuFor('batches on a GPU')
const ITEMS = 7
const STEP = 6

/** `values` of every kind that may be scaled, and the kinds that may not. */
const columns = {
  u8: Uint8Array.from({ length: ITEMS * STEP }, (_, i) => (i * 37) % 256),
  i32: Int32Array.from({ length: ITEMS * STEP }, (_, i) => i * 7919 - 100_000),
  f32: Float32Array.from({ length: ITEMS * STEP }, (_, i) => Math.sin(i) * 10),
  f64: Float64Array.from({ length: ITEMS * STEP }, (_, i) => Math.cos(i) / 3),
  i64: BigInt64Array.from({ length: ITEMS * STEP }, (_, i) => BigInt(i) * 2n ** 40n),
}
const kinds = Object.entries(columns)

describe('TensorDataset', () => {
  test.each(kinds)('rows of %s are what they were', async (kind, data) => {
    const set = new TensorDataset<[Tensor]>({ data, shape: [2, 3] })
    const [x] = await set.batch([5, 0, 5])
    expect([x.shape, x.dtype]).toEqual([[3, 2, 3], kind])
    const row = (i: number) => [...data.subarray(i * STEP, (i + 1) * STEP)]
    expect([...(await x.data())]).toEqual([...row(5), ...row(0), ...row(5)])
    const [one] = set.get(6)
    expect([one.shape, [...one.dataSync()]]).toEqual([[2, 3], row(6)])
  })

  test.each(kinds.filter(([kind]) => kind !== 'i64'))('%s times a scale is rounded once', async (_, data) => {
    const scale = 1 / 255
    const set = new TensorDataset<[Tensor]>({ data, shape: [STEP], scale })
    const expected = Float32Array.from(data as Float32Array, (v) => v * scale)
    const order = [3, 1, 4, 1, 5]
    const [x] = await set.batch(order)
    expect(x.dataSync()).toEqual(
      Float32Array.from(order.flatMap((i) => [...expected.subarray(i * STEP, (i + 1) * STEP)])),
    )
    expect(set.get(2)[0].dataSync()).toEqual(expected.subarray(2 * STEP, 3 * STEP))
  })

  test('has a copy of what it was given', async () => {
    const data = Float32Array.of(1, 2, 3)
    const x = tensor([4, 5, 6])
    const set = new TensorDataset<[Tensor, Tensor]>({ data, shape: [] }, x)
    data.fill(0)
    x.dispose()
    const [a, b] = await set.batch([2, 0])
    expect([numbers(a), numbers(b)]).toEqual([
      [3, 1],
      [6, 4],
    ])
  })

  test('batches are put together while this thread does something else', async () => {
    const set = new TensorDataset<[Tensor]>({ data: new Float32Array(2 ** 23), shape: [2 ** 13] })
    const order = Int32Array.from({ length: set.length }, (_, i) => (i * 37) % set.length)
    const shares: number[] = []
    for (let i = 0; i < 7; i++) {
      const began = performance.now()
      const batch = set.batch(order) // 32 MiB
      const asked = performance.now()
      const [x] = await batch
      shares.push((asked - began) / (performance.now() - began))
      x.dispose()
    }
    expect(Math.min(...shares)).toBeLessThan(0.25)
  })

  test.skipIf(!gpu)('gives batches where new tensors are made', async () => {
    const set = new TensorDataset<[Tensor]>({ data: columns.u8, shape: [STEP], scale: 0.5 })
    await on('gpu', async () => {
      const [x] = await set.batch([1, 2])
      expect([x.device, [...(await x.data())]]).toEqual(['gpu', Array.from(columns.u8.subarray(6, 18), (v) => v / 2)])
      expect(set.get(0)[0].device).toBe('gpu')
    })
  })
})
