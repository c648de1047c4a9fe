/**
 * `npm test`: sets up, then Rust tests, TypeScript tests, and the checks of `npm run check`.
 * `npm run test:long`: the ignored Rust tests in modules called `long`, and test/long/, instead (soaks, fuzzing,
 * MNIST in full).
 *
 * Stops after the first part that fails; the last line counts the test cases and checks of all parts that ran.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { check, runStep } from './check.mjs'
import { installed, root, script, startedDirectly, Stop } from './process.mjs'
import { setup } from './setup.mjs'

/** @typedef {{ passed: number, failed: number }} Count */

/**
 * Adds up the `test result:` lines of cargo test.
 * @param {string} output
 * @returns {Count}
 */
export function cargoCount(output) {
  const results = stripVTControlCharacters(output).matchAll(/^test result: .*?(\d+) passed; (\d+) failed/gm)
  const total = { passed: 0, failed: 0 }
  for (const [, passed, failed] of results) {
    total.passed += Number(passed)
    total.failed += Number(failed)
  }
  return total
}

/**
 * Reads the counts of vitest's JSON report; a file that could not be run counts as a failed test.
 * @param {{ numPassedTests: number, numFailedTests: number,
 *   testResults: { status: string, assertionResults: { status: string }[] }[] }} report
 * @returns {Count}
 */
export function vitestCount({ numPassedTests, numFailedTests, testResults }) {
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: numPassedTests, failed: numFailedTests + broken.length }
}

/**
 * A part that failed before it could count anything still counts as one failure.
 * @param {boolean} ok @param {Count} count @returns {Count}
 */
export function honest(ok, count) {
  return ok || count.failed > 0 ? count : { ...count, failed: 1 }
}

/** @param {boolean} long @returns {Promise<Count>} */
async function rustTests(long) {
  let output = ''
  const color = process.stdout.isTTY ? { CARGO_TERM_COLOR: 'always' } : {}
  const args = ['test', '--release', '--workspace', '--no-fail-fast', ...(long ? ['--', '--ignored', 'long::'] : [])]
  const ok = await runStep(
    { title: 'Rust tests', command: 'cargo', args },
    { env: color, watch: (text) => (output += text) },
  )
  return honest(ok, cargoCount(output))
}

/** @param {boolean} long @returns {Promise<Count>} */
async function typeScriptTests(long) {
  const file = join(root, 'target', 'vitest.json')
  mkdirSync(join(root, 'target'), { recursive: true })
  rmSync(file, { force: true })
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const ok = await runStep(
    { title: 'TypeScript tests', command: installed('vitest'), args },
    { env: long ? { FOVEA_LONG: '1' } : {} },
  )
  const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
  return honest(ok, report ? vitestCount(report) : { passed: 0, failed: 0 })
}

/** @returns {Promise<Count>} */
async function checks() {
  const { passed, failed } = await check()
  return { passed, failed: failed === null ? 0 : 1 }
}

if (startedDirectly(import.meta.url)) {
  await script(async () => {
    const long = process.argv.includes('--long')
    await setup()
    const total = { passed: 0, failed: 0 }
    for (const part of long ? [rustTests, typeScriptTests] : [rustTests, typeScriptTests, checks]) {
      const { passed, failed } = await part(long)
      total.passed += passed
      total.failed += failed
      if (failed > 0) break
    }
    process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`)
    if (total.failed > 0) throw new Stop('')
  })
}
