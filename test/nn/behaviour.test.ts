/** What layers do beyond formulas that a fixture can hold. */
import { describe, expect, test } from 'vitest'
import { F, manualSeed, nn, ones, optim, randn, tensor, zeros, type Tensor } from 'fovea'
import { failure, numbers } from '../engine.ts'

/** Mean and standard deviation. */
function moments(x: Tensor): [number, number] {
  return [x.mean().itemSync(), x.std().itemSync()]
}

describe('dropout', () => {
  test('dropout2d drops whole channels and keeps the mean', () => {
    manualSeed(5)
    const y = F.dropout2d(ones([100, 50, 2, 3]), 0.4)
    const channels = y.reshape([5000, 6])
    expect(numbers(channels.max({ dim: 1 }))).toEqual(numbers(channels.min({ dim: 1 })))
    // 5,000 channels of deviation 0.816: the mean's is 0.0115.
    expect(Math.abs(y.mean().itemSync() - 1)).toBeLessThan(0.06)
  })

  test('stochasticDepth drops items, or all of them', () => {
    manualSeed(9)
    const rows = numbers(F.stochasticDepth(ones([4000, 2]), 0.2))
    expect(new Set(rows)).toEqual(new Set([0, 1.25]))
    expect(rows.every((v, i) => v === rows[i - (i % 2)])).toBe(true)
    // 4,000 draws of deviation 0.5.
    expect(Math.abs(rows.reduce((a, b) => a + b) / 8000 - 1)).toBeLessThan((5 * 0.5) / Math.sqrt(4000))
    const whole = Array.from({ length: 50 }, () => numbers(F.stochasticDepth(ones([3]), 0.5, { mode: 'batch' })))
    expect(whole.every(([a, b, c]) => a === b && b === c)).toBe(true)
    expect(new Set(whole.flat())).toEqual(new Set([0, 2]))
  })

  test('alphaDropout keeps mean 0 and variance 1', () => {
    manualSeed(6)
    const [mean, deviation] = moments(F.alphaDropout(randn([200_000]), 0.3))
    // 200,000 draws: 5 / √200,000 = 0.011 for the mean, less than that for the deviation.
    expect(Math.abs(mean)).toBeLessThan(0.012)
    expect(Math.abs(deviation - 1)).toBeLessThan(0.012)
  })

  test.each([new nn.Dropout(0.5), new nn.Dropout2d(0.5), new nn.AlphaDropout(0.5), new nn.StochasticDepth(0.9)])(
    'is off in evaluation (%#)',
    (layer) => {
      const x = randn([2, 3, 4, 4])
      expect(numbers(layer.eval().forward(x))).toEqual(numbers(x))
      expect(numbers(layer.train().forward(x))).not.toEqual(numbers(x))
    },
  )
})

test('SELU keeps mean 0 and variance 1 through 50 layers', () => {
  manualSeed(7)
  let x = randn([512, 256])
  for (let i = 0; i < 50; i++) x = F.selu(x.matmul(randn([256, 256]).mul(1 / 16)))
  const [mean, deviation] = moments(x)
  // A fixed point of large layers; at width 256 single runs stay within a tenth of it.
  expect(Math.abs(mean)).toBeLessThan(0.1)
  expect(Math.abs(deviation - 1)).toBeLessThan(0.1)
})

test('RReLU draws a slope for each element', () => {
  manualSeed(8)
  const slopes = numbers(new nn.RReLU(0.1, 0.3).forward(ones([1000]).neg())).map((y) => -y)
  expect(slopes.every((s) => s >= 0.1 && s <= 0.3)).toBe(true)
  // 1,000 draws of deviation 0.2 / √12.
  expect(Math.abs(slopes.reduce((a, b) => a + b) / 1000 - 0.2)).toBeLessThan((5 * 0.0577) / Math.sqrt(1000))
  expect(new Set(slopes).size).toBeGreaterThan(990)
})

test('folding what was unfolded counts each element once for each of its windows', () => {
  const x = randn([1, 2, 4, 4])
  const options = { padding: 1 }
  const back = F.fold(F.unfold(x, 3, options), 4, 3, options)
  const windows = F.fold(F.unfold(ones([1, 2, 4, 4]), 3, options), 4, 3, options)
  const wanted = numbers(x.mul(windows))
  numbers(back).forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 4))
  expect(Math.max(...numbers(windows))).toBe(9)
})

test('maxout is the largest of its linear maps', () => {
  const layer = new nn.Maxout(3, 2, 4)
  const x = randn([5, 3])
  const all = layer.linear.forward(x).reshape([5, 2, 4])
  expect(numbers(layer.forward(x))).toEqual(numbers(all.max({ dim: 2 })))
  expect(layer.forward(x).shape).toEqual([5, 2])
})

test('global pooling takes any number of dimensions', () => {
  const x = randn([2, 3, 4, 5, 6])
  expect(numbers(new nn.GlobalMaxPool().forward(x))).toEqual(numbers(x.max({ dim: [2, 3, 4] })))
  const means = numbers(x.mean({ dim: [2, 3, 4] }))
  numbers(new nn.GlobalAvgPool().forward(x)).forEach((v, i) => expect(v).toBeCloseTo(means[i]!, 5))
})

