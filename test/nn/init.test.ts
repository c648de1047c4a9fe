/** Starting values: their moments and their structure. */
import { describe, expect, test } from 'vitest'
import { eye, manualSeed, nn, randn, stack, tensor, withSeed, zeros, type Tensor } from 'fovea'
import { convNet, numbers } from '../engine.ts'

describe('starting values', () => {
  const weight = () => new nn.Parameter(zeros([64, 32, 3, 3]))
  const [fanIn, fanOut] = [32 * 9, 64 * 9]
  const spread = (x: Tensor) => {
    const values = numbers(x)
    const mean = values.reduce((a, b) => a + b) / values.length
    const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)
    return { mean, deviation, most: values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) }
  }
  const { init } = nn
  const cases: [string, (p: nn.Parameter) => nn.Parameter, number][] = [
    ['kaimingUniform', (p) => init.kaimingUniform(p, { nonlinearity: 'relu' }), Math.sqrt(2 / fanIn)],
    ['kaimingNormal', (p) => init.kaimingNormal(p, { mode: 'fanOut', nonlinearity: 'relu' }), Math.sqrt(2 / fanOut)],
    ['xavierUniform', (p) => init.xavierUniform(p), Math.sqrt(2 / (fanIn + fanOut))],
    ['xavierNormal', (p) => init.xavierNormal(p, { gain: 2 }), 2 * Math.sqrt(2 / (fanIn + fanOut))],
    ['normal', (p) => init.normal(p, 0, 0.02), 0.02],
  ]
  test.each(cases)('%s has the standard deviation of its paper', (name, set, expected) => {
    manualSeed(1)
    const { mean, deviation, most } = spread(set(weight()))
    // 18,432 draws: the deviation of the mean is deviation / 136, that of the deviation below deviation / 190.
    expect(Math.abs(mean)).toBeLessThan((5 * expected) / 136)
    expect(Math.abs(deviation / expected - 1)).toBeLessThan(5 / 190)
    expect(most / expected).toBeLessThan(name.endsWith('Uniform') ? Math.sqrt(3) * 1.0001 : 6)
  })

  test('linear and convolution layers start within 1 / √fanIn, as in PyTorch', () => {
    manualSeed(1)
    for (const [layer, fan] of [
      [new nn.Linear(100, 50), 100],
      [new nn.Conv2d(8, 16, 3), 72],
    ] as const) {
      for (const p of layer.parameters()) {
        expect(spread(p).most).toBeLessThanOrEqual(1 / Math.sqrt(fan))
        expect(spread(p).most).toBeGreaterThan(0.8 / Math.sqrt(fan))
      }
    }
  })

  test('the same seed gives the same model', () => {
    const make = () => withSeed(3, () => convNet().parameters().flatMap(numbers))
    expect(make()).toEqual(make())
  })

  test('truncNormal has the moments of its distribution and stays within its bounds', () => {
    manualSeed(2)
    const { mean, deviation, most } = spread(init.truncNormal(weight(), { std: 0.5, a: -1, b: 1 }))
    // Cut off at 2 deviations, a normal distribution has 0.8796 of its deviation; 5 errors of 18,432 draws.
    expect(Math.abs(mean)).toBeLessThan((5 * 0.44) / 136)
    expect(Math.abs(deviation / (0.5 * 0.8796) - 1)).toBeLessThan(5 / 190)
    expect(most).toBeLessThanOrEqual(1)
    const off = spread(init.truncNormal(weight(), { mean: 1, a: 0, b: 3 }))
    // φ(-1) - φ(2) over Φ(2) - Φ(-1): the mean of N(1, 1) between 0 and 3.
    expect(Math.abs(off.mean - (1 + 0.18798 / 0.81859))).toBeLessThan(5 / 136)
    const wide = spread(init.truncNormal(weight(), { a: -10, b: 10 }))
    expect(Math.abs(wide.deviation - 1)).toBeLessThan(5 / 190)
  })

  test.each([
    [6, 4],
    [4, 6],
    [5, 5],
  ])('orthogonal: %d by %d has the gain as its singular values', (rows, columns) => {
    manualSeed(3)
    const w = init.orthogonal(new nn.Parameter(zeros([rows, columns])), { gain: 2 })
    const product = rows < columns ? w.matmul(w.transpose(0, 1)) : w.transpose(0, 1).matmul(w)
    const size = Math.min(rows, columns)
    const wanted = numbers(eye(size).mul(4))
    numbers(product).forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 5))
  })

  test('orthogonal directions are drawn evenly', () => {
    manualSeed(4)
    // 200 orthogonal 4 × 9 matrices: entries have mean 0 and variance 1/9.
    const all = Array.from({ length: 200 }, () => numbers(init.orthogonal(new nn.Parameter(zeros([4, 9]))))).flat()
    const { mean, deviation } = spread(tensor(all))
    expect(Math.abs(mean)).toBeLessThan(5 / 3 / Math.sqrt(7200))
    expect(Math.abs(deviation * 3 - 1)).toBeLessThan(0.001) // rows have length 1 exactly
  })

  test('sparse has its zeros in every column', () => {
    manualSeed(5)
    const w = init.sparse(new nn.Parameter(zeros([10, 7])), 0.33, 2)
    expect(numbers(w.eq(0).to('i32').sum({ dim: 0 }))).toEqual(Array.from({ length: 7 }, () => 4))
    const large = spread(init.sparse(new nn.Parameter(zeros([200, 100])), 0.5, 0.01))
    expect(Math.abs(large.deviation / (0.01 * Math.SQRT1_2) - 1)).toBeLessThan(0.03)
  })

  test('dirac hands channels on, in groups', () => {
    const x = randn([1, 2, 5, 5])
    const layer = new nn.Conv2d(2, 4, 3, { padding: 1, bias: false })
    init.dirac(layer.weight, { groups: 2 })
    const y = layer.forward(x)
    expect(numbers(y)).toEqual(numbers(stack([x, x], { dim: 1 }).reshape([1, 4, 5, 5])))
    const line = new nn.Conv1d(2, 3, 3, { padding: 1, bias: false })
    init.dirac(line.weight)
    expect(numbers(line.forward(x.at('...', 0)).at(0, 2))).toEqual([0, 0, 0, 0, 0])
  })

  test('eye, constant, zeros and ones', () => {
    const matrix = () => new nn.Parameter(randn([2, 3]))
    expect(numbers(init.eye(matrix()))).toEqual([1, 0, 0, 0, 1, 0])
    expect(numbers(init.constant(matrix(), 0.5))).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    expect(numbers(init.zeros(matrix()))).toEqual([0, 0, 0, 0, 0, 0])
    expect(numbers(init.ones(matrix()))).toEqual([1, 1, 1, 1, 1, 1])
  })

  test('parameters of other shapes, and numbers out of range, are refused', () => {
    const [vector, table] = [new nn.Parameter([1, 2]), new nn.Parameter(zeros([2, 2]))]
    expect(() => init.eye(vector)).toThrow(/parameter must be of rank 2/)
    expect(() => init.orthogonal(vector)).toThrow(/parameter must be of rank 2 or more/)
    expect(() => init.dirac(table)).toThrow(/parameter must be of rank 3 to 5/)
    expect(() => init.sparse(table, 2)).toThrow(/sparsity must be a number from 0 to 1/)
    expect(() => init.truncNormal(table, { a: 2, b: 1 })).toThrow(/b must be a number above a \(2\)/)
  })
})
