/** Whole models in folders: how they are built, their weights, and what belongs to their use. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { native } from '../native/addon.ts'
import { ArgumentError, DataError, describeValue, FormatError, refuse } from '../native/errors.ts'
import { type AnyModule, isModule } from '../nn/module.ts'
import { loadTensors, saveTensors } from './tensors.ts'

/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/** A way to build a model from a configuration; see {@link defineModel}. */
export interface ModelDefinition<Config extends Json, M extends AnyModule> {
  (config: Config): M
  readonly modelName: string
}

/** What {@link save} keeps beside the weights. */
export interface ModelNotes {
  /** How inputs were made ready, such as the size, mean and std of pictures. */
  preprocessing?: Json
  /** The names of classes, in the order of the logits. */
  labels?: readonly string[]
}

/** A model that {@link load} brought back, in evaluation mode. */
export interface LoadedModel<M extends AnyModule, Config extends Json = Json> {
  model: M
  config: Config
  preprocessing: Json
  labels: readonly string[]
}

/** The file that describes the folder; it names the file of weights that belongs to it. */
export const DESCRIPTION = 'model.json'
const VERSION = 1

export interface Description {
  fovea: number
  model: string
  config: Json
  preprocessing: Json
  labels: readonly string[]
  weights: string
}

const definitions = new Map<string, ModelDefinition<Json, AnyModule>>()
const origins = new WeakMap<AnyModule, { name: string; config: Json }>()

/** Throws an ArgumentError where a value doesn't survive JSON. */
function checkJson(op: string, argument: string, value: unknown): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (Array.isArray(value)) return value.forEach((v, i) => checkJson(op, `${argument}[${i}]`, v))
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, v] of Object.entries(value)) if (v !== undefined) checkJson(op, `${argument}.${key}`, v)
    return
  }
  refuse(op, argument, 'a value that JSON can hold', value)
}

/**
 * Gives a way to build a model a name, so that {@link save} and {@link load} can write and build it again:
 *
 *     const digitNet = defineModel('digit-net', (config: { width: number }) => new DigitNet(config.width))
 *     const model = digitNet({ width: 16 })
 *
 * A process that loads the model must have run the same definition, usually by importing its file. The configuration
 * must be plain data. Throws an ArgumentError where the name belongs to another definition.
 */
export function defineModel<Config extends Json, M extends AnyModule>(
  name: string,
  build: (config: Config) => M,
): ModelDefinition<Config, M> {
  if (typeof name !== 'string' || name === '') refuse('defineModel', 'name', 'a name', name)
  if (typeof build !== 'function') refuse('defineModel', 'build', 'a function that builds a model', build)
  if (definitions.has(name)) {
    throw new ArgumentError(`defineModel: there is a model called ${name} already`, {
      op: 'defineModel',
      argument: 'name',
      expected: 'a name of its own',
      received: name,
    })
  }
  const make = (config: Config): M => {
    checkJson(name, 'config', config)
    const model = build(config)
    if (!isModule(model)) refuse(name, 'build', 'a function that returns a Module', model)
    origins.set(model, { name, config })
    return model
  }
  const definition = Object.assign(make, { modelName: name })
  definitions.set(name, definition as unknown as ModelDefinition<Json, AnyModule>)
  return definition
}

/**
 * Writes a model into a folder: `model.json` (which model, its configuration, `preprocessing`, `labels`) and a
 * safetensors file of weights. A save that fails leaves what the folder held before.
 *
 * Throws an ArgumentError where the model was not built by a {@link defineModel}, a DataError where it can't be
 * written.
 */
