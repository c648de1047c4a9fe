/** A table of a model's layers. */
import { isTensor } from '../native/record.ts'
import { refuse } from '../native/errors.ts'
import { zeros } from '../tensor/create.ts'
import { noGrad } from '../tensor/scopes.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Variable } from '../tensor/variable.ts'
import { addHook } from './calls.ts'
import type { AnyModule } from './module.ts'
import { Parameter } from './parameter.ts'

export interface SummaryRow {
  path: string
  /** The layer's class. */
  name: string
  /** Shape of what `forward` gave; null where it never ran or gave no tensor. */
  output: readonly number[] | null
  /** Elements of the parameters that the layer itself owns. */
  parameters: number
}

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
  static of(module: AnyModule, inputShape: readonly number[]): Summary {
    if (!Array.isArray(inputShape)) refuse('summary', 'inputShape', 'an array of sizes', inputShape)
    const all = module.namedModules()
    const shapes = new Map<AnyModule, readonly number[]>()
    const remove = all.map(([, m]) =>
      addHook(m, ({ output }) => {
        if (isTensor(output)) shapes.set(m, output.shape)
      }),
    )
    const modes = all.map(([, m]) => m.training)
    const device = module.parameters()[0]?.device
    try {
      module.eval()
      noGrad(() => (module as unknown as { forward(x: Tensor): unknown }).forward(zeros(inputShape, { device })))
    } finally {
      for (const off of remove) off()
      all.forEach(([, m], i) => ((m as { training: boolean }).training = modes[i]!))
    }
    const rows = all.map(([path, m]) => ({
      path,
      name: m.constructor.name,
      output: shapes.get(m) ?? null,
      parameters: ownParameters(m),
    }))
    const parameters = module.parameters()
    const size = (list: Parameter[]) => list.reduce((sum, p) => sum + p.size, 0)
    return new Summary(rows, size(parameters), size(parameters.filter((p) => p.requiresGrad)))
  }

  toString(): string {
    const number = (n: number) => n.toLocaleString('en-US')
    const cells = this.rows.map(({ path, name, output, parameters }) => [
      path === '' ? name : `${'  '.repeat(path.split('.').length)}${path} ${name}`,
      output === null ? '' : `[${output.join(', ')}]`,
      parameters === 0 ? '' : number(parameters),
    ])
    const table = [['layer', 'output', 'parameters'], ...cells]
    const widths = [0, 1, 2].map((c) => Math.max(...table.map((row) => row[c]!.length)))
    const lines = table.map((row) =>
      `${row[0]!.padEnd(widths[0]!)}  ${row[1]!.padEnd(widths[1]!)}  ${row[2]!.padStart(widths[2]!)}`.trimEnd(),
    )
    const frozen = this.parameters - this.trainable
    const total = `${number(this.parameters)} parameters${frozen > 0 ? `, ${number(frozen)} of them frozen` : ''}`
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
