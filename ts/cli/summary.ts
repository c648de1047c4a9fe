/** `fovea summary`: what a file of weights or the folder of a saved model holds. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DESCRIPTION, described, type Description } from '../formats/models.ts'
import { formatOf, loadTensors } from '../formats/tensors.ts'
import { DataError } from '../native/errors.ts'
import type { DType } from '../native/types.ts'
// oxlint-disable-next-line import/no-unassigned-import -- tensors made here need their class to be loaded
import '../tensor/index.ts'
import { bytes, columns, count, printable } from './table.ts'

const WIDTH: Record<DType, number> = { f64: 8, i64: 8, f32: 4, i32: 4, u8: 1, bool: 1 }

/** More characters of a value than this are cut. */
const MOST = 70

interface Held {
  file: string
  /** Of the file on disk. */
  fileBytes: number
  model: Description | null
  /** In the order of the file where it has one; `dtype` is the type in the file. */
  tensors: { name: string; dtype: string; loadedAs: DType; shape: readonly number[]; elements: number }[]
  elements: number
  /** Of the tensors when loaded. */
  bytes: number
  metadata: Record<string, string>
}

/** Whether `path` is a folder; throws a DataError where it is neither that nor a file. */
function isFolder(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() || stat?.isFile()) return stat.isDirectory()
  const reason = stat ? 'it is neither a file nor a folder' : 'it does not exist'
  throw new DataError(`summary: ${path} can't be read: ${reason}`, {
    op: 'summary',
    argument: 'FILE',
    expected: 'a file of weights or the folder of a saved model',
  })
}

/** Counts as numbers, so that layer 9 comes before layer 10. */
const byName = new Intl.Collator('en', { numeric: true })

async function held(path: string): Promise<Held> {
  const model = isFolder(path) ? described(join(path, DESCRIPTION)) : null
  const file = model ? join(path, model.weights) : path
  const { path: full, format } = formatOf('summary', file, ['safetensors', 'npz', 'npy', 'pth'])
  const loaded = await loadTensors(full, format, 0)
  const tensors = Object.entries(loaded.tensors).map(([name, { dtype, shape, size }]) => {
    return { name, dtype: loaded.stored[name]!, loadedAs: dtype as DType, shape, elements: size }
  })
  if (format === 'safetensors') tensors.sort((a, b) => byName.compare(a.name, b.name)) // they have no order there
  return {
    file,
    fileBytes: statSync(full).size,
    model,
    tensors,
    elements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    bytes: tensors.reduce((sum, { loadedAs, elements }) => sum + elements * WIDTH[loadedAs], 0),
    metadata: loaded.metadata,
  }
}

const cut = (text: string) => printable(text.length > MOST ? `${text.slice(0, MOST)}…` : text)

function told({ file, fileBytes, model, tensors, elements, bytes: total, metadata }: Held): string {
  const facts = [
    ['file', `${printable(file)}, ${bytes(fileBytes)}`],
    ...(model
      ? [
          ['model', cut(model.model)],
          ['config', cut(JSON.stringify(model.config))],
          ['preprocessing', cut(JSON.stringify(model.preprocessing))],
          ['labels', cut(model.labels.length === 0 ? 'none' : `${model.labels.length}: ${model.labels.join(', ')}`)],
        ]
      : []),
    ...Object.entries(metadata).map(([key, value]) => [cut(key), cut(value)]),
  ]
  const rows = tensors.map(({ name, dtype, loadedAs, shape, elements: n }) => {
    return [printable(name), dtype === loadedAs ? dtype : `${dtype} → ${loadedAs}`, `[${shape.join(', ')}]`, count(n)]
  })
  const table = columns([['name', 'dtype', 'shape', 'elements'], ...rows], [3])
  const totals = `${count(tensors.length)} ${tensors.length === 1 ? 'tensor' : 'tensors'}, ${count(elements)} elements, ${bytes(total)}`
  return `${columns(facts)}\n\n${table}\n${totals}\n`
}

/**
 * Prints what `path` holds. Throws a DataError where it can't be read, a FormatError where it is damaged, an
 * ArgumentError where its ending names no format.
 */
export async function summary(path: string, json: boolean): Promise<number> {
  const found = await held(path)
  process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : told(found))
  return 0
}
