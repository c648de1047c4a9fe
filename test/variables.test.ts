/** Environment variables: what they may be, and what the library says of other values. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ArgumentError } from 'fovea'
import { checkVariables, VARIABLES } from '../ts/native/variables.ts'
import { resultOf, root, runChild } from './child.ts'

describe('environment variables', () => {
  test.each([
    ['FOVEA_THREADS', ['two', '0', '-1', '1.5', '1025', '2 '], 'a whole number from 1 to 1024'],
    ['FOVEA_ISA', ['avx', 'AVX2', 'avx512'], 'avx2 or portable'],
    ['FOVEA_FUSION', ['off', 'false'], '0 or 1'],
  ])('%s: what it may not be is told with name, value and what is expected', (name, values, expected) => {
    for (const value of values) {
      const received = JSON.stringify(value)
      expect(() => checkVariables({ [name]: value })).toThrow(ArgumentError)
      expect(() => checkVariables({ [name]: value })).toThrow(
        expect.objectContaining({
          message: `The environment variable ${name} must be ${expected}, got ${received}`,
          argument: name,
          expected,
          received,
        }) as Error,
      )
    }
  })

  test('what they may be passes, empty ones are as not set', () => {
    const fine = [
      { FOVEA_THREADS: '1', FOVEA_ISA: 'portable', FOVEA_FUSION: '' },
      { FOVEA_THREADS: '1024', FOVEA_ISA: 'avx2', FOVEA_FUSION: '0' },
      { FOVEA_THREADS: '', UNKNOWN: 'x' },
    ]
    for (const env of fine) expect(() => checkVariables(env)).not.toThrow()
  })

  test('the page of the command line has them all', () => {
    const page = readFileSync(join(root, 'docs', 'command-line.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `(FOVEA_\w+)` \|/gm)].map((match) => match[1])
    expect(rows.toSorted()).toEqual(Object.keys(VARIABLES).toSorted())
  })

  test('FOVEA_TRACE=1 lets an error that comes late name the line that made the value', async () => {
    const told = await resultOf<{ name: string; message: string; source: string }>('late-error', {
      env: { FOVEA_TRACE: '1' },
    })
    expect(told.name).toBe('StaleValueError')
    expect(told.source).toMatch(/late-error\.ts:5:\d+$/)
    expect(told.message).toMatch(/; the tensor was made at .*late-error\.ts:5:\d+$/)
    expect((await resultOf<{ source: null }>('late-error')).source).toBeNull()
  })

  test('importing the library is when they are looked at', async () => {
    const { code, stderr } = await runChild('predict', { env: { FOVEA_THREADS: 'many' } })
    expect(code).not.toBe(0)
    expect(stderr).toContain('ArgumentError: The environment variable FOVEA_THREADS must be a whole number')
  })
})
