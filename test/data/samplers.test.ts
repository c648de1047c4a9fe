/** Samplers, and loaders that stop and go on. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, DataError, manualSeed, rand, tensor, type Tensor } from 'fovea'
import { DataLoader, type Dataset, SequentialSampler, TensorDataset, WeightedRandomSampler } from 'fovea/data'
import { numbers } from '../engine.ts'

const ten = () => new TensorDataset(tensor(Array.from({ length: 10 }, (_, i) => i)))

async function items(loader: AsyncIterable<readonly Tensor[]>, most = Infinity): Promise<number[][]> {
  const all: number[][] = []
  for await (const [x] of loader) if (all.push(numbers(x!)) >= most) break
  return all
}

describe('WeightedRandomSampler', () => {
  test('draws in proportion to the weights', () => {
    const counts = [0, 0, 0, 0]
    for (const i of new WeightedRandomSampler([1, 0, 3, 4], { count: 8_000 }).indices([1, 2])) counts[i]!++
    expect(counts[1]).toBe(0)
    // Expected 1,000, 3,000 and 4,000 with standard deviations of 30, 43 and 45.
    expect(Math.abs(counts[0]! - 1_000)).toBeLessThan(150)
    expect(Math.abs(counts[2]! - 3_000)).toBeLessThan(215)
    expect(Math.abs(counts[3]! - 4_000)).toBeLessThan(225)
  })

  test('without replacement draws each item once, heavy ones first', () => {
    const sampler = new WeightedRandomSampler([1, 0, 1, 1000], { count: 3, replacement: false })
    let first = 0
    for (let seed = 0; seed < 200; seed++) {
      const drawn = [...sampler.indices([seed])]
      expect(drawn.toSorted()).toEqual([0, 2, 3])
      if (drawn[0] === 3) first++
    }
    expect(first).toBeGreaterThan(190) // 998 in 1,000
  })

  test('refuses weights that can not be drawn from', () => {
    expect(() => new WeightedRandomSampler([1, -1])).toThrow(/weights\[1\] must be a finite number from 0 on, got -1/)
    expect(() => new WeightedRandomSampler([0, 0])).toThrow(/2 items can't be drawn where 0 have a weight above 0/)
    expect(() => new WeightedRandomSampler([1, 0], { replacement: false })).toThrow(ArgumentError)
    expect(() => new WeightedRandomSampler('no' as never)).toThrow(ArgumentError)
    expect(() => new DataLoader(ten(), { sampler: {} as never })).toThrow(/sampler must be a Sampler/)
    expect(() => new DataLoader(ten(), { sampler: new SequentialSampler(3), shuffle: true })).toThrow(/shuffle/)
  })

  test('a loader draws what its sampler says', async () => {
    const sampler = new WeightedRandomSampler([0, 0, 0, 0, 0, 0, 0, 1, 0, 0], { count: 3 })
    const loader = new DataLoader(ten(), { batchSize: 2, sampler })
    expect([loader.length, await items(loader)]).toEqual([2, [[7, 7], [7]]])
  })
})

describe('a saved position', () => {
  const make = () => new DataLoader(ten(), { batchSize: 3, shuffle: true })

  test('the rest of a pass and the passes after it are the same, from the library generator too', async () => {
    for (const at of [1, 2, 3]) {
      manualSeed(11)
      const loader = make()
      await items(loader, at)
      const state = JSON.parse(JSON.stringify(loader.stateDict())) as ReturnType<typeof loader.stateDict>
      manualSeed(12)
      const expected = await (async () => {
        const twin = make()
        twin.loadStateDict(state)
        return [await items(twin), await items(twin)]
      })()
      manualSeed(12)
      const other = new DataLoader(ten(), { batchSize: 3, shuffle: true, prefetch: 0 })
      other.loadStateDict(state)
      expect([await items(other), await items(other)]).toEqual(expected)
      manualSeed(11)
      const whole = await items(make())
      expect(expected[0]).toEqual(whole.slice(at))
    }
  })

  test('a pass that is over starts the next one', async () => {
    const loader = new DataLoader(ten(), { batchSize: 5, shuffle: true, seed: 3 })
    const [first, second] = [await items(loader), await items(loader)]
    const twin = new DataLoader(ten(), { batchSize: 5, shuffle: true, seed: 3 })
    await items(twin)
    expect(twin.stateDict()).toEqual({ passes: 1, seed: null, batch: 0 })
    const third = new DataLoader(ten(), { batchSize: 5, shuffle: true, seed: 3 })
    third.loadStateDict(twin.stateDict())
    expect(await items(third)).toEqual(second)
    expect(second).not.toEqual(first)
  })

  test('states that are none are refused', () => {
    expect(() => make().loadStateDict({ passes: -1, seed: null, batch: 0 })).toThrow(/passes/)
    expect(() => make().loadStateDict({ passes: 1, seed: [1, 2], batch: 9 })).toThrow(/batch must be 0 to 4, got 9/)
    expect(() => make().loadStateDict({ passes: 1, seed: 'x' as never, batch: 0 })).toThrow(/seed/)
  })

  test('random transforms follow from the pass and the item, not from how far ahead batches are made', async () => {
    const noisy = (prefetch: number) => {
      manualSeed(5)
      return new DataLoader(ten(), {
        batchSize: 2,
        shuffle: true,
        prefetch,
        transform: ([x]: Tensor[]) => [x!.add(rand([]))],
      })
    }
    const all = await items(noisy(0))
    expect(await items(noisy(4))).toEqual(all)
    const stopped = noisy(3)
    expect(await items(stopped, 2)).toEqual(all.slice(0, 2))
    const state = stopped.stateDict()
    const twin = noisy(1)
    twin.loadStateDict(state)
    expect(await items(twin)).toEqual(all.slice(2))
  })
})

describe('batches made ahead', () => {
  /** A dataset that counts which items have been asked for. */
  const counting = (fails = -1) => {
    const asked: number[] = []
    const dataset: Dataset<number> = {
      length: 20,
      get: (i) => {
        asked.push(i)
        return i === fails ? Promise.reject(new Error(`photo-${i}.jpg is torn`)) : Promise.resolve(i)
      },
    }
    return { asked, dataset }
  }

  test.each([0, 1, 4])('prefetch %i makes no more than that many ahead', async (prefetch) => {
    const { asked, dataset } = counting()
    let used = 0
    for await (const _ of new DataLoader(dataset, { prefetch })) {
      used++
      await new Promise((done) => setTimeout(done, 1))
      expect(asked.length).toBeLessThanOrEqual(used + prefetch)
      expect(asked.length).toBe(Math.min(20, used + prefetch))
    }
    expect(used).toBe(20)
  })

  test('a failure surfaces at the loop when its turn comes, with the index and the cause', async () => {
    const { dataset } = counting(3)
    const seen: number[] = []
    const loop = async () => {
      for await (const x of new DataLoader(dataset, { prefetch: 4 })) seen.push(...numbers(x))
    }
    const error = await loop().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DataError)
    expect((error as DataError).message).toBe("DataLoader: item 3 can't be loaded: photo-3.jpg is torn")
    expect((error as DataError).argument).toBe('dataset[3]')
    expect(((error as DataError).cause as Error).message).toBe('photo-3.jpg is torn')
    expect(seen).toEqual([0, 1, 2])
  })

  test('leaving the loop early leaves no unhandled rejection behind', async () => {
    const { dataset } = counting(2)
    for await (const _ of new DataLoader(dataset, { prefetch: 4 })) break
    await new Promise((done) => setTimeout(done, 5)) // vitest fails on an unhandled rejection
    expect(true).toBe(true)
  })
})
