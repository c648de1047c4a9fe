/** What modules do beyond their formulas. */
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { F, nn, optim, ones, randn, tensor, withSeed, type Tensor } from 'fovea'
import { convNet, numbers, sameBits } from '../engine.ts'
import { expectClose } from '../reference/fixtures.ts'

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

describe('summaries', () => {
  class Model extends nn.Module {
    stem = new nn.Linear(2, 4)
    blocks = [new nn.Sequential(new nn.Linear(4, 4), new nn.ReLU())]
    rnn = new nn.LSTM(4, 3)

    forward(x: Tensor): Tensor {
      return this.rnn.forward(this.blocks[0]!.forward(this.stem.forward(x)))[0]
    }
  }

  test('parts are named within what holds them', () => {
    const model = new Model()
    model.stem.freeze()
    expect(model.summary([1, 5, 2]).toString().split('\n')).toEqual([
      'layer                  output     parameters',
      'Model                  [1, 5, 3]',
      '  stem Linear          [1, 5, 4]          12',
      '  blocks.0 Sequential  [1, 5, 4]',
      '    0 Linear           [1, 5, 4]          20',
      '    1 ReLU             [1, 5, 4]',
      '  rnn LSTM             [1, 5, 3]         108',
      '140 parameters, 12 of them frozen',
    ])
  })

  test('printed, a module shows its parts', () => {
    expect(inspect(new nn.Sequential(new nn.Linear(2, 1), new nn.ReLU()))).toBe(
      ['layer       parameters', 'Sequential', '  0 Linear           3', '  1 ReLU', '3 parameters'].join('\n'),
    )
  })

  test('integers, several inputs and other dtypes', () => {
    const table = new nn.Sequential(new nn.Embedding(9, 4), new nn.Flatten())
    expect(table.summary([2, 3], { dtype: 'i32' }).rows[0]!.output).toEqual([2, 12])
    expect(new nn.Bilinear(2, 3, 4).summary([[5, 2], [5, 3]]).rows[0]!.output).toEqual([5, 4]) // prettier-ignore
    expect(new nn.Linear(2, 1).to('f64').summary([1, 2]).rows[0]!.output).toEqual([1, 1])
  })
})

describe('foldBatchNorm', () => {
  class Block extends nn.Module {
    conv1 = new nn.Conv2d(2, 4, 3, { padding: 1, bias: false })
    bn1 = new nn.BatchNorm2d(4)
    conv2 = new nn.Conv2d(4, 4, 3, { padding: 1 })
    bn2 = new nn.BatchNorm2d(4, { affine: false })
    // Read by the addition as well as by the norm: what a module gives to other modules must stay.
    shared = new nn.Conv2d(2, 4, 1)
    bn3 = new nn.BatchNorm2d(4)
    relu = new nn.ReLU()

    forward(x: Tensor): Tensor {
      const side = this.shared.forward(x)
      const y = this.relu.forward(this.bn1.forward(this.conv1.forward(x)))
      return this.bn2.forward(this.conv2.forward(y)).add(this.bn3.forward(side)).add(this.relu.forward(side))
    }
  }

  /** A model that has seen some batches, in evaluation. */
  function seasoned<M extends nn.Module>(model: M, ...shape: number[]): M {
    for (const p of model.parameters()) nn.init.normal(p)
    for (let i = 0; i < 3; i++) model.forward(randn(shape).mul(2).add(1))
    return model.eval()
  }

  test('outputs are equal, and what others read stays', () => {
    const model = seasoned(new Block(), 4, 2, 5, 5)
    const x = randn([2, 2, 5, 5])
    const y = model.forward(x)
    const before = { shape: [...y.shape], data: numbers(y) }
    expect(nn.foldBatchNorm(model, [1, 2, 5, 5])).toBe(model)
    expectClose(model.forward(x), before, 'the output')
    const kinds = [model.bn1, model.bn2, model.bn3].map((m) => m.constructor.name)
    expect(kinds).toEqual(['Identity', 'Identity', 'BatchNorm2d'])
    expect(model.conv1.bias).not.toBeNull()
  })

  test('in a Sequential, with linear layers and convolutions of sequences', () => {
    const model = new nn.Sequential({
      conv: new nn.Conv1d(2, 3, 3),
      bn1: new nn.BatchNorm1d(3),
      flatten: new nn.Flatten(),
      fc: new nn.Linear(9, 4),
      bn2: new nn.BatchNorm1d(4),
    })
    seasoned(model, 6, 2, 5)
    const x = randn([3, 2, 5])
    const y = model.forward(x)
    const before = { shape: [...y.shape], data: numbers(y) }
    nn.foldBatchNorm(model, [3, 2, 5])
    expectClose(model.forward(x), before, 'the output')
    expect(Object.keys(model.stateDict())).toEqual(['conv.weight', 'conv.bias', 'fc.weight', 'fc.bias'])
  })
})

test('weightNorm and spectralNorm refuse what has no weight', () => {
  expect(() => nn.weightNorm(new nn.ReLU() as never)).toThrow(/module must be a module with a weight/)
  expect(() => nn.weightNorm(new nn.Linear(2, 1), { dim: 2 })).toThrow(/dim must be null or an integer from 0 to 1/)
  expect(() => nn.spectralNorm(new nn.Linear(2, 1), { nPowerIterations: 0 })).toThrow(/nPowerIterations/)
})

test('spectralNorm brings the largest singular value to 1', () => {
  const layer = nn.spectralNorm(new nn.Linear(3, 2, { bias: false }), { nPowerIterations: 30 })
  layer.forward(ones([1, 3]))
  const [a, b, c, d] = numbers(layer.weight.matmul(layer.weight.transpose(0, 1)))
  // The larger eigenvalue of W Wᵀ, 2 by 2.
  const largest = (a! + d!) / 2 + Math.sqrt(((a! - d!) / 2) ** 2 + b! * c!)
  expect(largest).toBeCloseTo(1, 4)
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
