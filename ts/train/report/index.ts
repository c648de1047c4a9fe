/** Reports of runs. */
import { cpus, release, totalmem, type } from 'node:os'
import { resolve } from 'node:path'
import { native } from '../../native/addon.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type Batches, globalStep, type History, type Model } from '../events.ts'
import type { Callback } from '../fit.ts'
import { type Layer, layersOf } from './layers.ts'
import { judge } from './mistakes.ts'
import { page, type ReportContent, type StepRecord } from './page.ts'

export { judge, type JudgeOptions, type Judgement, type Mistake } from './mistakes.ts'
export { page, type ReportContent, type StepRecord } from './page.ts'

/** What stands in a {@link report} beside what was measured. */
export interface ReportOptions {
  /** Default 'Training run'. */
  title?: string
  /** Names of the classes of a classifier, in the order of its logits. */
  classes?: readonly string[]
  /** What the run followed from, to be written down. */
  seed?: number
  /** How many of the worst mistakes are shown. Default 24. */
  worst?: number
  /** What was taken from and divided by in each channel of the pictures. */
  mean?: readonly number[]
  std?: readonly number[]
  /** What else to write down. */
  facts?: Readonly<Record<string, string>>
}

/** The machine and the versions that a run had. */
function surroundings(): [string, string][] {
  const threads = native.threads()
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB of memory`
  return [
    [
      'processor',
      `${cpus()[0]?.model.trim() ?? process.arch}, ${threads === 1 ? '1 thread' : `${threads} threads`}, ${memory}`,
    ],
    ['system', `${type()} ${release()}, ${process.platform}-${process.arch}`],
    ['versions', `Fovea ${VERSION}, Node ${process.versions.node}`],
  ]
}

/** Of the package; a test holds it to package.json. */
export const VERSION = '0.1.0'

/** The rows of the table of layers. */
function rowsOf(layers: readonly Layer[]): ReportContent['layers'] {
  const number = (n: number) => n.toLocaleString('en-US')
  const total = layers.reduce((sum, { parameters }) => sum + parameters, 0)
  const rows = layers.map(({ path, name, output, parameters }) => {
    const shape = output === null ? '' : `[${['N', ...output.slice(1)].join(', ')}]`
    return [path, name, shape, parameters === 0 ? '' : number(parameters)] as const
  })
  return [...rows, ['', 'all', '', number(total)]]
}

/** What a report needs of a run beside its options. */
export interface ReportedRun {
  model: Model
  history: History
  steps: readonly StepRecord[]
  device: string
  /** Batches for the confusion matrix and the mistakes: those of validation. */
  validation?: Batches | undefined
}

/**
 * Writes `report.html`: curves, the confusion matrix and worst mistakes of a classifier, layers, seed, versions and
 * machine in one file that needs nothing beside it. Models that are no classifiers of one input have the rest.
 *
 * Throws a DataError where the file can't be written.
 */
export async function writeReport(file: string, run: ReportedRun, options: ReportOptions = {}): Promise<void> {
  if (typeof file !== 'string' || file === '') refuse('writeReport', 'file', 'a path', file)
  const { title = 'Training run', classes = [], seed, facts = {} } = options
  const { model, history, steps, device, validation } = run
  const [x, target] = validation ? await firstOf(validation) : []
  const layers = layersOf(model, isTensor(x) ? x : null)
  const labels = isTensor(target) && target.rank === 1 && (target.dtype === 'i32' || target.dtype === 'i64')
  const logits = isTensor(x) && layers[0]?.output?.length === 2 && layers[0].output[0] === target?.shape[0]
  const judgement = validation && labels && logits ? await judge(model, validation, options) : null
  const text = page({
    title,
    date: new Date(),
    history,
    steps,
    classes,
    judgement,
    layers: rowsOf(layers),
    facts: [
      ...(seed === undefined ? [] : [['seed', String(seed)] as const]),
      ['device', device],
      ...surroundings(),
      ...Object.entries(facts),
    ],
  })
  await native.replaceFile(resolve(file), Buffer.from(text))
}

async function firstOf(batches: Batches): Promise<readonly Tensor[]> {
  for await (const batch of batches) return batch
  return []
}

/** A callback that writes a report when the run ends; see {@link writeReport}. */
export function report(file: string, options: ReportOptions = {}): Callback {
  const steps: StepRecord[] = []
  let device = 'cpu'
  return async (event, { model, options: { validation } }) => {
    if (event.type === 'start') device = event.device
    if (event.type === 'step') {
      steps.push({ step: globalStep(event, steps.at(-1)?.step ?? 0), loss: event.loss, lr: event.lr })
    }
    if (event.type !== 'end') return
    await writeReport(file, { model, history: event.history, steps, device, validation }, options)
  }
}
