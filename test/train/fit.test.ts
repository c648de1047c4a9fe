/** Training as a whole: fit and train. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, F, manualSeed, nn, optim, randn, tensor, type Tensor, withSeed } from 'fovea'
import { DataLoader, TensorDataset } from 'fovea/data'
import {
  Accuracy,
  Ema,
  evaluate,
  fit,
  type Figures,
  MeanLoss,
  train,
  type TrainEvent,
  type TrainOptions,
} from 'fovea/train'
import { numbers } from '../engine.ts'

const ITEMS = 24

/** Points of two classes on either side of a line: [24, 2] and labels [24]. */
function points(): TensorDataset<[Tensor, Tensor]> {
  const x = withSeed(1, () => randn([ITEMS, 2]))
  const v = numbers(x)
  const labels = Array.from({ length: ITEMS }, (_, i) => (v[2 * i]! + v[2 * i + 1]! > 0 ? 1 : 0))
  return new TensorDataset<[Tensor, Tensor]>(x, tensor(labels, { dtype: 'i32' }))
}

const net = () => withSeed(2, () => new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 2)))
const loaderOf = (batchSize = 6, shuffle = true) => new DataLoader(points(), { batchSize, shuffle, seed: 3 })

function options(model: nn.Module, more: Partial<TrainOptions> = {}): TrainOptions {
  return { loss: F.crossEntropy, optimizer: new optim.SGD(model, { lr: 0.1 }), epochs: 2, ...more }
}

const weights = (model: nn.Module) => Object.values(model.stateDict()).map(numbers)

describe('fit', () => {
  test('learns, and its history has the figures of every epoch', async () => {
    const model = net()
    const history = await fit(model, loaderOf(), {
      ...options(model, { epochs: 30, validation: loaderOf(8), metrics: { accuracy: new Accuracy() } }),
      optimizer: new optim.AdamW(model, { lr: 0.05 }),
    })
    expect(history.epochs).toHaveLength(30)
    expect(history.epochs.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    const last = history.epochs.at(-1)!
    expect(last.training.loss).toBeLessThan(history.epochs[0]!.training.loss! / 3)
    expect(last.validation!.accuracy).toBeGreaterThan(0.9)
    expect(last).toMatchObject({ items: ITEMS, lr: 0.05 })
    expect(history.stopped).toBe('epochs')
    expect(history.best!.value).toBe(Math.min(...history.epochs.map(({ validation }) => validation!.loss!)))
  })

  test('does exactly what a loop written by hand does', async () => {
    const [a, b] = [net(), net()]
    const history = await fit(a, loaderOf(), options(a))
    const optimizer = new optim.SGD(b, { lr: 0.1 })
    const losses: number[] = []
    for (const loader = loaderOf(); losses.length < 8;) {
      for await (const [x, y] of loader) {
        const loss = F.crossEntropy(b.forward(x!), y!)
        optimizer.zeroGrad()
        loss.backward()
        await optimizer.step()
        losses.push(await loss.item())
      }
    }
    expect(weights(a)).toEqual(weights(b))
    const mean = (list: number[]) => list.reduce((sum, v) => sum + v, 0) / list.length
    expect(history.epochs[0]!.training.loss).toBeCloseTo(mean(losses.slice(0, 4)), 12)
  })

  test('tells callbacks every event in order and waits for them', async () => {
    const model = net()
    const seen: string[] = []
    await fit(model, loaderOf(12), {
      ...options(model, { validation: loaderOf(12) }),
      callbacks: [
        async (event, run) => {
          await new Promise((done) => setTimeout(done, 1))
          seen.push(event.type)
          expect(run.model).toBe(model)
        },
      ],
    })
    const epoch = ['step', 'step', 'validation', 'epoch']
    expect(seen).toEqual(['start', ...epoch, ...epoch, 'end'])
  })

  test('what a callback throws ends the run', async () => {
    const model = net()
    const failing = fit(model, loaderOf(), {
      ...options(model),
      callbacks: [(event) => void (event.type === 'step' && JSON.parse('{'))],
    })
    await expect(failing).rejects.toThrow(SyntaxError)
    expect(model.training).toBe(true)
  })

  test('modes are restored, and validation is in evaluation mode', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Dropout(0.5)).eval()
    const modes: boolean[] = []
    model.onForward(({ module }) => void modes.push(module.training))
    await fit(model, loaderOf(24), options(model, { epochs: 1, validation: loaderOf(24) }))
    expect([modes, model.training]).toEqual([[true, false], false])
  })
})

