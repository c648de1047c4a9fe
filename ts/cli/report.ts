/** `fovea report`: the report of a run's folder. */
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { loadTensors } from '../formats/tensors.ts'
import { native } from '../native/addon.ts'
import { DataError } from '../native/errors.ts'
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
import { bestFile, lastFile, loadHistory } from '../train/checkpoint.ts'
import { page } from '../train/report/page.ts'
import { packageVersion } from './facts.ts'
import { count } from './table.ts'

/** The checkpoint of a run: the last one, or the best where that is missing. */
function checkpointOf(run: string): string {
  const file = [lastFile(run), bestFile(run)].find((path) => existsSync(path))
  if (file !== undefined) return file
  const what = existsSync(run) ? 'has neither a report.html nor a checkpoint (last.safetensors)' : 'does not exist'
  throw new DataError(`report: ${run} ${what}`, {
    op: 'report',
    argument: 'RUN',
    expected: 'a folder that fit or train wrote a checkpoint or a report into',
  })
}

/** Writes what a checkpoint knows of its run: the curves and figures of its epochs. */
async function write(run: string, file: string, title: string): Promise<void> {
  const checkpoint = checkpointOf(run)
  const history = await loadHistory(checkpoint)
  const { tensors } = await loadTensors(checkpoint, 'safetensors', 0)
  const weights = Object.entries(tensors).filter(([name]) => name.startsWith('model.'))
  const elements = weights.reduce((sum, [, { size }]) => sum + size, 0)
  const text = page({
    title,
    date: statSync(checkpoint).mtime,
    history,
    steps: [],
    classes: [],
    judgement: null,
    layers: [],
    facts: [
      ['checkpoint', checkpoint],
      ['state of the model', `${count(elements)} elements in ${count(weights.length)} tensors`],
      ['versions', `written by Fovea ${packageVersion()}, Node ${process.versions.node}`],
    ],
  })
  await native.replaceFile(resolve(file), Buffer.from(text))
}

/** Shows a file in the browser. */
function open(file: string): Promise<void> {
  const programs: Partial<Record<NodeJS.Platform, [string, ...string[]]>> = {
    darwin: ['open'],
    win32: ['cmd', '/c', 'start', '""'],
  }
  const [program, ...args] = programs[process.platform] ?? ['xdg-open']
  return new Promise((done, failed) => {
    const child = spawn(program!, [...args, file], { stdio: 'ignore', detached: true })
    child.on('error', (error) => failed(new DataError(`report: ${program} can't open ${file}: ${error.message}`)))
    child.on('spawn', () => {
      child.unref()
      done()
    })
  })
}

/**
 * Prints the path of a run's report, which is written from its checkpoint where there is none. Throws a DataError where
 * the folder holds neither or a file can't be read or written, a FormatError where the checkpoint is none.
 */
export async function report(
  run: string,
  options: Readonly<Record<string, string | boolean | undefined>>,
): Promise<number> {
  const folder = resolve(run)
  const { out, title = basename(folder) } = options
  const file = typeof out === 'string' ? resolve(out) : join(folder, 'report.html')
  if (out !== undefined || !existsSync(file)) await write(folder, file, String(title))
  process.stdout.write(`${file}\n`)
  if (options.open === true) await open(file)
  return 0
}
