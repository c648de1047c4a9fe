/** What recording costs, beside a raw native call and PyTorch: medians, with quartiles in brackets. */
import { peerCases } from './peers.ts'
import { recordingCases } from './recording.ts'
import { show } from './report.ts'

export async function recordings(json: boolean): Promise<void> {
  show('Recording', [...(await recordingCases()), ...peerCases()], json)
}
