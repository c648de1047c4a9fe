/** Lines of the user's program: where ops were called, and where tensors were made whose errors come late. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { FoveaError } from './errors.ts'

// A bundler that writes CommonJS leaves nothing in import.meta.
const here = typeof __filename === 'string' ? pathToFileURL(__filename).href : import.meta.url

/** The folder of the library, whose lines are not what the user looks for. */
const library = () => fileURLToPath(new URL('..', here))
const DEPTH = 60

/** The line outside the library that made the call. */
export function callingLine(): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = DEPTH
  const stack = new Error().stack ?? ''
  Error.stackTraceLimit = limit
  const lines = stack.split('\n').slice(1)
  const places = lines.map((line) => /\(?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line)?.[1])
  const plain = places.map((place) => (place?.startsWith('file://') ? fromUrl(place) : place))
  const own = library()
  return plain.find((place) => place !== undefined && !place.startsWith(own)) ?? ''
}

/** A path from `file://…:line:column`. */
function fromUrl(place: string): string {
  const at = /^(.*)(:\d+:\d+)$/.exec(place)!
  return fileURLToPath(at[1]!) + at[2]!
}

/** The lines that made tensors; null unless FOVEA_TRACE is 1. */
const made = process.env.FOVEA_TRACE === '1' ? new WeakMap<object, string>() : null

/** Notes the line that makes a tensor, where that is wanted. */
export const noteOrigin: (tensor: object) => void = made === null ? () => {} : (x) => void made.set(x, callingLine())

/** An error that comes when a tensor is used, with the line that made the tensor where that was noted. */
export function withOrigin(error: unknown, tensor: object): unknown {
  const line = made?.get(tensor)
  if (!line || !(error instanceof FoveaError) || error.source !== undefined) return error
  error.source = line
  error.message += `; the tensor was made at ${line}`
  return error
}
