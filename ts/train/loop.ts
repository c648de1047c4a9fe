/** The training loop. */
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { clipGradNorm, clipGradValue } from '../optim/clip.ts'
import { defaultDevice } from '../tensor/defaults.ts'
import { deviceName } from '../native/types.ts'
import { materialize, read } from '../tensor/read.ts'
import { MeanLoss } from '../metrics/index.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { batchesOf, checkSignal, unlessAborted } from './abort.ts'
import { bestFile, Checkpoint, judgedWeights, lastFile, type Progress } from './checkpoint.ts'
import { checkRun } from './check.ts'
import { evaluate } from './evaluate.ts'
import type { Batches, EpochRecord, Figures, History, Model, TrainEvent, TrainOptions } from './events.ts'

/** One run of {@link train}. */
class Run {
  readonly #model: Model
  readonly #loader: Batches
  readonly #options: TrainOptions
  readonly #checkpoint: Checkpoint | null
  #progress: Progress = { epoch: 1, step: 0, lossSum: 0, items: 0, seconds: 0, epochs: [], best: null, bad: 0 }
  #bestWeights: Record<string, Tensor> | null = null

  constructor(model: Model, loader: Batches, options: TrainOptions) {
    this.#model = model
    this.#loader = loader
    this.#options = options
    this.#checkpoint = options.checkpoint ? new Checkpoint(model, loader, options) : null
  }

