/** Layers made of several ops, against differences in f64: gradients and gradients of gradients. */
import { expect, test } from 'vitest'
import { F, gradcheck, gradgradcheck, manualSeed, nn, randn, tensor, type Tensor } from 'fovea'

manualSeed(9)
const draw = (...shape: number[]) => randn(shape, { dtype: 'f64', requiresGrad: true })
const mask = tensor([[true, false, true]])

const cases: [string, (...x: Tensor[]) => Tensor, Tensor[]][] = [
  ['selu', F.selu, [draw(5)]],
  ['mish', F.mish, [draw(5)]],
  ['glu', (x) => F.glu(x), [draw(2, 4)]],
  ['prelu', F.prelu, [draw(2, 3, 2), draw(3)]],
  ['bilinear', (a, b, weight) => F.bilinear(a, b, weight), [draw(2, 3), draw(2, 2), draw(2, 3, 2)]],
  [
    'convTranspose2d',
    (x, w) => F.convTranspose2d(x, w, { stride: 2, padding: 1 }),
    [draw(1, 2, 3, 3), draw(2, 1, 3, 3)],
  ],
  ['pad', (x) => F.pad(x, [2, 1, 1, 2], { mode: 'reflect' }).square(), [draw(1, 1, 3, 3)]],
  ['interpolate', (x) => F.interpolate(x, { size: [3, 5], mode: 'bilinear' }).square(), [draw(1, 1, 2, 3)]],
  ['adaptiveAvgPool2d', (x) => F.adaptiveAvgPool2d(x, [2, 3]).square(), [draw(1, 1, 3, 4)]],
  ['groupNorm', (x) => F.groupNorm(x, 2), [draw(2, 4, 3)]],
  ['rmsNorm', (x, weight) => F.rmsNorm(x, [3], { weight }), [draw(2, 3), draw(3)]],
  ['localResponseNorm', (x) => F.localResponseNorm(x, 3, { alpha: 0.5 }), [draw(1, 4, 2)]],
  ['attention', (q, k, v) => F.scaledDotProductAttention(q, k, v, { mask }), [draw(2, 2), draw(3, 2), draw(3, 2)]],
  ['cosineSimilarity', (a, b) => F.cosineSimilarity(a, b), [draw(2, 3), draw(2, 3)]],
  ['normalize', (x) => F.normalize(x), [draw(2, 3)]],
  ['focalLoss', (x) => F.focalLoss(x, tensor([1, 0], { dtype: 'i32' })), [draw(2, 3)]],
  ['gaussianNLLLoss', (x, t, v) => F.gaussianNLLLoss(x, t, v.exp()), [draw(3), draw(3), draw(3)]],
]

test.each(cases)('%s', async (_, f, inputs) => {
  expect(await gradcheck(f, inputs)).toBe(true)
  expect(await gradgradcheck(f, inputs)).toBe(true)
})

test.each([
  ['LSTM', new nn.LSTM(2, 2, { bidirectional: true })],
  ['GRU', new nn.GRU(2, 2)],
])('%s', async (_, layer) => {
  layer.to('f64')
  const f = (x: Tensor) => (layer as nn.GRU).forward(x)[0]
  expect(await gradcheck(f, [draw(1, 3, 2)])).toBe(true)
  expect(await gradgradcheck(f, [draw(1, 3, 2)])).toBe(true)
})
