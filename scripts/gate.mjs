/**
 * `npm run bench:gate`: counts the instructions of a fixed set of kernels and of a training step under valgrind's
 * callgrind and compares them with benches/gate.json, within 3 %. On one thread and AVX2, which valgrind knows.
 *
 *   npm run bench:gate                          fails where a count is above its figure
 *   npm run bench:gate -- --write [--reason R]  writes the counts; a raised figure needs a reason, which is kept beside it
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, script, startedDirectly, Stop } from './process.mjs'

const FIGURES = join(root, 'benches', 'gate.json')
const TOLERANCE = 0.03
/** The counts of two runs are subtracted, so that starting and planning drop out. */
const ROUNDS = [2, 6]

/** @typedef {{ instructions: number, reason?: string }} Figure */

/**
 * What is wrong with the counts, one sentence each.
 * @param {Record<string, number>} counts @param {Record<string, Figure>} figures @returns {string[]}
 */
export function violations(counts, figures) {
  const found = []
  for (const [name, count] of Object.entries(counts)) {
    const figure = figures[name]?.instructions
    if (figure === undefined) found.push(`${name} has no figure`)
    else if (count > figure * (1 + TOLERANCE)) found.push(`${name} takes ${percent(count, figure)} more instructions`)
  }
  for (const name of Object.keys(figures)) if (!(name in counts)) found.push(`${name} is no case any more`)
  return found
}

/** @param {number} count @param {number} figure */
const percent = (count, figure) => `${((count / figure - 1) * 100).toFixed(1)} %`

/**
 * The figures to write. Throws a Stop where one is raised without a reason.
 * @param {Record<string, number>} counts @param {Record<string, Figure>} figures @param {string | undefined} reason
 * @returns {Record<string, Figure>}
 */
export function updated(counts, figures, reason) {
  /** @type {Record<string, Figure>} */
  const out = {}
  for (const [name, instructions] of Object.entries(counts)) {
    const old = figures[name]
    if (old && Math.abs(instructions / old.instructions - 1) <= TOLERANCE) out[name] = old
    else if (!old || instructions < old.instructions) out[name] = { instructions }
    else if (reason) out[name] = { instructions, reason }
    else throw new Stop(`${name} is raised by ${percent(instructions, old.instructions)}: say why with --reason.`)
  }
  return out
}

/** @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} [env] */
function output(command, args, env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  if (error) throw new Stop(`${command} does not run (${error.message}); valgrind is a package of the same name.`)
  if (status !== 0) throw new Stop(`${command} ${args.join(' ')} failed:\n${stderr}`)
  return stdout
}

/** @param {string} program @param {string} name @param {number} rounds @param {string} folder */
function counted(program, name, rounds, folder) {
  const file = join(folder, 'callgrind.out')
  const args = ['--tool=callgrind', `--callgrind-out-file=${file}`, program, name, String(rounds)]
  output('valgrind', args, { FOVEA_ISA: 'avx2', FOVEA_THREADS: '1' })
  const count = /^(?:summary|totals): (\d+)/m.exec(readFileSync(file, 'utf8'))?.[1]
  if (!count) throw new Stop(`valgrind counted nothing for ${name}`)
  return Number(count)
}

/** @returns {Record<string, number>} */
function measured() {
  output('cargo', ['build', '--release', '--quiet', '-p', 'fovea-testkit', '--bin', 'gate'])
  const program = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'release', 'gate')
  const folder = mkdtempSync(join(tmpdir(), 'fovea-gate-'))
  try {
    /** @type {Record<string, number>} */
    const counts = {}
    for (const name of output(program, []).trim().split('\n')) {
      const [few, many] = ROUNDS.map((rounds) => counted(program, name, rounds, folder))
      counts[name] = Math.round((Number(many) - Number(few)) / (Number(ROUNDS[1]) - Number(ROUNDS[0])))
    }
    return counts
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (startedDirectly(import.meta.url)) {
  await script(() => {
    const { values } = parseArgs({ options: { write: { type: 'boolean' }, reason: { type: 'string' } } })
    /** @type {Record<string, Figure>} */
    const figures = existsSync(FIGURES) ? JSON.parse(readFileSync(FIGURES, 'utf8')) : {}
    const counts = measured()
    for (const [name, count] of Object.entries(counts)) {
      const figure = figures[name]?.instructions
      const change = figure === undefined ? '' : percent(count, figure)
      process.stdout.write(`${name.padEnd(26)} ${String(count).padStart(12)} ${change}\n`)
    }
    if (values.write) writeFileSync(FIGURES, `${JSON.stringify(updated(counts, figures, values.reason), null, 2)}\n`)
    else {
      const found = violations(counts, figures)
      if (found.length > 0) throw new Stop(found.join('\n'))
    }
  })
}
