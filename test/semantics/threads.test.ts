/** S20: workers, and processes that end in the middle of a step. */
import { describe, expect, test } from 'vitest'
import { resultOf, runChild } from '../child.ts'
import { gpuFor, quietDrivers } from '../gpu.ts'

const gpu = await gpuFor('leaving in mid-step on the GPU')

describe('S20: threads', () => {
  test('S20: four workers train and are terminated in the middle of a step, for several rounds', async () => {
    const result = await resultOf<{ rounds: number; steps: number; same: boolean }>('workers', { timeout: 120_000 })
    expect(result.rounds).toBe(4)
    expect(result.steps).toBeGreaterThan(4 * 4) // every worker had begun
    expect(result.same).toBe(true) // the main thread's own training went on undisturbed
  }, 130_000)

  test('S20: workers have graphs, seeds and module paths of their own', async () => {
    const { losses } = await resultOf<{ losses: number[] }>('worker-losses')
    expect(losses).toHaveLength(4)
    expect(new Set(losses).size).toBe(1)
  })

  const ways = ['exit', 'exit-in-loop', 'exit-in-worker', 'terminate', 'uncaught', 'end'] as const
  const codes = { exit: 3, 'exit-in-loop': 4, 'exit-in-worker': 5, terminate: 0, uncaught: 1, end: 0 }

  const leave = async (way: string, device: string) => {
    const { code, signal, stderr } = await runChild('leaving', { args: [way, device], env: quietDrivers })
    return { code, signal, complaint: stderr === '' ? '' : (/^Error: .*/m.exec(stderr)?.[0] ?? stderr) }
  }
  const left = (way: keyof typeof codes) => {
    return { code: codes[way], signal: null, complaint: way === 'uncaught' ? 'Error: mine' : '' }
  }

  test.each(ways)('S20: a process leaves in the middle of a step with its own exit code (%s)', async (way) => {
    expect(await leave(way, 'cpu')).toEqual(left(way))
  })

  test.skipIf(!gpu).each(ways)('S20: so does one whose steps run on the GPU (%s)', async (way) => {
    expect(await leave(way, 'gpu')).toEqual(left(way))
  })

  test('S20: a step in flight keeps the process alive until it has been done, an idle engine does not', async () => {
    const { code, stdout } = await runChild('leaving', { args: ['await'] })
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'done\n' })
  })

  test('S20: reads on the calling thread work while the engine is busy for another', async () => {
    const { code, stdout, stderr } = await runChild('busy')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe('1000 reads\n')
  })

  test('S20: workers that only read on their own threads, all at once, get what they ask for', async () => {
    const { right, wanted } = await resultOf<{ right: number; wanted: number }>('workers-reading')
    expect(right).toBe(wanted)
  })
})