describe('steps', () => {
  test('accumulated gradients of parts are those of the whole batch, in a last short window too', async () => {
    const [a, b, c] = [net(), net(), net()]
    await fit(a, loaderOf(3, false), options(a, { epochs: 1, accumulate: 4 }))
    await fit(b, loaderOf(12, false), options(b, { epochs: 1 }))
    const close = (p: number[][], q: number[][]) =>
      p.flat().forEach((v, i) => expect(Math.abs(v - q.flat()[i]!)).toBeLessThan(1e-6))
    close(weights(a), weights(b))
    // Windows of 3 and 1 batches of 6.
    const sizes: number[] = []
    const counting = options(c, { epochs: 1, accumulate: 3 })
    const step = counting.optimizer.step.bind(counting.optimizer)
    counting.optimizer.step = () => {
      sizes.push(1)
      return step()
    }
    await fit(c, loaderOf(6, false), counting)
    expect(sizes).toHaveLength(2)
  })

  test('clipping limits the step', async () => {
    const moved = async (clip?: { norm?: number; value?: number }) => {
      const model = net()
      const before = weights(model).flat()
      await fit(model, loaderOf(24, false), options(model, { epochs: 1, ...(clip && { clip }) }))
      return weights(model)
        .flat()
        .map((v, i) => (v - before[i]!) / 0.1)
    }
    const norm = (list: number[]) => Math.hypot(...list)
    expect(norm(await moved())).toBeGreaterThan(0.05)
    expect(norm(await moved({ norm: 0.05 }))).toBeCloseTo(0.05, 4)
    expect(Math.max(...(await moved({ value: 0.01 })).map(Math.abs))).toBeCloseTo(0.01, 5)
  })

  test('a schedule moves with every step or with every epoch, and is given the monitored figure', async () => {
    const model = net()
    const base = options(model)
    const rates: number[] = []
    const collect = (event: TrainEvent) => void (event.type === 'step' && rates.push(event.lr))
    await fit(model, loaderOf(12), {
      ...base,
      schedule: new optim.StepLR(base.optimizer as never, { stepSize: 1, gamma: 0.5 }),
      callbacks: [collect],
    })
    expect(rates).toEqual([0.05, 0.025, 0.0125, 0.00625])
    const figures: number[] = []
    const spy = { step: (figure: number) => void figures.push(figure), stateDict: () => ({}), loadStateDict: () => {} }
    const history = await fit(net(), loaderOf(), options(net(), { schedule: spy, scheduleEvery: 'epoch' }))
    expect(figures).toEqual(history.epochs.map(({ training }) => training.loss))
  })
})

describe('averaged weights', () => {
  test('follow a ← a + (1 − decay) (p − a) and are what validation judges', async () => {
    const model = net()
    const ema = new Ema(model, 0.9)
    let expected = weights(model)
    let judged: Figures | null = null
    for await (const event of train(model, loaderOf(), options(model, { epochs: 1, ema, validation: loaderOf(24) }))) {
      if (event.type === 'step') {
        const now = weights(model)
        expected = expected.map((list, i) => list.map((v, k) => Math.fround(v + (now[i]![k]! - v) * 0.1)))
      }
      if (event.type === 'validation') judged = event.figures
    }
    const averages = Object.values(ema.stateDict()).map(numbers)
    averages.flat().forEach((v, i) => expect(v).toBeCloseTo(expected.flat()[i]!, 5))
    const own = weights(model)
    expect(own).not.toEqual(averages)
    const restore = ema.apply()
    expect(weights(model)).toEqual(averages)
    const { loss } = await evaluate(model, loaderOf(24), {
      metrics: { loss: new MeanLoss(F.crossEntropy) },
    })
    expect(judged!.loss).toBe(loss)
    restore()
    expect(weights(model)).toEqual(own)
    expect(() => new Ema(model, 1)).toThrow(/decay must be a number from 0 to below 1, got 1/)
  })
})

describe('early stopping', () => {
  test('ends after `patience` epochs without a better figure and puts the best weights back', async () => {
    const model = net()
    const kept: number[][][] = []
    const losses = [5, 4, 3, 3.5, 3.2, 2, 1]
    let epoch = 0
    const metric = { update: () => {}, reset: () => {}, compute: async () => losses[epoch] ?? 0 }
    const base = options(model, { epochs: 7, metrics: { score: metric }, monitor: 'score', mode: 'min' })
    const history = await fit(model, loaderOf(), {
      ...base,
      earlyStopping: { patience: 2 },
      callbacks: [
        (event) => {
          if (event.type !== 'epoch') return
          kept.push(weights(model))
          epoch++
        },
      ],
    })
    expect([history.stopped, history.epochs.length, history.best]).toEqual(['early', 5, { epoch: 3, value: 3 }])
    expect(weights(model)).toEqual(kept[2])
    expect(kept[4]).not.toEqual(kept[2])
  })
})

describe('what is asked wrongly', () => {
  const bad: [string, Partial<TrainOptions>, RegExp][] = [
    ['loss', { loss: 1 as never }, /loss must be a function of output and target, got 1/],
    ['a loss of many numbers', { loss: (y) => y }, /loss must be a function that gives one number, got a Tensor/],
    ['epochs', { epochs: 1.5 }, /epochs must be a whole number from 0 on, got 1\.5/],
    ['optimizer', { optimizer: {} as never }, /optimizer must be an optimizer/],
    ['monitor', { monitor: 'accuracy' }, /monitor must be loss, got "accuracy"/],
    ['metrics', { metrics: { loss: new Accuracy() } }, /metrics must be names other than loss/],
    ['accumulate', { accumulate: 0 }, /accumulate must be a whole number from 1 on, got 0/],
    ['clip', { clip: { norm: -1 } }, /clip\.norm must be a number above 0, got -1/],
    ['patience', { earlyStopping: { patience: 0 } }, /earlyStopping\.patience must be a whole number from 1 on/],
    [
      'a schedule of figures',
      { schedule: { step: (_: number) => {}, stateDict: () => ({}), loadStateDict: () => {} } },
      /scheduleEvery must be 'epoch' for a schedule that reacts to a figure/,
    ],
    ['signal', { signal: {} as never }, /signal must be an AbortSignal/],
  ]
  test.each(bad)('%s', async (_, more, message) => {
    const model = net()
    const error = await fit(model, loaderOf(), options(model, more)).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ArgumentError)
    expect((error as Error).message).toMatch(message)
  })

  test('loaders without batches, and with batches that are none', async () => {
    const model = net()
    await expect(fit(model, [], options(model))).rejects.toThrow(/loader must be at least one batch/)
    await expect(fit(model, [[tensor([1])]], options(model))).rejects.toThrow(
      /loader must be batches \[inputs, targets\]/,
    )
    await expect(fit(model, 3 as never, options(model))).rejects.toThrow(/loader must be a DataLoader or batches/)
    manualSeed(1)
  })
})
