/** What changes images at random while a model is trained. */
import { describe, expect, test } from 'vitest'
import { arange, manualSeed, nn, randn, tensor, type Tensor } from 'fovea'
import { failure, numbers } from '../engine.ts'

/** Images whose elements say where they stood: 1000 n + 100 c + 10 row + column, + 1. */
function numbered(n: number, channels: number, height: number, width: number): Tensor {
  const along = (count: number, step: number, shape: number[]) => arange(count).mul(step).reshape(shape)
  const planes = along(n, 1000, [n, 1, 1, 1]).add(along(channels, 100, [channels, 1, 1]))
  return planes
    .add(along(height, 10, [height, 1]))
    .add(along(width, 1, [width]))
    .add(1)
}

describe('RandomCrop', () => {
  test('in training every channel of an image gives the same part, and images different ones', () => {
    manualSeed(3)
    const x = numbered(200, 3, 6, 7)
    const y = new nn.RandomCrop([4, 3]).forward(x)
    expect(y.shape).toEqual([200, 3, 4, 3])
    const corners = numbers(y.at('...', 0, 0))
    const expected = Array.from({ length: 200 }, (_, n) => {
      const [top, left] = [Math.floor(((corners[3 * n]! - 1) % 100) / 10), (corners[3 * n]! - 1) % 10]
      return numbers(x.at(n, '...', [top, top + 4], [left, left + 3]))
    })
    expect(numbers(y)).toEqual(expected.flat())
    const places = new Set(corners.map((value) => (value - 1) % 100))
    // Three places down, five across: that one of fifteen never comes in 200 draws has a chance of 15 (14 / 15)^200 < 2e-5.
    expect([...places].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24])
  })

  test('with padding it shifts: what comes in is the fill', () => {
    manualSeed(4)
    const shifted = new nn.RandomCrop(2, { padding: 1, fill: -1 }).forward(numbered(50, 1, 2, 2))
    const rows = numbers(shifted.reshape([50, 4]).remainder(1000))
    const ways = new Set(Array.from({ length: 50 }, (_, i) => rows.slice(4 * i, 4 * i + 4).join(' ')))
    const upper = '999 999 999 1, 999 999 1 2, 999 999 2 999, 999 1 999 11, 1 2 11 12, 2 999 12 999'
    const all = `${upper}, 999 11 999 999, 11 12 999 999, 12 999 999 999`.split(', ')
    expect(all).toEqual(expect.arrayContaining([...ways]))
    expect(ways.size).toBeGreaterThan(5)
    const mirrored = new nn.RandomCrop(4, { padding: 1, paddingMode: 'reflect' }).forward(
      tensor([
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ]),
    )
    expect(numbers(mirrored)).toEqual([4, 3, 4, 3, 2, 1, 2, 1, 4, 3, 4, 3, 2, 1, 2, 1])
  })

  test('in evaluation it takes the middle', () => {
    const x = numbered(2, 1, 5, 6)
    expect(numbers(new nn.RandomCrop([3, 2]).eval().forward(x))).toEqual(numbers(x.at('...', [1, 4], [2, 4])))
    expect(numbers(new nn.RandomCrop([5, 6], { padding: 3 }).eval().forward(x))).toEqual(numbers(x))
  })

  test('a seed decides the parts', () => {
    const [x, crop] = [randn([8, 1, 5, 5]), new nn.RandomCrop(5, { padding: 2 })]
    const drawn = (seed: number) => (manualSeed(seed), numbers(crop.forward(x)))
    expect(drawn(1)).toEqual(drawn(1))
    expect(drawn(2)).not.toEqual(drawn(1))
  })

  test('gradients reach the elements that were taken', () => {
    manualSeed(5)
    const x = randn([3, 2, 4, 4], { requiresGrad: true })
    const y = new nn.RandomCrop(3).forward(x)
    y.mul(y).sum().backward()
    const [values, gradients, taken] = [numbers(x), numbers(x.grad!), new Set(numbers(y))]
    expect(gradients).toEqual(values.map((value) => (taken.has(value) ? Math.fround(2 * value) : 0)))
  })

  test('refuses what it can not crop', () => {
    expect(failure(() => new nn.RandomCrop(0))).toMatchObject({ name: 'ArgumentError', argument: 'size' })
    expect(failure(() => new nn.RandomCrop(4, { padding: -1 }))).toMatchObject({ argument: 'padding' })
    const small = failure(() => new nn.RandomCrop([4, 9], { padding: 1 }).forward(randn([1, 1, 4, 4])))
    expect(small).toMatchObject({ name: 'ShapeError', argument: 'x', received: '6 × 6', expected: 'at least 4 × 9' })
    expect(failure(() => new nn.RandomCrop(4).forward(randn([4, 4])))).toMatchObject({ argument: 'x' })
    expect(
      failure(() => new nn.RandomCrop(4, { padding: 1, paddingMode: 'x' as never }).forward(randn([1, 1, 4, 4]))),
    ).toMatchObject({ argument: 'mode' })
  })
})
