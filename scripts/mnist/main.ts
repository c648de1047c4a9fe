/** The main job: runs examples/mnist.ts, shows how far it is, and saves what it learned. */
import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { nn } from 'fovea'
import { saveWeights } from 'fovea/train'
import { trainMnist, type MnistEvent } from '../../examples/mnist.ts'
import { root, script, Stop } from '../process.mjs'
import { drawPredictions } from './digits.ts'
import { parseOptions, usageProblem } from './options.mjs'
import { Progress } from './progress.ts'

const folder = join(process.env.FOVEA_RUNS || join(root, 'runs'), 'mnist')
const file = join(folder, 'model.safetensors')

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

async function save(model: nn.Module): Promise<string> {
  mkdirSync(folder, { recursive: true })
  await saveWeights(model, file)
  return relative(process.cwd(), file)
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
  let done: (MnistEvent & { type: 'done' }) | undefined
  try {
    for await (const event of trainMnist({ ...training, signal })) {
      if (event.type === 'start') start = event
      if (event.type === 'done') done = event
      progress.show(event)
    }
    if (!start || !done) throw new Error('the training ended without a result')
    out.write(`\n${drawPredictions(done.predictions, out.columns ?? 80)}\n`)
    out.write(`Saved ${await save(done.model)}\n`)
  } catch (error) {
    if (!signal.aborted) throw forUser(error)
    progress.line(start ? `Stopped. The weights so far are in ${await save(start.model)}` : 'Stopped.')
    throw new Stop('', 130)
  }
  if (json) {
    const { testAccuracy, trainSeconds, imagesPerSecond } = done
    const result = { testAccuracy, trainSeconds, epochs: training.epochs, device: start.device, imagesPerSecond }
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
})
