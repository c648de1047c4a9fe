/** The environment variables that the library reads. */
import { ArgumentError } from './errors.ts'

interface Variable {
  about: string
  /** What its value must be; anything where this is left out. */
  expected?: { text: string; pattern: RegExp }
}

const SWITCH = { text: '0 or 1', pattern: /^[01]$/ }

export const VARIABLES: Readonly<Record<string, Variable>> = {
  FOVEA_NATIVE: { about: "the native addon's file" },
  FOVEA_THREADS: {
    about: "how many threads the CPU's work is spread over",
    expected: { text: 'a whole number from 1 to 1024', pattern: /^(?:[1-9]\d{0,2}|10[01]\d|102[0-4])$/ },
  },
  FOVEA_ISA: {
    about: 'avx2 or portable: a lower instruction set than the best',
    expected: { text: 'avx2 or portable', pattern: /^(?:avx2|portable)$/ },
  },
  FOVEA_FUSION: { about: '0 runs every op on its own', expected: SWITCH },
  FOVEA_PLAN_REUSE: { about: '0 lets no values of a plan share memory', expected: SWITCH },
  FOVEA_TRACE: { about: '1 lets errors that come late name the line that made the tensor', expected: SWITCH },
  FOVEA_ALLOW_SOFTWARE_GPU: { about: '1 admits software adapters', expected: SWITCH },
  FOVEA_GPU_CHECKS: { about: '1 compiles shaders with bounds checks', expected: SWITCH },
  FOVEA_DATA: { about: 'a folder with data sets that need no download' },
  FOVEA_CACHE: { about: 'the folder for downloads' },
}

/** Throws an ArgumentError for the first variable whose value is none that it may have; empty ones are as not set. */
export function checkVariables(env: NodeJS.ProcessEnv = process.env): void {
  for (const [name, { expected }] of Object.entries(VARIABLES)) {
    const value = env[name]
    if (!expected || !value || expected.pattern.test(value)) continue
    const received = JSON.stringify(value)
    throw new ArgumentError(`The environment variable ${name} must be ${expected.text}, got ${received}`, {
      argument: name,
      expected: expected.text,
      received,
    })
  }
}
