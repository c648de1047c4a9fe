/** Runs the chosen cases, family by family, and prints a line for each as soon as it is there. */
import { cpus } from 'node:os'
import { machinePeak, setThreads, threads } from 'fovea'
import { allCases, FAMILIES } from '../cases/index.ts'
import type { Case } from '../cases/case.ts'
import type { Options } from '../options.ts'
import { judged, type Row } from './limit.ts'
import { timed } from './pairs.ts'
import { PeerServer } from './server.ts'
import { heading, line, rowText, summary } from './table.ts'

/** The peers' processes; none where there is no Python, which is then said. */
export async function startPeers({ isa }: Options): Promise<PeerServer[]> {
  const python = process.env.FOVEA_PYTHON
  if (!python) {
    console.error('No peers: set FOVEA_PYTHON to the path of a Python that has torch (and numpy) to compare with them.')
    return []
  }
  const shared = { python, threads: threads(), avx2: isa === 'avx2' }
  const servers = [
    await PeerServer.start({ ...shared, tuned: false }),
    await PeerServer.start({ ...shared, tuned: true }),
  ]
  if (Object.keys(servers[0]!.libraries).length > 0) return servers
  console.error(`No peers: ${python} has neither torch nor numpy; set FOVEA_PYTHON to the path of a Python that has.`)
  servers.forEach((server) => server.stop())
  return []
}

export function chosen(only: RegExp | null): readonly Case[] {
  return allCases().filter(({ name }) => only === null || only.test(name))
}

export async function tables(options: Options): Promise<void> {
  if (options.threads !== null) setThreads(options.threads)
  const cases = chosen(options.only)
  const servers = options.compare ? await startPeers(options) : []
  const libraries = Object.entries(servers[0]?.libraries ?? {}).map((pair) => pair.join(' '))
  const peak = machinePeak()
  const machine =
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${threads()} threads, ` +
    `${options.isa ?? 'best'} instruction set; at most ${peak.gflops.toFixed(0)} GFLOP/s, reading ` +
    `${peak.readGbps.toFixed(1)} GB/s, triad ${peak.triadGbps.toFixed(1)} GB/s` +
    (libraries.length > 0 ? `; beside ${libraries.join(', ')}` : '')
  if (options.json) console.error(machine)
  else console.log(machine)
  try {
    for (const family of FAMILIES) {
      const rows: Row[] = []
      for (const one of cases) {
        if (one.family !== family) continue
        if (rows.length === 0 && !options.json) console.log(heading(family))
        const row = judged(one, await timed(one, servers, options), peak)
        rows.push(row)
        console.log(options.json ? line(row) : rowText(row))
        if (options.json) for (const failure of row.failures) console.error(`${one.name}: ${failure}`)
      }
      const text = options.json ? null : summary(family, rows)
      if (text) console.log(text)
    }
  } finally {
    servers.forEach((server) => server.stop())
  }
}
