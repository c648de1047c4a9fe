/** What every script shares: the project's root, stopping with one sentence, running programs. */
import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Ends a script with one sentence for its user and no stack trace. */
export class Stop extends Error {
  /**
   * @param {string} sentence
   * @param {number} [exitCode]
   */
  constructor(sentence, exitCode = 1) {
    super(sentence)
    this.exitCode = exitCode
  }
}

/**
 * Runs a script's body; a `Stop` becomes its sentence on stderr and its exit code.
 * @param {() => Promise<void> | void} body
 */
export async function script(body) {
  try {
    await body()
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    if (error.message) process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  }
}

/** @param {string} url the module's `import.meta.url`; true when node was started with that file */
export function startedDirectly(url) {
  const started = process.argv[1]
  return started !== undefined && existsSync(started) && realpathSync(started) === fileURLToPath(url)
}

/** @param {number} ms */
export function seconds(ms) {
  const s = ms / 1000
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`
}

/** The path of a program that npm installed. @param {string} name */
export function installed(name) {
  return join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name)
}

const ignore = () => {}

/**
 * Runs a program in the project's root.
 *
 * Its output goes straight to ours; `watch` is also handed every piece of stdout as it comes.
 * Resolves with the exit code, 127 when the program does not exist, 128 + n after signal n.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, watch?: (text: string) => void, toStderr?: boolean }} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, { env = {}, watch, toStderr = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['inherit', watch ? 'pipe' : toStderr ? 2 : 'inherit', 'inherit'],
      shell: process.platform === 'win32' && command.endsWith('.cmd'),
    })
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      process.stdout.write(text)
      watch?.(text)
    })
    // A terminal sends Ctrl-C to the child as well: let it finish, then report how it ended.
    process.on('SIGINT', ignore)
    child.on('error', (error) => {
      process.off('SIGINT', ignore)
      if ('code' in error && error.code === 'ENOENT') resolve(127)
      else reject(error)
    })
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore)
      resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15))
    })
  })
}
