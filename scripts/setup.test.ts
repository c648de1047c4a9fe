import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { cargoCount, honest, vitestCount } from './test.mjs'
import { neededInstall } from './setup.mjs'

const manifest = { devDependencies: { tsx: '4.23.15' } }
const lock = {
  packages: {
    '': manifest,
    'node_modules/tsx': { version: '4.23.15' },
    'node_modules/fsevents': { version: '2.3.3', optional: true },
  },
}
const tsx = (version: string) => ({ packages: { 'node_modules/tsx': { version } } })

test('npm runs only when what is installed is not what the lock says', () => {
  expect(neededInstall({ manifest, lock, installed: tsx('4.23.15') })).toBe('nothing')
  expect(neededInstall({ manifest, lock, installed: tsx('4.23.14') })).toBe('ci')
  expect(neededInstall({ manifest, lock, installed: { packages: {} } })).toBe('ci')
  expect(neededInstall({ manifest, lock, installed: null })).toBe('ci')
})

test('a lock that is missing or behind package.json is written anew', () => {
  expect(neededInstall({ manifest, lock: null, installed: null })).toBe('install')
  const asked = { devDependencies: { tsx: '4.23.16' } }
  expect(neededInstall({ manifest: asked, lock, installed: tsx('4.23.15') })).toBe('install')
  expect(neededInstall({ manifest: { devDependencies: {} }, lock, installed: tsx('4.23.15') })).toBe('install')
})

test('the lock names every package for every platform, and no registry', () => {
  const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
  for (const [path, entry] of Object.entries<{ version?: string; resolved?: string; optionalDependencies?: object }>(
    packages,
  )) {
    expect(entry.version, path).toBeDefined()
    expect(entry.resolved, path).toBeUndefined()
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      expect(packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`], name).toBeDefined()
    }
  }
})

test('the results of all test programs of cargo are added up', () => {
  const output = [
    'test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s',
    'test result: \u001b[31mFAILED\u001b[m. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out',
  ]
  expect(cargoCount(output.join('\n'))).toEqual({ passed: 15, failed: 2 })
})

test('a test file that does not load counts as a failure', () => {
  const testResults = [
    { status: 'failed', assertionResults: [] },
    { status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] },
    { status: 'passed', assertionResults: [{ status: 'passed' }] },
  ]
  expect(vitestCount({ numPassedTests: 2, numFailedTests: 1, testResults })).toEqual({ passed: 2, failed: 2 })
})

test('a part that fails without a count counts as one failure', () => {
  expect(honest(false, { passed: 0, failed: 0 })).toEqual({ passed: 0, failed: 1 })
  expect(honest(false, { passed: 5, failed: 2 })).toEqual({ passed: 5, failed: 2 })
  expect(honest(true, { passed: 5, failed: 0 })).toEqual({ passed: 5, failed: 0 })
})
