/** A table of a model's layers. */
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { DType } from '../native/types.ts'
import { zeros } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import { addHook, type ForwardCall } from './calls.ts'
import type { AnyModule } from './module.ts'
import { Parameter } from './parameter.ts'

/** One layer in a {@link Summary}. */
export interface SummaryRow {
  path: string
  /** The layer's class. */
  name: string
  /** Shape of what `forward` gave, of its first tensor where it gave several; null where it never ran. */
  output: readonly number[] | null
  /** Elements of the parameters that the layer itself owns. */
  parameters: number
}

/** The shape of an input, or those of several. */
export type InputShape = readonly number[] | readonly (readonly number[])[]

/** How a model is run for its {@link Summary}. */
export interface SummaryOptions {
  /** Dtype of the inputs, that of the model's weights unless given; integers for tables of vectors. */
  dtype?: DType | undefined
}

function checkShapes(shape: InputShape): readonly (readonly number[])[] {
  if (!Array.isArray(shape)) refuse('summary', 'inputShape', 'an array of sizes, or of shapes', shape)
  const shapes = shape.length > 0 && shape.every((s) => Array.isArray(s)) ? shape : [shape]
  return shapes as readonly (readonly number[])[]
}

/** The first tensor in what a module gave. */
function firstTensor(output: unknown): Tensor | null {
  if (isTensor(output)) return output
  if (!Array.isArray(output)) return null
  return output.map(firstTensor).find((x) => x !== null) ?? null
}

/** Calls `hear` with each module of `model` that runs on zeros of these shapes, in evaluation and without gradients. */
export function trace(
  model: AnyModule,
  inputShape: InputShape,
  options: SummaryOptions,
  hear: (call: ForwardCall) => void,
): void {
  const shapes = checkShapes(inputShape)
  const all = model.namedModules()
  const remove = all.map(([, m]) => addHook(m, hear))
  const modes = all.map(([, m]) => m.training)
  const [weight] = model.parameters()
  const { dtype = weight?.dtype } = options
  try {
    model.eval()
    noGrad(() => model.forward(...shapes.map((shape) => zeros(shape, { dtype, device: weight?.device }))))
  } finally {
    for (const off of remove) off()
    all.forEach(([, m], i) => ((m as { training: boolean }).training = modes[i]!))
  }
}

const elements = (list: readonly Parameter[]) => list.reduce((sum, p) => sum + p.size, 0)

/** What a model is made of; `toString()` is a table. */
export class Summary {
  constructor(
    readonly rows: readonly SummaryRow[],
    /** Elements of all parameters. */
    readonly parameters: number,
    /** Elements of those that are trained. */
    readonly trainable: number,
  ) {}

  /** Runs `module` once on zeros of `inputShape`, in evaluation mode and without gradients. */
  static of(module: AnyModule, inputShape: InputShape, options: SummaryOptions = {}): Summary {
    const shapes = new Map<AnyModule, readonly number[]>()
    trace(module, inputShape, options, ({ module: m, output }) => {
      const first = firstTensor(output)
      if (first) shapes.set(m, first.shape)
    })
    return Summary.#made(module, shapes)
  }

  /** The module's parts without running it. */
  static parts(module: AnyModule): Summary {
    return Summary.#made(module, new Map())
  }

  static #made(module: AnyModule, shapes: Map<AnyModule, readonly number[]>): Summary {
    const rows = module.namedModules().map(([path, m]) => ({
      path,
      name: m.constructor.name,
      output: shapes.get(m) ?? null,
      parameters: ownParameters(m),
    }))
    const parameters = module.parameters()
    return new Summary(rows, elements(parameters), elements(parameters.filter((p) => p.requiresGrad)))
  }

  /** The table. */
  toString(): string {
    const count = (n: number) => n.toLocaleString('en-US')
    const parents: string[] = [] // the paths above the row
    const cells = this.rows.map(({ path, name, output, parameters }) => {
      while (parents.length > 1 && !path.startsWith(`${parents.at(-1)!}.`)) parents.pop()
      const above = parents.at(-1)
      const own = above === undefined ? '' : path.slice(above === '' ? 0 : above.length + 1)
      const cell = above === undefined ? name : `${'  '.repeat(parents.length)}${own} ${name}`
      parents.push(path)
      return [cell, output === null ? '' : `[${output.join(', ')}]`, parameters === 0 ? '' : count(parameters)]
    })
    const columns = this.rows.some(({ output }) => output !== null) ? [0, 1, 2] : [0, 2]
    const table = [['layer', 'output', 'parameters'], ...cells]
    const lines = table.map((row) => {
      const parts = columns.map((c) => {
        const width = Math.max(...table.map((other) => other[c]!.length))
        return c === 2 ? row[c]!.padStart(width) : row[c]!.padEnd(width)
      })
      return parts.join('  ').trimEnd()
    })
    const frozen = this.parameters - this.trainable
    const total = `${count(this.parameters)} parameters${frozen > 0 ? `, ${count(frozen)} of them frozen` : ''}`
    return [...lines, total].join('\n')
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function ownParameters(module: AnyModule): number {
  const own = module._entries().filter(([, value]) => value instanceof Variable && value instanceof Parameter)
  return own.reduce((sum, [, value]) => sum + (value as Parameter).size, 0)
}
