/** Errors that name what went wrong in fields as well as in words. */

/** What an error knows beyond its message. */
export interface ErrorFields {
  /** The op or function that refused. */
  op?: string
  /** The argument it refused. */
  argument?: string
  expected?: string
  received?: string
  /** Where in a model the call was made, such as `layers.0.conv1`. */
  modulePath?: string
  /**
   * The line of your program that called the op of an {@link AnomalyError}, or that made the tensor of an error which
   * comes late (with FOVEA_TRACE=1).
   */
  source?: string
}

/** Whether `message` has `op` as a word: "max" is not named by "maximum". */
function names(message: string, op: string): boolean {
  return message.split(/[^A-Za-z0-9]+/).includes(op)
}

/** Base of every error that the library throws on purpose. `code` is stable across versions. */
export class FoveaError extends Error implements ErrorFields {
  static readonly code: string = 'FOVEA_ERROR'
  readonly code: string
  declare readonly op?: string
  declare readonly argument?: string
  declare readonly expected?: string
  declare readonly received?: string
  declare modulePath?: string
  declare source?: string

  constructor(message: string, fields: ErrorFields = {}) {
    const { op, modulePath } = fields
    const named = op === undefined || names(message, op) ? message : `${op}: ${message}`
    super(modulePath === undefined ? named : `${named} (in ${modulePath})`)
    this.name = new.target.name
    this.code = new.target.code
    if (op !== undefined) this.op = op
    if (fields.argument !== undefined) this.argument = fields.argument
    if (fields.expected !== undefined) this.expected = fields.expected
    if (fields.received !== undefined) this.received = fields.received
    if (modulePath !== undefined) this.modulePath = modulePath
    if (fields.source !== undefined) this.source = fields.source
  }
}

/** Shapes that don't fit together or don't suit the op. */
export class ShapeError extends FoveaError {
  static override readonly code = 'FOVEA_SHAPE'
}

/** An element type that the op doesn't take. */
export class DTypeError extends FoveaError {
  static override readonly code = 'FOVEA_DTYPE'
}

/** Tensors of several devices in one op, or a device that isn't there. */
export class DeviceError extends FoveaError {
  static override readonly code = 'FOVEA_DEVICE'
}

/** An argument of the wrong type or out of its range. */
export class ArgumentError extends FoveaError {
  static override readonly code = 'FOVEA_ARGUMENT'
}

/** A value that would have to be computed from a version of a variable that is gone. */
export class StaleValueError extends FoveaError {
  static override readonly code = 'FOVEA_STALE_VALUE'
}

/** A tensor that was disposed of, or a value that needs one. */
export class DisposedError extends FoveaError {
  static override readonly code = 'FOVEA_DISPOSED'
}

/** A device has no memory left for what was asked. */
export class OutOfMemoryError extends FoveaError {
  static override readonly code = 'FOVEA_OUT_OF_MEMORY'
}

/** The GPU went away. */
export class DeviceLostError extends FoveaError {
  static override readonly code = 'FOVEA_DEVICE_LOST'
}

/** A file that isn't in the format it should be in. */
export class FormatError extends FoveaError {
  static override readonly code = 'FOVEA_FORMAT'
}

/** Missing or wrong data. */
export class DataError extends FoveaError {
  static override readonly code = 'FOVEA_DATA'
}

/** A model whose parts are not put together as a model must be. */
export class ModuleError extends FoveaError {
  static override readonly code = 'FOVEA_MODULE'
}

/** A derivative that disagrees with finite differences. */
export class GradientError extends FoveaError {
  static override readonly code = 'FOVEA_GRADIENT'
}

/** A NaN or an infinity, and where it was made. */
export class AnomalyError extends FoveaError {
  static override readonly code = 'FOVEA_ANOMALY'
}

/** The native addon is missing or doesn't load. */
export class NativeError extends FoveaError {
  static override readonly code = 'FOVEA_NATIVE'
}

/** A fault of the library itself. */
export class InternalError extends FoveaError {
  static override readonly code = 'FOVEA_INTERNAL'
}

/** Tells `error` where in a model it was thrown, unless it knows. */
export function locate(error: unknown, modulePath: string): void {
  if (!(error instanceof FoveaError) || error.modulePath !== undefined) return
  error.modulePath = modulePath
  error.message += ` (in ${modulePath})`
}

const CLASSES: Record<string, new (message: string, fields: ErrorFields) => FoveaError> = {
  ShapeError,
  DTypeError,
  DeviceError,
  ArgumentError,
  StaleValueError,
  DisposedError,
  OutOfMemoryError,
  DeviceLostError,
  FormatError,
  DataError,
  InternalError,
}

/** What the addon attaches to its errors. */
export interface NativeFields {
  kind: string
  message: string
  op?: string | null
  argument?: string | null
  expected?: string | null
  received?: string | null
  modulePath?: string | null
}

/** The error class instance for what the addon threw; anything else comes back as it is. */
export function translate(error: unknown): unknown {
  const fields = (error as { fields?: NativeFields } | null | undefined)?.fields
  if (!fields) return error
  const named: ErrorFields = {}
  if (fields.op) named.op = fields.op
  if (fields.argument) named.argument = fields.argument
  if (fields.expected) named.expected = fields.expected
  if (fields.received) named.received = fields.received
  if (fields.modulePath) named.modulePath = fields.modulePath
  return new (CLASSES[fields.kind] ?? InternalError)(fields.message, named)
}

/** How a value reads in an error message: short, and telling its type. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (typeof value === 'function') return value.name ? `function ${value.name}` : 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (Array.isArray(value)) {
    if (value.length <= 8 && value.every((v) => typeof v === 'number')) return `[${value.join(', ')}]`
    return `an array of ${value.length}`
  }
  const name = (value as object).constructor?.name ?? 'Object'
  if ('_shape' in (value as object)) return `a ${name} of shape [${(value as { _shape: number[] })._shape.join(', ')}]`
  if (ArrayBuffer.isView(value)) return `a ${name} of ${(value as Uint8Array).length ?? value.byteLength}`
  if (value instanceof Promise) return 'a Promise; await it first'
  return name === 'Object' ? 'an object' : `an object of class ${name}`
}

/** Throws the ArgumentError for `argument` of `op`, which should have been `expected` and is `value`. */
export function refuse(op: string, argument: string, expected: string, value: unknown): never {
  const received = describeValue(value)
  throw new ArgumentError(`${op}: ${argument} must be ${expected}, got ${received}`, {
    op,
    argument,
    expected,
    received,
  })
}
