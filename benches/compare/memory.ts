/** Peak memory of the training steps, ours and PyTorch's, each in a process of its own. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { threads } from 'fovea'
import type { Case } from '../cases/case.ts'
import type { Options } from '../options.ts'
import { chosen, startPeers } from './run.ts'
import { PeerServer } from './server.ts'
import { STEPS } from './steps.ts'

/** MiB that a fresh process of ours needs for the case. */
function ours({ name }: Case, count: number): number {
  const program = join(import.meta.dirname, 'resident.ts')
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', 'tsx', program, name], {
    encoding: 'utf8',
    env: { ...process.env, FOVEA_THREADS: String(count) },
  })
  if (status !== 0) throw new Error(`${name} did not run:\n${stderr}`)
  return (JSON.parse(stdout) as { mib: number }).mib
}

/** MiB that a fresh process of PyTorch needs, or why there are none. */
async function theirs({ peer, forms }: Case, options: Options, count: number): Promise<number | string> {
  const python = process.env.FOVEA_PYTHON!
  const server = await PeerServer.start({ python, threads: count, avx2: options.isa === 'avx2', tuned: false })
  const { mib, error } = await server.ask({ memory: STEPS, spec: peer, form: forms[0] })
  server.stop()
  return mib ?? error ?? 'it said nothing'
}

export async function peakMemory(options: Options): Promise<void> {
  const count = options.threads ?? threads()
  const peers = options.compare ? await startPeers(options) : []
  peers.forEach((server) => server.stop())
  if (!options.json) console.log(`Peak memory of ${STEPS} training steps, MiB above what the loaded libraries take`)
  for (const one of chosen(options.only)) {
    if (one.family !== 'training') continue
    const mine = ours(one, count)
    const peer = peers.length > 0 ? await theirs(one, options, count) : null
    const ratio = typeof peer === 'number' ? peer / mine : null
    if (options.json) {
      const figures = { ours_mib: mine, peer_mib: typeof peer === 'number' ? peer : null, ratio }
      console.log(JSON.stringify({ case: one.name, ...figures }))
      if (typeof peer === 'string') console.error(`${one.name}: ${peer}`)
    } else {
      const beside = peer === null ? '' : typeof peer === 'string' ? `, torch: ${peer}` : `, torch ${peer.toFixed(0)}`
      console.log(
        `  ${one.name.padEnd(34)} ${mine.toFixed(0).padStart(6)}${beside}${ratio ? `, ratio ${ratio.toFixed(2)}` : ''}`,
      )
    }
  }
}
