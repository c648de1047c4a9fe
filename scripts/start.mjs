/** `npm start`: the main job. Options are read before anything is installed or built. */
import { help, parseOptions, usageProblem } from './mnist/options.mjs'
import { script, Stop } from './process.mjs'
import { runProgram } from './run.mjs'

await script(async () => {
  const args = process.argv.slice(2)
  const options = parseOptions(args)
  if (typeof options === 'string') throw new Stop(usageProblem(options), 2)
  if (options.help) process.stdout.write(help)
  else await runProgram('scripts/mnist/main.ts', args)
})
