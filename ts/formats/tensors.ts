/** Tensors in files, whatever the format. */
import { extname, resolve } from 'node:path'
import { native } from '../native/addon.ts'
import { ArgumentError, refuse } from '../native/errors.ts'
import { isTensor, taken } from '../native/record.ts'
import { defaultDevice } from '../tensor/defaults.ts'
import { materialize } from '../tensor/read.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The formats that tensors are read from and written to. */
type Format = 'safetensors' | 'npz' | 'npy' | 'pth'

const BY_EXTENSION = new Map<string, Format>([
  ['.safetensors', 'safetensors'],
  ['.npz', 'npz'],
  ['.npy', 'npy'],
  ['.pth', 'pth'],
  ['.pt', 'pth'],
  ['.bin', 'pth'],
])

/** The path and the format that its ending names; throws an ArgumentError where it names none of those `allowed`. */
export function formatOf(op: string, file: string, allowed: readonly Format[]): { path: string; format: Format } {
  if (typeof file !== 'string' || file === '') refuse(op, 'file', 'a path', file)
  const format = BY_EXTENSION.get(extname(file).toLowerCase())
  if (format && allowed.includes(format)) return { path: resolve(file), format }
  const endings = [...BY_EXTENSION].filter(([, f]) => allowed.includes(f)).map(([ending]) => ending)
  return refuse(op, 'file', `a path that ends in ${endings.join(', ')}`, file)
}

/** Named tensors and what else a file says about itself. */
export interface Loaded {
  tensors: Record<string, Tensor>
  /** By the same names, their types in the file, such as f16 of what is loaded as f32. */
  stored: Record<string, string>
  /** Of safetensors files; empty for others. */
  metadata: Record<string, string>
}

/** The tensors of a file, on the default device or the one with this code; read on a thread of its own. */
export async function loadTensors(
  path: string,
  format: Format | 'idx',
  device: number = defaultDevice(),
): Promise<Loaded> {
  const { names, stored, metadata, prepared } = await native.loadTensors(path, format, device)
  const tensors = taken(prepared)
  const pairs = Array.from({ length: metadata.length / 2 }, (_, i) => [metadata[2 * i]!, metadata[2 * i + 1]!] as const)
  return {
    tensors: Object.fromEntries(names.map((name, i) => [name, tensors[i]!])),
    stored: Object.fromEntries(names.map((name, i) => [name, stored[i]!])),
    metadata: Object.fromEntries(pairs),
  }
}

/** Computes and writes named tensors: all of the file or nothing. */
export async function saveTensors(
  op: string,
  { path, format }: { path: string; format: Format },
  dict: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const pairs = Object.entries(metadata)
  if (pairs.length > 0 && format !== 'safetensors') {
    throw new ArgumentError(`${op}: only safetensors files have metadata, ${path} has none`, {
      op,
      argument: 'metadata',
      expected: 'none',
      received: pairs.map(([key]) => key).join(', '),
    })
  }
  for (const [key, value] of pairs) if (typeof value !== 'string') refuse(op, `metadata.${key}`, 'a string', value)
  const names = Object.keys(dict)
  const tensors = names.map((name) => {
    const value = dict[name]
    return isTensor(value) ? value._now() : refuse(op, name, 'a Tensor', value)
  })
  await materialize(...tensors)
  const handles = tensors.map((x) => x._id)
  await native.saveTensors(path, format, names, handles, pairs.flat())
}