describe('containers', () => {
  test('a module of a Sequential is exchanged by position or name', () => {
    const model = new nn.Sequential({ stem: new nn.Linear(4, 8), head: new nn.Linear(8, 10) })
    model.set(-1, new nn.Linear(8, 3)).set('stem', new nn.Linear(2, 8))
    expect(model.forward(zeros([1, 2])).shape).toEqual([1, 3])
    expect(Object.keys(model.stateDict())).toEqual(['stem.weight', 'stem.bias', 'head.weight', 'head.bias'])
    expect(() => model.set(2, new nn.ReLU())).toThrow(/there is no module 2/)
    expect(() => model.set(0, zeros([1]) as never)).toThrow(/module must be a Module/)
  })

  test('a weight that two layers share is trained once and stands under both keys', async () => {
    class Tied extends nn.Module {
      embedding = new nn.Embedding(10, 4)
      head = new nn.Linear(4, 10, { bias: false })
      constructor() {
        super()
        this.head.weight = this.embedding.weight
      }
      forward(ids: Tensor): Tensor {
        return this.head.forward(this.embedding.forward(ids))
      }
    }
    const model = new Tied()
    expect(model.parameters()).toEqual([model.embedding.weight])
    expect(Object.keys(model.stateDict())).toEqual(['embedding.weight', 'head.weight'])
    const ids = tensor([1, 2], { dtype: 'i32' })
    model.forward(ids).sum().backward()
    const [gradient, ...others] = model.parameters().map((p) => p.grad!)
    expect([gradient!.shape, others]).toEqual([[10, 4], []])
    await new optim.SGD(model, { lr: 0.1 }).step()
    const { 'embedding.weight': a, 'head.weight': b } = model.stateDict()
    expect(await a!.data()).toEqual(await b!.data())
  })

  test('a dict and a list have the keys of PyTorch', () => {
    class Model extends nn.Module {
      heads = new nn.ModuleDict({ age: new nn.Linear(2, 1), kind: new nn.Linear(2, 3, { bias: false }) })
      scales = new nn.ParameterList([new nn.Parameter([1]), new nn.Parameter([2, 3])])
      shifts = new nn.ParameterDict({ age: new nn.Parameter([0]) }).set('kind', new nn.Parameter([4]))

      forward(x: Tensor): Tensor {
        return this.heads.get('age')!.forward(x).mul(this.scales.at(0)!).add(this.shifts.get('age')!)
      }
    }
    const model = new Model()
    const keys = ['heads.age.weight', 'heads.age.bias', 'heads.kind.weight', 'scales.0', 'scales.1']
    keys.push('shifts.age', 'shifts.kind')
    expect(Object.keys(model.stateDict())).toEqual(keys)
    expect(model.forward(ones([4, 2])).shape).toEqual([4, 1])
    expect([model.heads.length, model.scales.length, model.shifts.length]).toEqual([2, 2, 2])
  })

  test('what they cannot hold is refused', () => {
    expect(() => new nn.ModuleDict({ 'a.b': new nn.Linear(1, 1) })).toThrow(/name without dots/)
    expect(() => new nn.ModuleDict({ a: 1 as never })).toThrow(/a must be a Module/)
    expect(() => new nn.ParameterList([ones([1]) as never])).toThrow(/parameters\[0\] must be a Parameter/)
    expect(() => new nn.ParameterDict({ a: ones([1]) as never })).toThrow(/a must be a Parameter/)
    expect(() => new nn.ParameterDict({ '': new nn.Parameter([1]) })).toThrow(/name without dots/)
  })
})

test('arguments that do not fit are refused by name', () => {
  const message = (work: () => unknown) => failure(work).message
  const x = randn([1, 2, 4, 4])
  expect(message(() => new nn.Conv2d(2, 3, 3, { paddingMode: 'mirror' as 'reflect' }))).toMatch(/paddingMode must be/)
  expect(message(() => new nn.ReflectionPad2d(4).forward(x))).toMatch(/4 elements don't fit mode 'reflect'/)
  expect(message(() => F.conv2d(x, randn([1, 2, 3, 3]), { padding: 'same', stride: 2 }))).toMatch(/stride isn't 1/)
  expect(message(() => F.convTranspose2d(x, randn([3, 1, 2, 2])))).toMatch(/x must be of 3 channels/)
  const window = randn([2, 1, 2, 2])
  expect(message(() => F.convTranspose2d(x, window, { stride: 0 }))).toMatch(/stride must be a whole number from 1 on/)
  expect(message(() => F.convTranspose2d(x, window, { padding: 9 }))).toMatch(
    /padding must be small enough to leave an image/,
  )
  expect(message(() => new nn.Conv2d(1, 1, [3] as never))).toMatch(
    /kernel must be a whole number from 1 on, or 2 of them/,
  )
  expect(message(() => new nn.BatchNorm1d(3).forward(x))).toMatch(/must be \[N, 3\] or \[N, 3, L\], got \[1, 2, 4, 4\]/)
  expect(message(() => new nn.GroupNorm(2, 3))).toMatch(/channels must be a multiple of groups/)
  expect(message(() => new nn.RMSNorm(3).forward(x))).toMatch(/x must be of a shape that ends with \[3\]/)
  expect(message(() => F.pixelShuffle(x, 2))).toMatch(/factor must be a whole number whose square divides/)
  expect(message(() => F.conv3d(randn([1, 2, 2, 4, 4]), randn([1, 2, 3, 1, 1])))).toMatch(/no deeper than the padded/)
  expect(message(() => F.channelShuffle(x, 3))).toMatch(/groups must be a divisor of the 2 channels/)
})
