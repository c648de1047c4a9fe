/** The quick start's files type-check quickly against the declarations that the package has, as its page sets them up. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, loadavg } from 'node:os'
import { basename, join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { root } from '../child.ts'
import { emptied, linesOf, programsOf } from './snippets.ts'

const page = 'docs/quick-start.md'
const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')

/** What somebody waits for `tsc` on the quick start's files, on a machine that does little else. 1.15 on two cores. */
const MOST_SECONDS = 2
/** What the types of the package cost the compiler, whatever the machine does. 1,139 when this was written. */
const MOST_INSTANTIATIONS = 2000

const here = join(root, 'target', 'docs', 'types')
const declarations = join(here, 'fovea')
const folder = join(here, 'digits')

interface Outcome {
  seconds: number
  output: string
  status: number | null
}

function compile(...args: string[]): Outcome {
  const began = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, encoding: 'utf8' })
  return { seconds: (performance.now() - began) / 1000, output: stdout + stderr, status }
}

let runs: Outcome[] = []

beforeAll(() => {
  emptied(here)
  const { output, status } = compile('-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', declarations)
  if (status !== 0) throw new Error(`no declarations: ${output}`)
  emptied(folder)
  for (const { file } of programsOf(page, join(here, 'pages'))) cpSync(file, join(folder, basename(file)))
  const text = linesOf(page).join('\n')
  const config = JSON.parse(/```json\n(.*?)```/s.exec(text)![1]!) as { compilerOptions: object }
  const paths = { fovea: [`${declarations}/index.d.ts`], 'fovea/*': [`${declarations}/*/index.d.ts`] }
  const options = { ...config.compilerOptions, paths }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
  runs = Array.from({ length: 3 }, () => compile('-p', folder, '--extendedDiagnostics'))
}, 300_000)

test('with the tsconfig.json of its page, without complaints', () => {
  expect(existsSync(join(folder, 'train.ts'))).toBe(true)
  for (const { status, output } of runs) expect(status, output).toBe(0)
})

test(`with at most ${MOST_INSTANTIATIONS} instantiations of types`, () => {
  const count = Number(/Instantiations:\s+(\d+)/.exec(runs[0]!.output)?.[1])
  expect(count).toBeGreaterThan(0)
  expect(count).toBeLessThanOrEqual(MOST_INSTANTIATIONS)
})

test(`within ${MOST_SECONDS} seconds, the best of three`, ({ skip }) => {
  const best = Math.min(...runs.map(({ seconds }) => seconds))
  const load = loadavg()[0]! / availableParallelism()
  if (best > MOST_SECONDS && load > 0.5) {
    const why = `took ${best.toFixed(2)} s while the machine was busy (load ${load.toFixed(1)} a core)`
    console.warn(`not judged: the check of the quick start's types ${why}`)
    skip(why)
  }
  expect(best).toBeLessThanOrEqual(MOST_SECONDS)
})