export async function save(model: AnyModule, dir: string, notes: ModelNotes = {}): Promise<void> {
  if (!isModule(model)) refuse('save', 'model', 'a model', model)
  if (typeof dir !== 'string' || dir === '') refuse('save', 'dir', 'a path', dir)
  const origin = origins.get(model)
  if (!origin) {
    const name = (model as AnyModule).constructor.name
    throw new ArgumentError(
      `save: this ${name} was not built by a model definition, so nobody could build it again; see defineModel, or ` +
        'keep the weights alone with saveWeights',
      { op: 'save', argument: 'model', expected: 'a model of a defineModel', received: `an object of class ${name}` },
    )
  }
  const { preprocessing = null, labels = [] } = notes
  checkJson('save', 'preprocessing', preprocessing)
  if (!Array.isArray(labels)) refuse('save', 'labels', 'an array of strings', labels)
  labels.forEach(
    (label: unknown, i) => void (typeof label === 'string' || refuse('save', `labels[${i}]`, 'a string', label)),
  )
  const folder = resolve(dir)
  // A name of its own: until the description is replaced, the old one names the old weights.
  const weights = `weights-${randomBytes(4).toString('hex')}.safetensors`
  await saveTensors('save', { path: join(folder, weights), format: 'safetensors' }, model.stateDict())
  const { name, config } = origin
  const description: Description = { fovea: VERSION, model: name, config, preprocessing, labels, weights }
  await native.replaceFile(join(folder, DESCRIPTION), Buffer.from(`${JSON.stringify(description, null, 2)}\n`))
  for (const file of readdirSync(folder)) {
    if (/^weights-[0-9a-f]{8}\.safetensors$/.test(file) && file !== weights) rmSync(join(folder, file), { force: true })
  }
}

/** What the description of a saved model says. Throws a DataError or FormatError where it is missing or damaged. */
export function described(file: string): Description {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DataError(`load: ${file} can't be read: ${reason}`, {
      op: 'load',
      argument: 'dir',
      expected: 'a saved model',
    })
  }
  let value: Partial<Description>
  try {
    value = JSON.parse(text) as Partial<Description>
  } catch {
    throw new FormatError(`load: ${file} is not JSON`, { op: 'load', argument: 'dir', expected: 'JSON' })
  }
  const wrong = (field: string, expected: string, received: unknown): never => {
    const got = describeValue(received)
    throw new FormatError(`load: ${file}: ${field} must be ${expected}, got ${got}`, {
      op: 'load',
      argument: field,
      expected,
      received: got,
    })
  }
  if (typeof value !== 'object' || value === null) return wrong('the file', 'an object', value)
  const { fovea, model, config = null, preprocessing = null, labels = [], weights } = value
  if (fovea !== VERSION) wrong('fovea', `${VERSION}, the version of the format`, fovea)
  if (typeof model !== 'string') return wrong('model', 'the name of a model', model)
  if (typeof weights !== 'string' || !/^[\w-]+\.safetensors$/.test(weights)) {
    return wrong('weights', 'the name of a safetensors file in the folder', weights)
  }
  if (!Array.isArray(labels) || labels.some((label) => typeof label !== 'string')) {
    return wrong('labels', 'an array of strings', labels)
  }
  return { fovea: VERSION, model, config, preprocessing, labels, weights }
}

/**
 * Builds the model of a folder that {@link save} wrote, with its weights, in evaluation mode: it predicts what the
 * saved one predicted. With its definition given, the model and its configuration have their types.
 *
 * Throws an ArgumentError where the model's definition is not known here, a DataError or FormatError where a file is
 * missing or damaged.
 */
export async function load<Config extends Json, M extends AnyModule>(
  dir: string,
  definition: ModelDefinition<Config, M>,
): Promise<LoadedModel<M, Config>>
export async function load(dir: string): Promise<LoadedModel<AnyModule>>
export async function load(
  dir: string,
  definition?: ModelDefinition<Json, AnyModule>,
): Promise<LoadedModel<AnyModule>> {
  if (typeof dir !== 'string' || dir === '') refuse('load', 'dir', 'a path', dir)
  const folder = resolve(dir)
  const { model: name, config, preprocessing, labels, weights } = described(join(folder, DESCRIPTION))
  if (definition !== undefined && definition.modelName !== name) {
    refuse('load', 'definition', `that of ${name}, which ${dir} holds`, definition.modelName)
  }
  const make = definitions.get(name)
  if (!make) {
    throw new ArgumentError(
      `load: ${dir} holds a model called ${name}, which is not defined here; import the file that calls ` +
        `defineModel('${name}', …) first`,
      {
        op: 'load',
        argument: 'dir',
        expected: `a definition of ${name}`,
        received: [...definitions.keys()].join(', ') || 'none',
      },
    )
  }
  const model = make(config)
  model.loadStateDict((await loadTensors(join(folder, weights), 'safetensors')).tensors)
  return { model: model.eval(), config, preprocessing, labels }
}
