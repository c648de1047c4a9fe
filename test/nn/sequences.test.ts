/** Recurrent networks, attention and transformers against PyTorch: the cases of test/reference/sequence.py. */
import { describe, expect, test } from 'vitest'
import { F, nn, randn, tensor, zeros, type Tensor } from 'fovea'
import { failure, numbers } from '../engine.ts'
import { expectClose, given, sequenceFixtures as fixtures } from '../reference/fixtures.ts'
import { checkLayer, optionsOf, titled } from '../reference/layers.ts'

describe(`layers agree with PyTorch ${fixtures.torch}`, () => {
  test.each(titled(fixtures.layers))('%s', (_, c) => checkLayer(c))
})

describe(`scaledDotProductAttention agrees with PyTorch ${fixtures.torch}`, () => {
  test.each(fixtures.products.map((c, i) => [`${Object.keys(c.options).join(', ')} (${i})`, c] as const))(
    '%s',
    (_, c) => {
      const [q, k, v] = c.inputs.map((x) => given(x, 'f32', true)) as [Tensor, Tensor, Tensor]
      const y = F.scaledDotProductAttention(q, k, v, optionsOf(c.options))
      expectClose(y, c.output, 'the output')
      y.square().sum().backward()
      ;[q, k, v].forEach((x, i) => expectClose(x.grad!, c.gradients[i]!, `the gradient of input ${i}`))
    },
  )
})

describe('recurrent networks', () => {
  test('a sequence in two parts gives what it gives as a whole', () => {
    const layer = new nn.LSTM(3, 4, { numLayers: 2 })
    const x = randn([2, 6, 3])
    const [whole, last] = layer.forward(x)
    const [first, state] = layer.forward(x.at([], [0, 4]))
    const [second, end] = layer.forward(x.at([], [4]), state)
    const close = (a: Tensor, b: Tensor) => expectClose(a, { shape: [...b.shape], data: numbers(b) }, 'a part')
    close(first, whole.at([], [0, 4]))
    close(second, whole.at([], [4]))
    close(end[0], last[0])
    close(end[1], last[1])
    expect(last[1].shape).toEqual([2, 2, 4])
  })

  test('dropout lies between layers, in training only', () => {
    const layer = new nn.GRU(3, 4, { numLayers: 2, dropout: 0.5 })
    const x = randn([2, 5, 3])
    const once = () => numbers(layer.forward(x)[0])
    expect(once()).not.toEqual(once())
    layer.eval()
    expect(once()).toEqual(once())
  })

  test('what does not fit is refused by name', () => {
    const message = (work: () => unknown) => failure(work).message
    const layer = new nn.LSTM(3, 4)
    const x = randn([2, 5, 3])
    expect(message(() => layer.forward(randn([2, 5, 4])))).toMatch(/x must be of shape \[N, T, 3\]/)
    expect(message(() => layer.forward(x, [zeros([1, 2, 4]), zeros([1, 3, 4])]))).toMatch(
      /state\[1\] must be \[layers · directions, N, hidden\] = \[1, 2, 4\], got \[1, 3, 4\]/,
    )
    expect(message(() => layer.forward(x, zeros([1, 2, 4]) as never))).toMatch(/state must be \[h, c\]/)
    expect(message(() => layer.forward(zeros([2, 0, 3])))).toMatch(/at least one step/)
    expect(message(() => new nn.RNN(1, 1, { nonlinearity: 'sin' as 'tanh' }))).toMatch(
      /nonlinearity must be tanh or relu/,
    )
  })
})

describe('attention', () => {
  test('a query that sees nothing gives zeros and finite gradients', () => {
    const layer = new nn.MultiheadAttention(4, 2, { bias: false })
    const x = randn([1, 3, 4], { requiresGrad: true })
    const nobody = tensor([[true, true, true]])
    const [y, weights] = layer.forward(x, x, x, { keyPaddingMask: nobody })
    expect(numbers(y).every((v) => v === 0)).toBe(true)
    expect(numbers(weights!).every((v) => v === 0)).toBe(true)
    y.sum().backward()
    expect(numbers(x.grad!).every(Number.isFinite)).toBe(true)
  })

  test('without a mask, permuting the sequence permutes the output', () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0 })
    const x = randn([1, 5, 4])
    const order = tensor([3, 0, 4, 1, 2], { dtype: 'i32' })
    const permuted = layer.forward(x.indexSelect(1, order))
    const after = layer.forward(x).indexSelect(1, order)
    expectClose(permuted, { shape: [1, 5, 4], data: numbers(after) }, 'the permuted output')
  })

  test('a causal layer sees no later place', () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0 })
    const x = randn([1, 5, 4])
    const other = F.concat([x.at([], [0, 3]), randn([1, 2, 4])], { dim: 1 })
    const seen = (y: Tensor) => numbers(layer.forward(y, { causal: true }).at([], [0, 3]))
    expect(seen(other)).toEqual(seen(x))
  })

  test('encoder and decoder have the keys of PyTorch', () => {
    const make = () => new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8 })
    const encoder = new nn.TransformerEncoder(make, 2, { norm: new nn.LayerNorm(4) })
    const keys = Object.keys(encoder.stateDict())
    expect(keys.slice(0, 4)).toEqual([
      'layers.0.self_attn.in_proj_weight',
      'layers.0.self_attn.in_proj_bias',
      'layers.0.self_attn.out_proj.weight',
      'layers.0.self_attn.out_proj.bias',
    ])
    expect(keys.slice(-2)).toEqual(['norm.weight', 'norm.bias'])
    expect(encoder.parameters().length).toBe(2 * 12 + 2)
  })

  test('what does not fit is refused by name', () => {
    const message = (work: () => unknown) => failure(work).message
    expect(message(() => new nn.MultiheadAttention(4, 3))).toMatch(/width must be a multiple of heads \(3\)/)
    expect(message(() => F.scaledDotProductAttention(randn([2, 3]), randn([2, 4]), randn([2, 4])))).toMatch(
      /k must be \[\.\.\., S, 3\], got \[2, 4\]/,
    )
    expect(message(() => new nn.TransformerEncoder(null as never, 2))).toMatch(/make must be a function/)
    expect(message(() => new nn.TransformerEncoderLayer(4, 2, { activation: 'selu' as 'relu' }))).toMatch(
      /activation must/,
    )
  })
})
