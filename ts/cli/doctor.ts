/** `fovea doctor`: what the library finds on this machine, and whether it works. */
import { FoveaError } from '../native/errors.ts'
import { machine, packageVersion, variables, type Machine, type SetVariable } from './facts.ts'
import type { Check } from './self-test.ts'
import { bytes, columns } from './table.ts'

/** What the addon tells. */
interface Engine {
  version: string
  isa: string
  features: string[]
  threads: number
  devices: { device: string; name: string; backend?: string; usable: boolean; reason: string | null }[]
  /** Why there is no GPU to use; null where there is one. */
  noGpu: string | null
}

export interface Findings {
  version: string
  machine: Machine
  variables: SetVariable[]
  /** Null where the addon doesn't load. */
  engine: Engine | null
  checks: Check[]
  /** What is wrong. */
  problems: string[]
}

const said = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** Loads the addon and asks it. */
async function examine(): Promise<{ engine: Engine; checks: Check[] }> {
  const { native } = await import('../native/addon.ts')
  const { devices, threads, useDevice } = await import('../tensor/index.ts')
  const { selfTest } = await import('./self-test.ts')
  const about = JSON.parse(native.about()) as Pick<Engine, 'version' | 'isa' | 'features'>
  let noGpu: string | null = null
  try {
    await useDevice('gpu')
    await useDevice('cpu')
  } catch (error) {
    if (!(error instanceof FoveaError)) throw error
    noGpu = said(error)
  }
  const found = (await devices()) as unknown as Engine['devices']
  const checks = [...(await selfTest('cpu')), ...(noGpu === null ? await selfTest('gpu') : [])]
  return { engine: { ...about, threads: threads(), devices: found, noGpu }, checks }
}

/** Everything that {@link doctor} prints. */
export async function findings(): Promise<Findings> {
  const version = packageVersion()
  const problems: string[] = []
  let [engine, checks]: [Engine | null, Check[]] = [null, []]
  try {
    ;({ engine, checks } = await examine())
    if (engine.version !== version)
      problems.push(`the addon is of version ${engine.version}, the package of ${version}`)
  } catch (error) {
    problems.push(said(error))
  }
  for (const { name, passed, found } of checks) if (!passed) problems.push(`${name} failed: ${found}`)
  return { version, machine: machine(), variables: variables(), engine, checks, problems }
}

function engineRows({ version, isa, features, threads, devices, noGpu }: Engine): string[][] {
  const places = devices.map(({ device, name, backend, usable, reason }) => {
    const text = backend === undefined ? name : `${name} (${backend})`
    return [device, usable ? text : `${text}, not used: ${reason}`]
  })
  const has = features.length > 0 ? `; the processor has ${features.join(', ')}` : ''
  return [
    ['addon', version],
    ['instruction set', `${isa}${has}`],
    ['threads', String(threads)],
    ...places,
    ...(noGpu === null || devices.some(({ reason }) => reason) ? [] : [['gpu', `none: ${noGpu}`]]),
  ]
}

/** The findings as text. */
export function told({ version, machine: m, variables: set, engine, checks, problems }: Findings): string {
  const { total, available, limit, heapLimit } = m.memory
  const memory = [
    bytes(total),
    ...(available === null ? [] : [`${bytes(available)} available`]),
    limit === null ? 'no limit for this process' : `limited to ${bytes(limit)}`,
    `JavaScript heap up to ${bytes(heapLimit)}`,
  ]
  const rows = [
    ['fovea', version],
    ['node', m.node],
    ['platform', `${m.platform}, ${m.system}`],
    ['processor', `${m.processor}, ${m.cores === 1 ? '1 core' : `${m.cores} cores`}`],
    ['memory', memory.join(', ')],
    ...(engine ? engineRows(engine) : [['addon', 'does not load']]),
    ...set.map(({ name, value, about }) => [name, `${value} (${about})`]),
    ...checks.map(({ name, passed, found, seconds }) => {
      return [name, `${passed ? 'ok' : 'FAILED'}, ${found}, ${seconds.toFixed(2)} s`]
    }),
  ]
  const verdict = problems.length === 0 ? 'All is well.' : problems.map((problem) => `Problem: ${problem}`).join('\n')
  return `${columns(rows)}\n\n${verdict}\n`
}

/** Prints the findings; the exit code is 1 where something is wrong. */
export async function doctor(json: boolean): Promise<number> {
  const found = await findings()
  process.stdout.write(
    json ? `${JSON.stringify({ ok: found.problems.length === 0, ...found }, null, 2)}\n` : told(found),
  )
  return found.problems.length === 0 ? 0 : 1
}
