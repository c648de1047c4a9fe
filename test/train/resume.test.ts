/** Runs that stop: checkpoints, resuming, aborting. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  ArgumentError,
  F,
  FormatError,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  rand,
  randn,
  withSeed,
  type Tensor,
} from 'fovea'
import { DataLoader, TensorDataset } from 'fovea/data'
import { Accuracy, Ema, fit, loadHistory, loadWeights, saveWeights, train, type TrainOptions } from 'fovea/train'
import { convNet, numbers } from '../engine.ts'
import { gpuFor, on } from '../gpu.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-runs-'))
afterAll(() => rmSync(dir, { recursive: true }))

const EPOCHS = 4

function images(): TensorDataset<[Tensor, Tensor]> {
  const [x, y] = withSeed(7, () => [randn([20, 1, 8, 8]), rand([20]).mul(4).to('i32')])
  return new TensorDataset<[Tensor, Tensor]>(x!, y!)
}

/** A model with dropout and running statistics, and everything else that a run can carry. */
function setUp(seed: number, more: Partial<TrainOptions> = {}) {
  manualSeed(seed)
  const model = convNet()
  const optimizer = new optim.AdamW(model, { lr: 1e-3 })
  const loader = new DataLoader(images(), {
    batchSize: 4,
    shuffle: true,
    transform: ([x, y]: [Tensor, Tensor]): [Tensor, Tensor] => [x.add(randn(x.shape).mul(0.1)), y],
  })
  const options: TrainOptions = {
    loss: F.crossEntropy,
    optimizer,
    epochs: EPOCHS,
    schedule: new optim.OneCycleLR(optimizer, { maxLr: 1e-2, totalSteps: (more.epochs ?? EPOCHS) * 5 }),
    validation: new DataLoader(images(), { batchSize: 10 }),
    metrics: { accuracy: new Accuracy() },
    ema: new Ema(model, 0.9),
    ...more,
  }
  return { model, loader, options }
}

/** Every bit that a run ends with. */
function bits({ model, options }: ReturnType<typeof setUp>): unknown {
  const hex = (x: Tensor) => {
    const data = x.dataSync()
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
  }
  const all = (dict: Record<string, Tensor>) => Object.entries(dict).map(([name, x]) => [name, hex(x)])
  const { state, groups } = options.optimizer.stateDict()
  const moments = Object.values(state).map((entries) =>
    Object.entries(entries).map(([name, v]) => [name, typeof v === 'number' ? v : hex(v)]),
  )
  return {
    model: all(model.stateDict()),
    ema: all(options.ema!.stateDict()),
    moments,
    groups,
    draws: numbers(rand([3])),
  }
}

const withoutSeconds = (history: { epochs: object[] }) => history.epochs.map((e) => ({ ...e, seconds: 0 }))

