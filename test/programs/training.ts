/** A small training job that other programs run, in the main thread and in workers. */
import { Worker } from 'node:worker_threads'
import { F, manualSeed, nn, optim, randint, randn } from 'fovea'

export class Job {
  readonly model: nn.Sequential
  readonly optimizer: optim.Adam

  /** `width` says how long a step takes. */
  constructor(
    readonly width = 8,
    seed = 1,
  ) {
    manualSeed(seed)
    this.model = new nn.Sequential(
      new nn.Conv2d(1, width, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(width),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dropout(0.25),
      new nn.Linear(width * 64, 10),
    )
    this.optimizer = new optim.Adam(this.model, { lr: 1e-3 })
  }

  /** Records one step and asks for it. */
  step(): { done: Promise<void>; loss: () => number } {
    const loss = F.crossEntropy(this.model.forward(randn([16, 1, 16, 16])), randint(0, 10, { shape: [16] }))
    this.optimizer.zeroGrad()
    loss.backward()
    return { done: this.optimizer.step(), loss: () => loss.itemSync() }
  }
}

/** A worker that runs the TypeScript program at `url`, with `argv` from its `process.argv[2]` on. */
export function startWorker(url: string, ...argv: string[]): Worker {
  return new Worker(new URL('worker.mjs', import.meta.url), { workerData: { program: url }, argv })
}
