/** `fovea doctor`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Findings } from '../../ts/cli/doctor.ts'
import { fovea } from './command.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-doctor-'))
afterAll(() => rmSync(dir, { recursive: true }))

const found = async (env: Record<string, string>) => {
  const { code, stdout } = await fovea(['doctor', '--json'], { env })
  return { code, findings: JSON.parse(stdout) as Findings & { ok: boolean } }
}

test('on a machine where all is well it says so, and what it found', async () => {
  const { code, stdout, stderr } = await fovea(['doctor'], { env: { FOVEA_THREADS: '2', FOVEA_THREDS: '3' } })
  expect(code, stderr).toBe(0) // GPU drivers may write to stderr
  expect(stdout).toMatch(/^threads +2$/m)
  expect(stdout).toMatch(/^FOVEA_THREDS +3 \(nothing reads it\)$/m)
  expect(stdout).toMatch(/^node +\d+\.\d+\.\d+$/m)
  expect(stdout).toMatch(/^matmul on cpu +ok, largest difference \d\.\de-\d+/m)
  expect(stdout).toMatch(/All is well\.\n$/)
})

test('--json has the same as data: every check ran and passed, on the instruction set that was asked for', async () => {
  const { code, findings } = await found({ FOVEA_ISA: 'portable' })
  expect([code, findings.ok, findings.problems]).toEqual([0, true, []])
  expect(findings.engine).toMatchObject({ version: findings.version, isa: 'portable' })
  expect(findings.variables).toContainEqual(
    expect.objectContaining({ name: 'FOVEA_ISA', value: 'portable', known: true }),
  )
  const cpu = findings.checks.filter(({ name }) => name.endsWith('on cpu'))
  expect(cpu.map(({ name }) => name)).toEqual(['matmul on cpu', 'convolution on cpu', 'training on cpu'])
  expect(findings.checks.every(({ passed }) => passed)).toBe(true)
})

test('a GPU is tested, or there is the reason why none is used', async () => {
  const { findings } = await found({ FOVEA_ALLOW_SOFTWARE_GPU: '0' })
  const tested = findings.checks.some(({ name }) => name === 'training on gpu')
  expect(tested ? 'DeviceError: none' : findings.engine!.noGpu).toMatch(/^DeviceError: ./)
  expect(findings.engine!.noGpu === null).toBe(tested)
})

test('an addon that does not load is a problem: exit code 1, and the rest is told all the same', async () => {
  const file = join(dir, 'broken.node')
  writeFileSync(file, 'no library')
  const { code, findings } = await found({ FOVEA_NATIVE: file })
  expect([code, findings.ok, findings.engine]).toEqual([1, false, null])
  expect(findings.problems).toEqual([
    expect.stringMatching(/^NativeError: The native addon .*broken\.node does not load/),
  ])
  expect(findings.machine.cores).toBeGreaterThan(0)
})
