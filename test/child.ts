/** Programs of test/programs in processes of their own. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

export interface ChildOptions {
  args?: string[]
  /** Of Node itself. */
  flags?: string[]
  env?: Record<string, string>
  /** The Node to run it with; this one when left out. */
  node?: string
  /** After this many milliseconds the process is killed. Default 60,000. */
  timeout?: number
  /** A signal that is sent once the output matches. */
  interrupt?: { signal: NodeJS.Signals; after: RegExp }
}

export interface Outcome {
  /** Null where a signal ended the process. */
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

/** Runs `test/programs/<name>.ts`, or a TypeScript file of the project, and waits for its end. */
export function runChild(name: string, options: ChildOptions = {}): Promise<Outcome> {
  const { args = [], flags = [], env = {}, node = process.execPath, timeout = 60_000, interrupt } = options
  const file = name.endsWith('.ts') ? join(root, name) : join(root, 'test', 'programs', `${name}.ts`)
  if (!existsSync(file)) throw new Error(`there is no ${file}`)
  return new Promise((done, failed) => {
    const child = spawn(node, [...flags, '--import', 'tsx', file, ...args], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeout)
    let [stdout, stderr] = ['', '']
    let pending = interrupt
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (!pending?.after.test(stdout)) return
      child.kill(pending.signal)
      pending = undefined
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.on('error', failed)
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      done({ code, signal, stdout, stderr })
    })
  })
}

/** As {@link runChild}; the program must end well, and the last line of its output is JSON. */
export async function resultOf<T>(name: string, options: ChildOptions = {}): Promise<T> {
  const { code, signal, stdout, stderr } = await runChild(name, options)
  if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}:\n${stdout}${stderr}`)
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as T
}
