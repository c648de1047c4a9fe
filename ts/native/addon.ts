/** Loads the native addon and turns its errors into the library's; docs/native-boundary.md says what each call does. */
import { translate, type NativeFields } from './errors.ts'
import { loadAddon } from './locate.ts'
import type { TypedArray } from './types.ts'
import { checkVariables } from './variables.ts'

/** The addon's functions. Handles and variables are numbers; `target` is the object that owns a new handle. */
export interface Addon {
  leaf(
    data: TypedArray,
    dtype: number,
    shape: readonly number[],
    device: number,
    requiresGrad: boolean,
    target: object,
  ): void
  adopt(handle: number, target: object): void
  alias(handleOrVariable: number, kind: 0 | 1, target: object): void
  toDevice(handle: number, device: number, target: object): void
  describe(handle: number): void
  describeVariable(variable: number): void

  variable(handle: number, name: string, requiresGrad: boolean): number
  ownVariable(variable: number, target: object): void
  assign(variable: number, handle: number): void
  freeVariable(variable: number): void
  setVariable(variable: number, name: string, requiresGrad: boolean): void

  setGradEnabled(on: boolean): boolean
  requiresGrad(handle: number, on: boolean): void
  retainGrad(handle: number): void
  backward(roots: number[], gradients: number[], createGraph: boolean): number
  gradients(outputs: number[], inputs: number[], gradOutputs: number[], createGraph: boolean): number
  resume(handles: number[]): number
  abortBackward(): void
  gradOf(kind: number, value: number): number
  setGrad(kind: number, value: number, handle: number): void
  custom(inputs: number[], outputs: number[], id: number, targets: object[]): void
  takeFreedCustoms(): number[]

  enterModule(path: string): void
  exitModule(): void
  enterInternal(): void
  exitInternal(): void
  markReturned(handle: number): void
  setRegion(id: number): number
  newRegion(): number
  inModule(): boolean
  keep(handle: number): void
  dispose(handle: number): void
  handleMark(): number
  disposeSince(mark: number, except: number[]): void

  evaluate(handles: number[]): Promise<void>
  evaluateSync(handles: number[]): void
  step(): number
  stepDone(step: number): Promise<void>
  copyOut(handle: number, target: TypedArray): void
  isReady(handle: number): boolean
  sweep(): void

  seed(n: number): void
  randomState(): number[]
  setRandomState(seed: number, offset: number): void
  setDefaultDevice(code: number): void
  about(): string
  devices(): string
  openGpu(): void
  setThreads(n: number): void
  threads(): number
  machinePeak(): string
  startProfile(): void
  endProfile(): string
  memory(): string
  counters(): string
  setFlag(name: string, value: number): void
  drain(): void

  saveTensors(
    file: string,
    format: string,
    names: string[],
    handles: number[],
    metadata: readonly string[],
  ): Promise<void>
  loadTensors(file: string, format: string, device: number): Promise<ReadTensors>
  decodeImages(
    files: readonly string[],
    options: readonly number[],
    keep: 0 | 1 | 2,
    device: number,
  ): Promise<DecodedImages>
  gatherRows(
    handles: readonly number[],
    scales: readonly number[],
    rows: Int32Array,
    device: number,
    stack: true,
  ): Promise<number>
  gatherRows(
    handles: readonly number[],
    scales: readonly number[],
    rows: Int32Array,
    device: number,
    stack: false,
  ): number
  takePrepared(number: number): number[]
  extractZip(file: string, dir: string): Promise<void>
  replaceFile(file: string, data: Uint8Array): Promise<void>
}

/** What a file of tensors holds. */
export interface ReadTensors {
  names: string[]
  /** Their types in the file. */
  stored: string[]
  /** Keys and values in turn. */
  metadata: string[]
  /** The number of the values, for `takePrepared`. */
  prepared: number
}

/** Pictures as normalised floats; those that failed have a size of 0 × 0. */
export interface DecodedImages {
  /** The number of the value, for `takePrepared`; absent where one failed or they differ in size. */
  prepared?: number
  /** Height and width of each. */
  sizes: number[]
  /** Positions of the pictures that could not be read, and why not, see {@link translate}. */
  failed: number[]
  errors: unknown[]
}

interface RawAddon extends Addon {
  scratch: Float64Array | (() => Float64Array)
  dispatch(op: number, target: object): number
  takeError(): Error & { fields?: NativeFields }
}

function rethrow(error: unknown): never {
  throw translate(error)
}

/** The addon's plain functions, throwing the library's errors. */
function translated(addon: RawAddon): Addon {
  const out: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(addon)) {
    if (typeof member !== 'function') continue
    const call = member as (...args: unknown[]) => unknown
    out[name] = (...args: unknown[]) => {
      let result: unknown
      try {
        result = call(...args)
      } catch (error) {
        throw translate(error)
      }
      return result instanceof Promise ? result.catch(rethrow) : result
    }
  }
  return out as unknown as Addon
}

checkVariables()
const raw = loadAddon() as RawAddon

export const native: Addon = translated(raw)

/** The numbers shared with the addon: arguments going in, descriptions coming out. */
export const scratch: Float64Array = typeof raw.scratch === 'function' ? raw.scratch() : raw.scratch

/** Records an op whose arguments stand in `scratch`; below zero when that failed, see {@link takeError}. */
export const dispatch: (op: number, target: object) => number = raw.dispatch

/** The error of the last dispatch that returned less than zero. */
export function takeError(): unknown {
  return translate(raw.takeError())
}
