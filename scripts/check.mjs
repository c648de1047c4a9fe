/** `npm run check`: everything about the code that can be judged without running it. Stops at the first failure. */
import { installed, run, script, seconds, startedDirectly, Stop } from './process.mjs'
import { installPackages } from './setup.mjs'
import { checkToolchain } from './toolchain.mjs'

/** @typedef {{ title: string, command: string, args: string[], mend?: string }} Step */

/** @type {Step[]} */
export const steps = [
  {
    title: 'Format of TypeScript (prettier)',
    command: installed('prettier'),
    args: ['--check', '--log-level', 'warn', '.'],
    mend: 'npm run format',
  },
  { title: 'Format of Rust (rustfmt)', command: 'cargo', args: ['fmt', '--all', '--check'], mend: 'npm run format' },
  { title: 'Import layers and names', command: process.execPath, args: ['scripts/check-layers.mjs'] },
  { title: 'Lint of TypeScript (oxlint)', command: installed('oxlint'), args: ['--deny-warnings'] },
  { title: 'Types (tsc)', command: installed('tsc'), args: ['--noEmit'] },
  {
    title: 'API pages: everything exported is documented (typedoc)',
    command: installed('typedoc'),
    args: ['--emit', 'none', '--skipErrorChecking', '--logLevel', 'Warn'],
  },
  {
    title: 'Lint of Rust (clippy)',
    command: 'cargo',
    args: ['clippy', '--release', '--workspace', '--all-targets', '--quiet', '--', '-D', 'warnings'],
  },
  {
    title: 'Generated files are fresh (xtask)',
    command: 'cargo',
    args: ['run', '--release', '--quiet', '-p', 'xtask', '--', 'generate', '--check'],
    mend: 'npm run generate',
  },
]

/**
 * Runs a step under its title and tells how long it took. Returns whether it passed.
 * @param {Step} step
 * @param {Parameters<typeof run>[2]} [options]
 */
export async function runStep({ title, command, args, mend }, options) {
  process.stdout.write(`\n── ${title}\n`)
  const began = Date.now()
  const code = await run(command, args, options)
  const time = seconds(Date.now() - began)
  if (code === 0) process.stdout.write(`   ok, ${time}\n`)
  else process.stdout.write(`   failed after ${time} (exit code ${code})${mend ? `; \`${mend}\` mends it` : ''}\n`)
  return code === 0
}

/**
 * Runs `list` up to the first failure.
 * @param {Step[]} [list]
 * @returns {Promise<{ passed: number, failed: string | null }>}
 */
export async function check(list = steps) {
  let passed = 0
  for (const step of list) {
    if (!(await runStep(step))) return { passed, failed: step.title }
    passed++
  }
  return { passed, failed: null }
}

if (startedDirectly(import.meta.url)) {
  await script(async () => {
    await installPackages()
    checkToolchain()
    const { failed } = await check()
    if (failed !== null) throw new Stop(`\nFailed: ${failed}`)
    process.stdout.write('\nAll checks passed.\n')
  })
}
