/**
 * Sets the tree up, then runs one of the project's TypeScript programs in this process.
 *
 *   node scripts/run.mjs test/conformance.ts --device cpu --json
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root, script, startedDirectly, Stop } from './process.mjs'
import { setup } from './setup.mjs'

/** @param {string} program its path in the project @param {string[]} args what it finds from `process.argv[2]` on */
export async function runProgram(program, args) {
  const file = join(root, program)
  if (!existsSync(file)) throw new Stop(`There is no ${program}.`)
  await setup()
  process.env.TSX_TSCONFIG_PATH ??= join(root, 'tsconfig.json') // where `fovea` means the sources in ts/
  const { register } = await import('tsx/esm/api')
  register()
  process.argv = [process.argv[0], file, ...args]
  await import(pathToFileURL(file).href)
}

if (startedDirectly(import.meta.url)) {
  await script(() => {
    const [program, ...args] = process.argv.slice(2)
    if (!program) throw new Stop('usage: node scripts/run.mjs PROGRAM.ts [OPTIONS]', 2)
    return runProgram(program, args)
  })
}