describe('resuming', () => {
  test.each([1, 2])('2 + 2 epochs equal 4, bit for bit (accumulate %i)', async (accumulate) => {
    const whole = setUp(1, { accumulate })
    const history = await fit(whole.model, whole.loader, whole.options)
    const expected = bits(whole)

    const checkpoint = { dir: join(dir, `two-${accumulate}`), resume: true }
    const first = setUp(1, { accumulate, checkpoint })
    for await (const event of train(first.model, first.loader, first.options)) {
      if (event.type === 'checkpoint' && event.epoch === 2 && event.kind === 'last') break
    }
    const second = setUp(99, { accumulate, checkpoint })
    const starts: number[] = []
    const rest = await fit(second.model, second.loader, {
      ...second.options,
      callbacks: [(event) => void (event.type === 'start' && starts.push(event.epoch))],
    })
    expect(starts).toEqual([3])
    expect(bits(second)).toEqual(expected)
    expect(withoutSeconds(rest)).toEqual(withoutSeconds(history))
    expect(rest.best).toEqual(history.best)
  })

  test('a run goes on from the middle of an epoch', async () => {
    const whole = setUp(2)
    const history = await fit(whole.model, whole.loader, whole.options)
    const expected = bits(whole)
    for (const stop of [1, 3, 4, 8]) {
      const checkpoint = { dir: join(dir, `middle-${stop}`), resume: true, everySteps: 1 }
      const first = setUp(2, { checkpoint })
      let saved = 0
      for await (const event of train(first.model, first.loader, first.options)) {
        if (event.type === 'checkpoint' && event.kind === 'last' && ++saved === stop) break
      }
      const second = setUp(98, { checkpoint })
      const rest = await fit(second.model, second.loader, second.options)
      expect(bits(second)).toEqual(expected)
      expect(withoutSeconds(rest)).toEqual(withoutSeconds(history))
    }
  })

  test('in the middle of an epoch a metric that was not counting is refused', async () => {
    const checkpoint = { dir: join(dir, 'counting'), resume: true, everySteps: 2 }
    const { model, loader, options } = setUp(6, { checkpoint })
    for await (const event of train(model, loader, options)) if (event.type === 'checkpoint') break
    const next = setUp(6, { checkpoint, metrics: { top1: new Accuracy() } })
    await expect(fit(next.model, next.loader, next.options)).rejects.toThrow(
      /was written in the middle of an epoch without the metric top1/,
    )
  })

  test('a finished run is not trained again; early stopping still has its best weights', async () => {
    const checkpoint = { dir: join(dir, 'done'), resume: true }
    const make = () => setUp(3, { checkpoint, earlyStopping: { patience: 1 }, epochs: 12 })
    const first = make()
    const history = await fit(first.model, first.loader, first.options)
    const again = make()
    const twin = await fit(again.model, again.loader, again.options)
    expect(twin.stopped).toBe(history.stopped)
    expect(withoutSeconds(twin)).toEqual(withoutSeconds(history))
    expect(again.model.stateDict()['0.weight']!.dataSync()).toEqual(first.model.stateDict()['0.weight']!.dataSync())
  })

  test('the best weights can be loaded alone; NaN losses survive the file', async () => {
    const { model, loader, options } = setUp(4, { checkpoint: { dir: join(dir, 'nan') }, epochs: 1 })
    await fit(model, loader, { ...options, loss: (y, t) => F.crossEntropy(y, t).mul(NaN) })
    const next = setUp(4, { checkpoint: { dir: join(dir, 'nan'), resume: true }, epochs: 1 })
    const history = await fit(next.model, next.loader, next.options)
    expect([history.epochs[0]!.training.loss, history.best]).toEqual([NaN, null])
    const best = setUp(5, { checkpoint: { dir: join(dir, 'best') }, epochs: 1 })
    await fit(best.model, best.loader, best.options)
    const { epochs } = await loadHistory(join(dir, 'best', 'best.safetensors'))
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1])
    const weights = await loadWeights(join(dir, 'best', 'best.safetensors'), { prefix: 'model' })
    expect(convNet().loadStateDict(weights)).toEqual({ missing: [], unexpected: [] })
  })

  test('files that are no run of this kind are refused', async () => {
    const checkpoint = { dir: join(dir, 'other'), resume: true }
    const file = join(checkpoint.dir, 'last.safetensors')
    await saveWeights(convNet(), file)
    const run = () => {
      const { model, loader, options } = setUp(6, { checkpoint })
      return fit(model, loader, options)
    }
    await expect(run()).rejects.toThrow(/last\.safetensors holds weights, but no run to go on with/)
    writeFileSync(file, 'torn')
    await expect(run()).rejects.toThrow(FormatError)
    rmSync(file)
    const { options } = setUp(6, { checkpoint, epochs: 1 })
    const other = new nn.Sequential(new nn.Flatten(), new nn.Linear(64, 4))
    const { schedule: _, ema: __, ...bare } = options
    await fit(other, new DataLoader(images(), { batchSize: 4 }), {
      ...bare,
      optimizer: new optim.SGD(other, { lr: 0.1 }),
    })
    await expect(run()).rejects.toThrow(/was written without a schedule/)
    const { schedule: ___, ...unscheduled } = setUp(6, { checkpoint }).options
    const model = convNet()
    const wrong = fit(model, setUp(6).loader, { ...unscheduled, optimizer: new optim.AdamW(model) })
    await expect(wrong).rejects.toThrow(ArgumentError)
    await expect(wrong).rejects.toThrow(/missing 0\.weight/)
    await expect(fit(model, [], { ...unscheduled, checkpoint: { dir: '', resume: true } })).rejects.toThrow(
      /checkpoint\.dir/,
    )
  })
})

