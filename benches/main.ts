/**
 * `npm run bench`: what recording costs, then the table of cases; with --compare beside PyTorch and NumPy. Options are
 * in benches/options.ts.
 */
import { type Options, parseOptions, USAGE } from './options.ts'

let options: Options
try {
  options = parseOptions(process.argv.slice(2))
} catch (error) {
  console.error(`${(error as Error).message}\n\n${USAGE}`)
  process.exit(2)
}
// The engine reads it once, when it is loaded.
if (options.isa !== null) process.env.FOVEA_ISA = options.isa

const { recordings } = await import('./recordings.ts')
const { peakMemory } = await import('./compare/memory.ts')
const { tables } = await import('./compare/run.ts')

if (options.memory) {
  await peakMemory(options)
} else {
  if (!options.compare && options.only === null) await recordings(options.json)
  await tables(options)
}