  /** The epochs, and at last the run as a whole. */
  async *events(): AsyncGenerator<TrainEvent, History, undefined> {
    const { epochs, checkpoint, signal, earlyStopping } = this.#options
    checkSignal('train', signal)
    if (checkpoint?.resume) await this.#resume(checkpoint.dir)
    const steps = this.#loader.length ?? null
    const parameters = this.#model.parameters()
    const size = parameters.reduce((sum, p) => sum + p.size, 0)
    const device = parameters[0]?.device ?? deviceName(defaultDevice())
    yield { type: 'start', epochs, epoch: this.#progress.epoch, steps, parameters: size, device }
    const modes = this.#model.modules().map((module) => [module, module.training] as const)
    const isOver = () => earlyStopping !== undefined && this.#progress.bad >= earlyStopping.patience
    try {
      while (this.#progress.epoch <= epochs && !isOver()) yield* this.#epoch(steps)
    } finally {
      for (const [module, mode] of modes) (module as { training: boolean }).training = mode
    }
    if (earlyStopping && this.#bestWeights) this.#model.loadStateDict(this.#bestWeights)
    const { epochs: records, best } = this.#progress
    const history: History = { epochs: records, best, stopped: isOver() ? 'early' : 'epochs' }
    yield { type: 'end', history }
    return history
  }

  async #resume(dir: string): Promise<void> {
    const progress = await this.#checkpoint!.load(lastFile(dir))
    if (!progress) return
    this.#progress = progress
    const { earlyStopping } = this.#options
    if (!earlyStopping || !progress.best) return
    this.#bestWeights = await judgedWeights(bestFile(dir))
  }

  /** Trains for what is left of an epoch, judges it, and keeps it. */
  async *#epoch(steps: number | null): AsyncGenerator<TrainEvent, void, undefined> {
    const { optimizer, schedule, scheduleEvery = 'step', epochs, checkpoint } = this.#options
    const { epoch } = this.#progress
    const metrics = Object.entries(this.#options.metrics ?? {})
    if (this.#progress.step === 0) for (const [, metric] of metrics) metric.reset()
    this.#model.train()
    yield* this.#batches(steps)
    const { lossSum, items, seconds } = this.#progress
    const training: Record<string, number> = { loss: lossSum / items }
    for (const [name, metric] of metrics) training[name] = await metric.compute()
    let validation: Figures | null = null
    let isBest: boolean
    const restore = this.#options.ema?.apply()
    try {
      if (this.#options.validation) {
        const began = performance.now()
        validation = await this.#validate(this.#options.validation)
        yield { type: 'validation', epoch, figures: validation, seconds: (performance.now() - began) / 1000 }
      }
      isBest = this.#judge(validation ?? training)
      if (isBest && this.#options.earlyStopping) await this.#keepWeights()
    } finally {
      restore?.()
    }
    if (scheduleEvery === 'epoch') schedule?.step(this.#monitored(validation ?? training))
    const record: EpochRecord = { epoch, training, validation, lr: optimizer.groups[0]!.lr, seconds, items }
    const { epochs: before, best, bad } = this.#progress
    const done = [...before, record]
    this.#progress = { epoch: epoch + 1, step: 0, lossSum: 0, items: 0, seconds: 0, epochs: done, best, bad }
    yield { type: 'epoch', epochs, isBest, ...record }
    if (!checkpoint) return
    // The best first: a run that goes on from the last one finds it there.
    const files: ['best' | 'last', string][] = isBest ? [['best', bestFile(checkpoint.dir)]] : []
    files.push(['last', lastFile(checkpoint.dir)])
    for (const [kind, file] of files) {
      await this.#save(file)
      yield { type: 'checkpoint', kind, epoch, file }
    }
  }

  async *#batches(steps: number | null): AsyncGenerator<TrainEvent, void, undefined> {
    const { optimizer, accumulate = 1, signal, checkpoint } = this.#options
    const metrics = Object.values(this.#options.metrics ?? {})
    const progress = this.#progress
    const first = progress.step
    let began = performance.now()
    for await (const [x, target] of batchesOf(this.#loader, signal)) {
      if (!isTensor(x) || !isTensor(target)) refuse('train', 'loader', 'batches [inputs, targets]', [x, target])
      const within = progress.step % accumulate
      const window = steps === null ? accumulate : Math.min(accumulate, steps - (progress.step - within))
      if (within === 0) optimizer.zeroGrad()
      const output = this.#model.forward(x)
      const loss = this.#options.loss(output, target)
      if (!isTensor(loss) || loss.size !== 1) refuse('train', 'loss', 'a function that gives one number', loss)
      ;(window === 1 ? loss : loss.mul(1 / window)).backward()
      for (const metric of metrics) metric.update(output, target)
      if (within + 1 === window) await this.#step()
      const [value] = (await unlessAborted(read(loss), signal)) as [Float32Array]
      const items = x.shape[0] ?? 1
      progress.step++
      progress.items += items
      progress.lossSum += value[0]! * items
      const now = performance.now()
      progress.seconds += (now - began) / 1000
      yield {
        type: 'step',
        epoch: progress.epoch,
        step: progress.step,
        steps,
        loss: value[0]!,
        meanLoss: progress.lossSum / progress.items,
        lr: optimizer.groups[0]!.lr,
        items: progress.items,
        seconds: progress.seconds,
      }
      // The last batch has the checkpoint of its epoch.
      const due = checkpoint?.everySteps && progress.step % checkpoint.everySteps === 0 && progress.step !== steps
      if (due && within + 1 === window) {
        const file = lastFile(checkpoint.dir)
        await this.#save(file)
        yield { type: 'checkpoint', kind: 'last', epoch: progress.epoch, file }
      }
      began = performance.now()
    }
    if (progress.step === 0) refuse('train', 'loader', 'at least one batch', 'none')
    if (progress.step > first && steps === null && progress.step % accumulate !== 0) await this.#step()
  }

  /** One step of the optimizer on the gradients that are there. */
  async #step(): Promise<void> {
    const { optimizer, clip, schedule, scheduleEvery = 'step', ema, signal } = this.#options
    const parameters = optimizer.groups.flatMap((group) => group.parameters)
    if (clip?.value !== undefined) clipGradValue(parameters, clip.value)
    if (clip?.norm !== undefined) clipGradNorm(parameters, clip.norm)
    await unlessAborted(optimizer.step(), signal)
    ema?.update()
    if (scheduleEvery === 'step') schedule?.step(NaN)
  }

  async #validate(validation: Batches): Promise<Figures> {
    const { loss, metrics = {}, signal } = this.#options
    return evaluate(this.#model, validation, {
      metrics: { loss: new MeanLoss(loss), ...metrics },
      ...(signal && { signal }),
    })
  }

  #monitored(figures: Figures): number {
    return figures[this.#options.monitor ?? 'loss'] ?? NaN
  }

  /** Whether an epoch is the best so far; counts those that are not. */
  #judge(figures: Figures): boolean {
    const { monitor = 'loss', mode = monitor === 'loss' ? 'min' : 'max', earlyStopping } = this.#options
    const value = this.#monitored(figures)
    const { best, epoch } = this.#progress
    const gain = best === null ? Infinity : mode === 'min' ? best.value - value : value - best.value
    const isBest = gain > 0 && !Number.isNaN(value)
    this.#progress.bad = gain > (earlyStopping?.minDelta ?? 0) && isBest ? 0 : this.#progress.bad + 1
    if (isBest) this.#progress.best = { epoch, value }
    return isBest
  }

  async #keepWeights(): Promise<void> {
    this.#bestWeights = this.#model.stateDict()
    await materialize(...Object.values(this.#bestWeights))
  }

  async #save(file: string): Promise<void> {
    await unlessAborted(this.#checkpoint!.save(file, this.#progress), this.#options.signal)
  }
}

/**
 * Trains `model` on the batches [inputs, targets] of `loader` and tells what happens as it happens:
 *
 *     for await (const event of train(model, loader, { loss: F.crossEntropy, optimizer, epochs: 3 })) {
 *       if (event.type === 'epoch') console.log(event.epoch, event.training.loss)
 *     }
 *
 * The next step begins when the next event is asked for; leaving the loop ends the run. The model's modes are restored
 * at the end. Throws what loaders, models and losses throw, and the reason of an aborted `signal`.
 */
export async function* train(
  model: Model,
  loader: Batches,
  options: TrainOptions,
): AsyncGenerator<TrainEvent, History, undefined> {
  checkRun(model, loader, options)
  return yield* new Run(model, loader, options).events()
}
