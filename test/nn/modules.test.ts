/** What modules do beyond their formulas. */
import { describe, expect, test } from 'vitest'
import { F, nn, optim, ones, randn, tensor, withSeed } from 'fovea'
import { convNet, numbers, sameBits } from '../engine.ts'

describe('state dicts', () => {
  test('keys are those of PyTorch, buffers included', () => {
    const model = new nn.Sequential({ conv1: new nn.Conv2d(1, 2, 3), bn1: new nn.BatchNorm2d(2) })
    expect(Object.keys(model.stateDict())).toEqual([
      'conv1.weight',
      'conv1.bias',
      'bn1.weight',
      'bn1.bias',
      'bn1.running_mean',
      'bn1.running_var',
      'bn1.num_batches_tracked',
    ])
    expect(model.stateDict()['bn1.num_batches_tracked']!.dtype).toBe('i64')
  })

  test('a state dict keeps the values of its moment', async () => {
    const model = new nn.Linear(2, 2)
    const dict = model.stateDict()
    const before = numbers(dict.weight!)
    const optimizer = new optim.SGD(model, { lr: 1 })
    model
      .forward(ones([1, 2]))
      .sum()
      .backward()
    await optimizer.step()
    expect(numbers(dict.weight!)).toEqual(before)
    expect(numbers(model.weight)).not.toEqual(before)
  })

  test('loading gives an equal model', () => {
    const [a, b] = [withSeed(1, () => convNet()), withSeed(2, () => convNet())]
    a.forward(randn([4, 1, 8, 8])) // moves the statistics
    const x = randn([2, 1, 8, 8])
    const out = (m: nn.Sequential) => m.eval().forward(x).dataSync()
    expect(sameBits(out(a), out(b))).toBe(false)
    expect(b.loadStateDict(a.stateDict())).toEqual({ missing: [], unexpected: [] })
    expect(sameBits(out(a), out(b))).toBe(true)
  })

  test('values are converted to the dtype of what they replace', () => {
    const layer = new nn.Linear(1, 1, { bias: false })
    layer.loadStateDict({ weight: tensor([[3]], { dtype: 'f64' }) })
    expect([layer.weight.dtype, numbers(layer.weight)]).toEqual(['f32', [3]])
  })

  test('nothing is changed when loading throws', () => {
    const layer = new nn.Linear(2, 1)
    const before = [numbers(layer.weight), numbers(layer.bias!)]
    expect(() => layer.loadStateDict({ weight: ones([1, 2]), bias: ones([2]) })).toThrow(/bias has shape \[1\]/)
    expect(() => layer.loadStateDict({ weight: ones([1, 2]) })).toThrow(/missing bias/)
    expect([numbers(layer.weight), numbers(layer.bias!)]).toEqual(before)
  })

  test('strict: false takes what fits and tells the rest', () => {
    const layer = new nn.Linear(2, 1)
    const result = layer.loadStateDict({ weight: ones([1, 2]), other: ones([1]) }, { strict: false })
    expect(result).toEqual({ missing: ['bias'], unexpected: ['other'] })
    expect(numbers(layer.weight)).toEqual([1, 1])
  })
})

describe('modes', () => {
  test('train and eval reach every module below; dropout drops in training only', () => {
    const model = new nn.Sequential(new nn.Dropout(0.5), new nn.Sequential(new nn.Dropout(0.5)))
    const x = ones([1000])
    expect(new Set(numbers(model.forward(x)))).toEqual(new Set([0, 4]))
    expect(
      model
        .eval()
        .modules()
        .every((m) => !m.training),
    ).toBe(true)
    expect(new Set(numbers(model.forward(x)))).toEqual(new Set([1]))
    expect(
      model
        .train()
        .modules()
        .every((m) => m.training),
    ).toBe(true)
  })

  test('a frozen module gets no gradients and is not trained', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 1))
    const [first, second] = model as Iterable<nn.Linear>
    first!.freeze()
    const before = numbers(first!.weight)
    const optimizer = new optim.SGD(model, { lr: 1, weightDecay: 0.5 })
    model
      .forward(ones([1, 2]))
      .sum()
      .backward()
    await optimizer.step()
    expect([first!.weight.grad, numbers(first!.weight)]).toEqual([null, before])
    expect(second!.weight.grad).not.toBeNull()
    first!.unfreeze()
    model
      .forward(ones([1, 2]))
      .sum()
      .backward()
    expect(first!.weight.grad).not.toBeNull()
  })

  test('to(dtype) converts floats and leaves counts alone, also in the middle of training', async () => {
    const model = convNet()
    const optimizer = new optim.SGD(model, { lr: 0.1 })
    const loss = (dtype: 'f32' | 'f64') =>
      model
        .forward(randn([2, 1, 8, 8], { dtype }))
        .square()
        .mean()
    loss('f32').backward()
    await optimizer.step()
    model.to('f64')
    model.zeroGrad()
    expect(model.parameters().every((p) => p.dtype === 'f64')).toBe(true)
    expect(model.buffers().map((b) => b.dtype)).toEqual(['f64', 'f64', 'i64'])
    const last = loss('f64')
    last.backward()
    await optimizer.step()
    expect(last.dtype).toBe('f64')
    expect(model.parameters().flatMap(numbers).every(Number.isFinite)).toBe(true)
  })

  test('a summary tells shapes and parameters and leaves no trace', () => {
    const model = convNet()
    const mean = numbers(model.buffers()[0]!)
    expect(model.summary([1, 1, 8, 8]).toString()).toBe(
      [
        'layer            output        parameters',
        'Sequential       [1, 4]',
        '  0 Conv2d       [1, 4, 8, 8]          36',
        '  1 BatchNorm2d  [1, 4, 8, 8]           8',
        '  2 ReLU         [1, 4, 8, 8]',
        '  3 MaxPool2d    [1, 4, 4, 4]',
        '  4 Flatten      [1, 64]',
        '  5 Dropout      [1, 64]',
        '  6 Linear       [1, 4]               260',
        '304 parameters',
      ].join('\n'),
    )
    expect([model.training, numbers(model.buffers()[0]!)]).toEqual([true, mean])
  })
})

test('embedding: the padding row starts as zeros and stays so', async () => {
  const table = new nn.Embedding(4, 3, { paddingIdx: -1 })
  const optimizer = new optim.SGD(table, { lr: 1 })
  F.mseLoss(table.forward(tensor([0, 3, 1], { dtype: 'i32' })), 1).backward()
  await optimizer.step()
  const values = numbers(table.weight)
  expect(values.slice(9)).toEqual([0, 0, 0])
  expect(values.slice(0, 3)).not.toEqual([0, 0, 0])
})
