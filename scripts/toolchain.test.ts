import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { atLeast, missingLinker, nodeProblem, parseVersion, statedMinimum, toolchainProblem } from './toolchain.mjs'

const rustc = 'rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu'
const cargo = 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'

test.each([
  [rustc, [1, 95, 0]],
  ['rustc 1.97.0-nightly (abc 2026-05-01)', [1, 97, 0]],
  ['>=20.19', [20, 19, 0]],
  ['no version', null],
])('the version in %j', (text, version) => {
  expect(parseVersion(text)).toEqual(version)
})

test.each([
  [[1, 92, 0], [1, 92, 0], true],
  [[1, 91, 9], [1, 92, 0], false],
  [[2, 0, 0], [1, 92, 3], true],
  [[1, 92, 2], [1, 92, 3], false],
])('%j is at least %j: %s', (found, needed, expected) => {
  expect(atLeast(found, needed)).toBe(expected)
})

test('a toolchain that will do is no problem', () => {
  expect(toolchainProblem({ rustc, cargo, minimum: '1.92' })).toBeNull()
})

test('a missing toolchain names what to install', () => {
  expect(toolchainProblem({ rustc: null, cargo: null, minimum: '1.92' })).toMatch(
    /^Rust is not installed.* install stable Rust 1\.92 or newer from https:\/\/rustup\.rs/,
  )
  expect(toolchainProblem({ rustc, cargo: null, minimum: '1.92' })).toMatch(/^cargo is not installed/)
})

test('a toolchain that is too old names both versions', () => {
  const problem = toolchainProblem({ rustc: 'rustc 1.85.1 (abc 2025-03-15)', cargo, minimum: '1.92' })
  expect(problem).toMatch(/^Rust 1\.85\.1 is too old: this project needs 1\.92 or newer/)
})

test('Cargo.toml states the oldest Rust that will do', () => {
  const stated = statedMinimum(readFileSync(new URL('../Cargo.toml', import.meta.url), 'utf8'))
  expect(parseVersion(stated)?.[0]).toBe(1)
  expect(() => statedMinimum('[workspace]')).toThrow('rust-version')
})

test('a Node that is too old is named', () => {
  expect(nodeProblem('18.20.4', '>=20.19')).toBe('Node 18.20.4 is too old: this project needs 20.19 or newer.')
  expect(nodeProblem('20.19.0', '>=20.19')).toBeNull()
})

test('a missing linker is told from an error in the code', () => {
  expect(missingLinker('error: linker `cc` not found\n  |')).toMatch(
    /^Rust found no linker \(cc\): install a C compiler/,
  )
  expect(missingLinker('error[E0308]: mismatched types')).toBeNull()
})
