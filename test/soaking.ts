/** Soaks: programs that run long in processes of their own, and how much memory they may take. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { resultOf } from './child.ts'

interface Soaked {
  warm: number
  last: number
  most: number
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

/** This Node and, where FOVEA_NODE24 names one, Node 24. */
function nodes(): [name: string, path: string][] {
  const other = process.env.FOVEA_NODE24
  if (!other) console.log('soak: FOVEA_NODE24 names no second Node; its soaks are skipped')
  else if (!existsSync(other)) throw new Error(`FOVEA_NODE24 names ${other}, which does not exist`)
  const own: [string, string] = [`Node ${process.versions.node}`, process.execPath]
  return other ? [own, ['Node 24', other]] : [own]
}

/**
 * Steps until the garbage between two collections has been at its most a few times. An inference is a fraction of a
 * training step.
 */
const WARM_UP: Record<string, number> = { awaiting: 4_000, sync: 4_000, inference: 20_000 }

/** Tests of `steps` steps after a warm-up, on every Node there is. */
export function soak(steps: number, timeout: number): void {
  for (const [name, node] of nodes()) {
    describe(`S16: memory stays flat, nothing disposed of (${name})`, () => {
      test.each(Object.entries(WAYS))(
        `S16: %s: %s, ${steps.toLocaleString('en-US')} steps`,
        async (way) => {
          const args = [way, String(steps), String(WARM_UP[way])]
          const { warm, last, most, handles, values, loss } = await resultOf<Soaked>('soak', { args, node, timeout })
          expect(Number.isFinite(loss)).toBe(true)
          expect(last / warm, 'resident at the end').toBeLessThan(1.05)
          expect(most / warm, 'resident at most').toBeLessThan(1.05)
          expect(handles).toBeLessThan(100_000)
          expect(values).toBeLessThan(32 << 20)
        },
        timeout,
      )
    })
  }
}
