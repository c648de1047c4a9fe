/** The same figures of PyTorch, where FOVEA_PYTHON names a Python that has it. */
import { spawnSync } from 'node:child_process'
import { type Case, spread } from './report.ts'

const PROGRAM = `
import json, time, torch
torch.set_num_threads(1)
x, b = torch.randn(64, requires_grad=True), torch.randn(64, requires_grad=True)
samples = []
for _ in range(60):
    y = x
    began = time.perf_counter_ns()
    for _ in range(400):
        y = y.add(b).relu().mul(0.999)
    samples.append((time.perf_counter_ns() - began) / 1200)
print(json.dumps({'version': torch.__version__, 'samples': samples[20:]}))
`

/** An op of the same chain in PyTorch, which computes it at once: its 64 elements take a few nanoseconds of that. */
export function peerCases(): Case[] {
  const python = process.env.FOVEA_PYTHON
  if (!python) return []
  const { stdout, stderr, status } = spawnSync(python, ['-c', PROGRAM], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${python} could not run PyTorch:\n${stderr}`)
  const { version, samples } = JSON.parse(stdout) as { version: string; samples: number[] }
  return [{ name: `an op of the chain in PyTorch ${version}`, unit: 'ns', ...spread(samples) }]
}
