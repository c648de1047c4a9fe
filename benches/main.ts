/**
 * `npm run bench`: what recording costs, beside a raw native call and PyTorch, and a few op timings. Medians, with
 * quartiles (for ops: the least and the third quartile) in brackets. Options: --json (one line for each case).
 */
import { cpus } from 'node:os'
import { threads } from 'fovea'
import { opCases } from './ops.ts'
import { peerCases } from './peers.ts'
import { recordingCases } from './recording.ts'
import { show } from './report.ts'

const unknown = process.argv.slice(2).filter((argument) => argument !== '--json')
if (unknown.length > 0) {
  console.error(`npm run bench takes --json only, not ${unknown.join(' ')}`)
  process.exit(2)
}
const json = process.argv.includes('--json')

if (!json) console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${threads()} threads`)
show('Recording', [...(await recordingCases()), ...peerCases()], json)
show('Ops', await opCases(), json)
