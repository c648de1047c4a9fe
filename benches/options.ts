/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'

export const USAGE = `npm run bench -- [OPTIONS]
  --compare       beside PyTorch and NumPy of the Python that FOVEA_PYTHON names
  --memory        peak memory of the training steps instead of times
  --json          one line of JSON a case
  --only REGEX    the cases whose names match
  --pairs N       exactly N pairs of samples a case, instead of 15 to 60
  --isa NAME      portable, avx2 or avx512: the best instruction set that may be used (peers: avx2)
  --threads N     threads, here and in the peers`

export interface Options {
  compare: boolean
  memory: boolean
  json: boolean
  only: RegExp | null
  least: number
  most: number
  isa: string | null
  threads: number | null
}

/** Throws an Error that says what is wrong. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      compare: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      pairs: { type: 'string' },
      isa: { type: 'string' },
      threads: { type: 'string' },
    },
  })
  const whole = (name: 'pairs' | 'threads'): number | null => {
    const text = values[name]
    if (text === undefined) return null
    const n = Number(text)
    if (!Number.isSafeInteger(n) || n < 1) throw new Error(`--${name} must be a whole number from 1 on, got ${text}`)
    return n
  }
  const { compare, memory, json, only, isa = null } = values
  if (isa !== null && !['portable', 'avx2', 'avx512'].includes(isa)) {
    throw new Error(`--isa must be portable, avx2 or avx512, got ${isa}`)
  }
  const pairs = whole('pairs')
  return {
    compare,
    memory,
    json,
    only: only === undefined ? null : new RegExp(only),
    least: pairs ?? 15,
    most: pairs ?? 60,
    isa,
    threads: whole('threads'),
  }
}
