/** Soaks: programs that run long in processes of their own, and how much memory they may take. */
import { spawnSync } from 'node:child_process'
import { delimiter } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resultOf } from './child.ts'

interface Soaked {
  earlier: number
  later: number
  handles: number
  nodes: number
  values: number
  loss: number
}

const WAYS = {
  awaiting: 'training, awaiting each step',
  sync: 'training without ever yielding',
  inference: 'inference without noGrad',
}

/** This Node and those of FOVEA_NODES, a list of paths as in PATH. */
function nodes(): [name: string, path: string][] {
  const others = (process.env.FOVEA_NODES ?? '').split(delimiter).filter(Boolean)
  if (others.length === 0) console.log('soak: FOVEA_NODES names no other Node; only this one is tested')
  return [process.execPath, ...others].map((path) => {
    const { error, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (error) throw new Error(`FOVEA_NODES names ${path}, which does not run: ${error.message}`)
    return [`Node ${stdout.trim()}`, path]
  })
}

/**
 * Steps until the garbage between two collections has been at its most a few times. An inference is a fraction of a
 * training step.
 */
const WARM_UP: Record<string, number> = { awaiting: 4_000, sync: 4_000, inference: 20_000 }

/**
 * The size of V8's young generation, in MiB. Left alone it doubles when V8 sees fit, in one run of five after the
 * warm-up: 32 MiB at once, a fifth of all, and none of it ours.
 */
const YOUNG = ['--min-semi-space-size=8', '--max-semi-space-size=8']

/** Tests of `steps` steps after a warm-up, on every Node there is. */
export function soak(steps: number, timeout: number): void {
  for (const [name, node] of nodes()) {
    describe(`S16: memory stays flat, nothing disposed of (${name})`, () => {
      test.each(Object.entries(WAYS))(
        `S16: %s: %s, ${steps.toLocaleString('en-US')} steps`,
        async (way) => {
          const args = [way, String(steps), String(WARM_UP[way])]
          const { earlier, later, handles, values, loss } = await resultOf<Soaked>('soak', {
            args,
            flags: YOUNG,
            node,
            timeout,
          })
          expect(Number.isFinite(loss)).toBe(true)
          expect(later / earlier, 'most resident in the second half').toBeLessThan(1.05)
          expect(handles).toBeLessThan(100_000)
          expect(values).toBeLessThan(32 << 20)
        },
        timeout,
      )
    })
  }
}
