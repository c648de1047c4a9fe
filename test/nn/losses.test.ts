/** Losses against PyTorch; the cases are those of test/reference/losses.py. */
import { describe, expect, test } from 'vitest'
import { F, nn, tensor, type Tensor } from 'fovea'
import { failure, numbers } from '../engine.ts'
import { expectClose, given, lossFixtures as fixtures, type LossCase } from '../reference/fixtures.ts'

type Loss = (...args: unknown[]) => Tensor
const functions = F as unknown as Record<string, Loss>
const classes = nn as unknown as Record<string, new (options: object) => { forward: Loss }>

function parts(c: LossCase): { inputs: Tensor[]; options: object } {
  const inputs = c.inputs.map((x, i) => given(x, c.integers[i] ? 'i32' : 'f32', c.gradients[i] !== null))
  const tensors = Object.entries(c.tensors).map(([name, value]) => [name, given(value)] as const)
  const unbounded = c.options['p'] === 'Infinity' ? { p: Infinity } : {}
  const { reduction, ...rest } = c.options
  // Functions that aren't losses have nothing to reduce.
  const named = /Loss$|Logits$|Entropy$|Div$/.test(c.loss) ? { reduction } : {}
  return { inputs, options: { ...rest, ...named, ...unbounded, ...Object.fromEntries(tensors) } }
}

const cases = fixtures.losses.map((c, i) => {
  const options = { ...c.options, ...Object.fromEntries(Object.keys(c.tensors).map((name) => [name, '…'])) }
  return [`${c.loss} ${JSON.stringify(options)} (${i})`, c] as const
})

describe(`losses agree with PyTorch ${fixtures.torch}`, () => {
  test.each(cases)('%s', (_, c) => {
    const { inputs, options } = parts(c)
    const y = functions[c.loss]!(...inputs, options)
    expectClose(y, c.output, 'the loss')
    y.square().sum().backward()
    c.gradients.forEach((g, i) => {
      if (g !== null) expectClose(inputs[i]!.grad!, g, `the gradient of input ${i}`)
    })
  })
})

describe('modules do what the functions do', () => {
  test.each(cases.filter(([, c]) => c.module !== null))('%s', (_, c) => {
    const { inputs, options } = parts(c)
    const module = new classes[c.module!]!(options)
    expect(numbers(module.forward(...inputs))).toEqual(numbers(functions[c.loss]!(...inputs, options)))
  })

  test('weights are buffers under the keys of PyTorch', () => {
    const loss = new nn.BCEWithLogitsLoss({ weight: tensor([1, 2]), posWeight: 3 })
    expect(Object.keys(loss.stateDict())).toEqual(['weight', 'pos_weight'])
    expect(loss.parameters()).toEqual([])
    expect(new nn.CrossEntropyLoss().stateDict()).toEqual({})
  })
})

describe('limits', () => {
  test('certain and wrong probabilities cost 100, as in PyTorch', () => {
    const p = tensor([0, 1, 0, 1], { requiresGrad: true })
    const loss = F.bceLoss(p, tensor([0, 1, 1, 0]), { reduction: 'none' })
    expect(numbers(loss).map(Math.abs)).toEqual([0, 0, 100, 100])
    loss.sum().backward()
    expect(numbers(p.grad!).every(Number.isFinite)).toBe(true)
  })

  test('bceWithLogits and softMarginLoss hold for logits that exp cannot take', () => {
    const x = tensor([1000, -1000], { requiresGrad: true })
    const loss = F.bceWithLogits(x, tensor([0, 1]), { reduction: 'none' })
    expect(numbers(loss)).toEqual([1000, 1000])
    loss.sum().backward()
    expect(numbers(x.grad!)).toEqual([1, -1])
    expect(numbers(F.softMarginLoss(x, tensor([-1, 1]), { reduction: 'none' }))).toEqual([1000, 1000])
  })

  test('a vector of zeros has no direction and finite gradients', () => {
    const a = tensor([[0, 0]], { requiresGrad: true })
    const b = tensor([[1, 2]])
    const cosine = F.cosineSimilarity(a, b)
    F.cosineEmbeddingLoss(a, b, tensor([1]))
      .add(cosine.sum())
      .backward()
    expect(numbers(cosine)).toEqual([0])
    expect(numbers(a.grad!).every(Number.isFinite)).toBe(true)
  })

  test('normalize gives vectors of length 1, and leaves zeros where they are', () => {
    const y = numbers(F.normalize(tensor([[3, 4], [0, 0]]))) // prettier-ignore
    ;[0.6, 0.8, 0, 0].forEach((v, i) => expect(y[i]).toBeCloseTo(v, 6))
    expect(numbers(F.normalize(tensor([3, 4]), { dim: 0, eps: 10 }))).toEqual([Math.fround(0.3), Math.fround(0.4)])
  })

  test('what does not fit is refused by name', () => {
    const message = (work: () => unknown) => failure(work).message
    const [x, t] = [tensor([[1, 2]]), tensor([0], { dtype: 'i32' })]
    expect(message(() => F.huberLoss(x, tensor([1, 2, 3])))).toMatch(/target must have the prediction's shape \[1, 2\]/)
    expect(message(() => F.huberLoss(x, x, { delta: 0 }))).toMatch(/delta must be a finite number above 0/)
    expect(message(() => F.hingeLoss(x, tensor([0])))).toMatch(
      /target must be class indices, i32 or i64 \[1\], got f32/,
    )
    expect(message(() => F.multiMarginLoss(x, t, { p: 3 as 1 }))).toMatch(/p must be 1 or 2/)
    expect(message(() => F.crossEntropy(x, x, { labelSmoothing: 2 }))).toMatch(/labelSmoothing must be a number from 0/)
    expect(message(() => F.crossEntropy(x, tensor([[1, 0, 0]])))).toMatch(/must have the logits' shape/)
    expect(message(() => F.klDiv(x, x, { reduction: 'all' as 'sum' }))).toMatch(/reduction must be mean, sum or none/)
  })
})