const gpu = await gpuFor('a run that is resumed on a GPU')

describe.skipIf(!gpu)('a run that is resumed on a GPU', () => {
  test('has the weights of one without a stop within 1e-5, and its tensors are there', async () => {
    await on('gpu', async () => {
      const plain = { metrics: {}, epochs: 2 }
      const strip = (run: ReturnType<typeof setUp>) => {
        const { validation: __, ...options } = run.options
        return { ...run, options }
      }
      const whole = strip(setUp(9, plain))
      await fit(whole.model, whole.loader, whole.options)
      const checkpoint = { dir: join(dir, 'gpu'), resume: true }
      const first = strip(setUp(9, { ...plain, checkpoint }))
      for await (const event of train(first.model, first.loader, first.options))
        if (event.type === 'checkpoint' && event.kind === 'last') break
      const second = strip(setUp(97, { ...plain, checkpoint }))
      await fit(second.model, second.loader, second.options)
      const [a, b] = [whole.model.stateDict(), second.model.stateDict()]
      for (const [name, x] of Object.entries(a)) {
        expect([name, b[name]!.device]).toEqual([name, 'gpu'])
        const [p, q] = [numbers(x), numbers(b[name]!)]
        const scale = Math.max(...p.map(Math.abs), 1e-3)
        p.forEach((v, i) => expect(Math.abs(v - q[i]!) / scale).toBeLessThan(1e-5))
      }
    })
  }, 120_000)
})

describe('aborting', () => {
  /** A step that takes long enough for an abort to come while it runs. */
  class Slow extends nn.Module {
    readonly weight = new nn.Parameter(ones([1]))
    readonly #square = noGrad(() => rand([1200, 1200]))

    forward(x: Tensor): Tensor {
      let y = this.#square
      for (let i = 0; i < 6; i++) y = y.matmul(this.#square).mul(1e-3)
      return x.mul(this.weight).add(y.sum().mul(0))
    }
  }

  test('rejects within 100 ms with the reason, and the running step completes', async () => {
    const times: number[] = []
    for (let attempt = 0; attempt < 3; attempt++) {
      const model = new Slow()
      const controller = new AbortController()
      const batches = Array.from({ length: 50 }, () => [ones([1]), ones([1])])
      const began: number[] = []
      const run = fit(model, batches, {
        loss: (y) => y.sum(),
        optimizer: new optim.SGD(model, { lr: 0.25 }),
        epochs: 1,
        signal: controller.signal,
        callbacks: [
          (event) => {
            if (event.type !== 'step' || event.step !== 1) return
            began.push(numbers(model.weight)[0]!)
            setTimeout(() => {
              began.push(performance.now())
              controller.abort(new Error('enough'))
            }, 5)
          },
        ],
      })
      const error = await run.catch((e: unknown) => e)
      times.push(performance.now() - began[1]!)
      expect((error as Error).message).toBe('enough')
      // The step that ran when the signal came is whole: the weight has moved by one more step and no further.
      expect(numbers(model.weight)[0]).toBe(began[0]! - 0.25)
      await new Promise((done) => setTimeout(done, 50))
      expect(numbers(model.weight)[0]).toBe(began[0]! - 0.25)
      expect(model.training).toBe(true)
    }
    expect(Math.min(...times)).toBeLessThan(100)
  })

  test('a loader that hangs does not hold it up, and an aborted signal starts nothing', async () => {
    const { model, options } = setUp(8)
    const hanging: AsyncIterable<Tensor[]> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }
    const signal = AbortSignal.timeout(20)
    await expect(fit(model, hanging, { ...options, signal })).rejects.toThrow(/timeout/)
    await expect(fit(model, hanging, { ...options, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow(
      'before',
    )
  })
})
