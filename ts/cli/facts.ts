/** What there is to know about a machine without the addon. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { VARIABLES } from '../native/variables.ts'

/** The version in the package's own package.json. */
export function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

export interface Machine {
  platform: string
  system: string
  processor: string
  cores: number
  node: string
  /** Bytes. */
  memory: {
    total: number
    /** What is free for this process now. */
    available: number | null
    /** What a container or the system allows this process; null where it sets no limit. */
    limit: number | null
    /** What JavaScript's own objects may take; tensors are outside. */
    heapLimit: number
  }
}

export function machine(): Machine {
  const total = totalmem()
  const limit = process.constrainedMemory()
  return {
    platform: `${process.platform}-${process.arch}`,
    system: `${type()} ${release()}`,
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    node: process.versions.node,
    memory: {
      total,
      available: process.availableMemory?.() ?? null,
      // Without a limit, some kernels state the largest number there is.
      limit: limit !== undefined && limit > 0 && limit < total ? limit : null,
      heapLimit: getHeapStatistics().heap_size_limit,
    },
  }
}

/** Variables that only the project's own programs and tests read. */
const OF_TESTS = /^FOVEA_(RUNS|NODES|PYTHON|REQUIRE_GPU|FUZZ_SECONDS|LONG|OP|CASE|WAYS)$/

export interface SetVariable {
  name: string
  value: string
  /** What it does, or that nothing reads it. */
  about: string
  known: boolean
}

/** The variables that are set and begin with FOVEA_. */
export function variables(env: NodeJS.ProcessEnv = process.env): SetVariable[] {
  const names = Object.keys(env).filter((name) => name.startsWith('FOVEA_'))
  return names.toSorted().map((name) => {
    const about =
      VARIABLES[name]?.about ?? (OF_TESTS.test(name) ? "read by the project's own programs and tests" : undefined)
    return { name, value: env[name]!, about: about ?? 'nothing reads it', known: about !== undefined }
  })
}
