/** Reports of runs. */
import { cpus, release, totalmem, type } from 'node:os'
import { resolve } from 'node:path'
import { native } from '../../native/addon.ts'
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import type { Summary } from '../../nn/summary.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type Batches, globalStep, type History, type Model } from '../events.ts'
import type { Callback } from '../fit.ts'
import { judge, type Judgement } from './mistakes.ts'
import { page, type StepRecord } from './page.ts'

export { judge, type JudgeOptions, type Judgement, type Mistake } from './mistakes.ts'
export { page, type ReportContent, type StepRecord } from './page.ts'

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

function layersOf(summary: Summary): [string, string, string, string][] {
  const number = (n: number) => n.toLocaleString('en-US')
  const rows = summary.rows.map(({ path, name, output, parameters }): [string, string, string, string] => {
    return [
      path,
      name,
      output === null ? '' : `[${['N', ...output.slice(1)].join(', ')}]`,
      parameters === 0 ? '' : number(parameters),
    ]
  })
  return [...rows, ['', 'all', '', number(summary.parameters)]]
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
  let judgement: Judgement | null = null
  let layers: [string, string, string, string][] = []
  if (validation) {
    const [x, target] = await firstOf(validation)
    if (isTensor(x) && x.rank > 0) layers = layersOf(model.summary([1, ...x.shape.slice(1)]))
    const labels = isTensor(target) && target.rank === 1 && !target.dtype.startsWith('f')
    if (isTensor(x) && x.rank > 0 && labels && classifies(model, x)) judgement = await judge(model, validation, options)
  }
  const text = page({
    title,
    date: new Date(),
    history,
    steps,
    classes,
    judgement,
    layers,
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

/** Whether the model's output is logits [N, C]. */
function classifies(model: Model, x: Tensor): boolean {
  const shape = model.summary([1, ...x.shape.slice(1)]).rows[0]?.output
  return shape?.length === 2 && shape[0] === 1
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
