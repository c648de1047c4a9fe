/** The main job: runs examples/mnist-resnet.ts, shows how far it is, saves what it learned and reports on it. */
import { join, relative } from 'node:path'
import { read, type nn } from 'fovea'
import { predict, Progress, saveWeights, writeReport, type Batches, type History } from 'fovea/train'
import { trainMnist, type MnistEvent } from '../../examples/mnist-resnet.ts'
import { root, script, Stop } from '../process.mjs'
import { drawPredictions, type Prediction } from './digits.ts'
import { parseOptions, usageProblem } from './options.mjs'

const folder = join(process.env.FOVEA_RUNS || join(root, 'runs'), 'mnist')
const weights = join(folder, 'model.safetensors')
const report = join(folder, 'report.html')

/** npm hands a terminal's Ctrl-C on to us although we had it: a signal this soon after the first is the same one. */
const SAME_SIGNAL_MS = 1000

/** Aborts at the first Ctrl-C; the second one ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  let first: number | undefined
  const onSignal = () => {
    if (first === undefined) {
      first = Date.now()
      controller.abort(new Error('stopped'))
    } else if (Date.now() - first > SAME_SIGNAL_MS) {
      process.exit(130)
    }
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return controller.signal
}

const shown = (file: string) => relative(process.cwd(), file)

async function save(model: nn.Module): Promise<string> {
  await saveWeights(model, weights)
  return shown(weights)
}

/** How the model reads the first six test images. */
async function firstSix(model: nn.Module, test: Batches): Promise<Prediction[]> {
  for await (const [x, labels] of test) {
    const predicted = (await predict(model, x!)).argmax({ dim: 1 })
    const [pixels, is, reads] = await read(x!, labels!, predicted)
    return Array.from({ length: 6 }, (_, i) => {
      const image = (pixels as Float32Array).slice(i * 784, (i + 1) * 784)
      return { pixels: image, label: Number(is![i]), predicted: Number(reads![i]) }
    })
  }
  return []
}

/** What a whole run comes to. */
function resultOf({ epochs }: History) {
  const trainSeconds = epochs.reduce((sum, { seconds }) => sum + seconds, 0)
  const images = epochs.reduce((sum, { items }) => sum + items, 0)
  return { testAccuracy: epochs.at(-1)!.validation!.accuracy!, trainSeconds, imagesPerSecond: images / trainSeconds }
}

/** What the library or the system says about data, devices and memory is for the user; all else is a fault of ours. */
function forUser(error: unknown): unknown {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? new Stop(error.message) : error
}

await script(async () => {
  const options = parseOptions(process.argv.slice(2))
  if (typeof options === 'string') throw new Stop(usageProblem(options), 2)
  const { json, help: _, ...training } = options
  const out = json ? process.stderr : process.stdout
  const signal = interruption()
  const progress = new Progress(out)
  let start: (MnistEvent & { type: 'start' }) | undefined
  let history: History | undefined
  const steps: { step: number; loss: number; lr: number }[] = []
  try {
    for await (const event of trainMnist({ ...training, signal })) {
      if (event.type === 'start') start = event
      if (event.type === 'step') steps.push({ step: steps.length + 1, loss: event.loss, lr: event.lr })
      if (event.type === 'end') history = event.history
      progress.show(event)
    }
    if (!start || !history) throw new Error('the training ended without a result')
    const { model, test, device } = start
    const { testAccuracy, trainSeconds, imagesPerSecond } = resultOf(history)
    const speed = `${Math.round(imagesPerSecond).toLocaleString('en-US')} images/s`
    progress.line(
      `Trained in ${trainSeconds.toFixed(1)} s, ${speed}. Test accuracy ${(100 * testAccuracy).toFixed(2)} %.`,
    )
    out.write(`\n${drawPredictions(await firstSix(model, test), out.columns ?? 80)}\n`)
    out.write(`Saved ${await save(model)}\n`)
    const run = { model, history, steps, device, validation: test }
    await writeReport(report, run, { title: 'Handwritten digits (MNIST)', seed: training.seed })
    out.write(`Report ${shown(report)}\n`)
    if (json) {
      const result = { testAccuracy, trainSeconds, epochs: training.epochs, device, imagesPerSecond }
      process.stdout.write(`${JSON.stringify(result)}\n`)
    }
  } catch (error) {
    if (!signal.aborted) throw forUser(error)
    progress.line(start ? `Stopped. The weights so far are in ${await save(start.model)}` : 'Stopped.')
    throw new Stop('', 130)
  }
})
