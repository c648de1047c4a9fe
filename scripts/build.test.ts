import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BuildProgress } from './build-progress.mjs'
import { fingerprint } from './build.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fovea-build-'))
  mkdirSync(join(folder, 'crates/core/src'), { recursive: true })
  mkdirSync(join(folder, 'crates/core/tests'))
  mkdirSync(join(folder, 'native'))
  writeFileSync(join(folder, 'Cargo.toml'), '[workspace]')
  writeFileSync(join(folder, 'crates/core/src/lib.rs'), 'fn a() {}')
})
afterEach(() => rmSync(folder, { recursive: true }))

test.each(['Cargo.toml', 'Cargo.lock', 'crates/core/src/lib.rs', 'crates/core/src/new.wgsl', 'native/build.rs'])(
  'a change of %s asks for a new build',
  (file) => {
    const before = fingerprint(folder, 'rustc 1.95.0')
    writeFileSync(join(folder, file), 'changed')
    expect(fingerprint(folder, 'rustc 1.95.0')).not.toBe(before)
  },
)

test.each(['native/fovea.node', 'crates/core/tests/shapes.rs', 'README.md'])(
  'a change of %s asks for no new build',
  (file) => {
    const before = fingerprint(folder, 'rustc 1.95.0')
    writeFileSync(join(folder, file), 'changed')
    expect(fingerprint(folder, 'rustc 1.95.0')).toBe(before)
  },
)

test('another compiler asks for a new build', () => {
  expect(fingerprint(folder, 'rustc 1.95.0')).not.toBe(fingerprint(folder, 'rustc 1.96.0'))
})

const artifact = (name: string, kind: string) =>
  JSON.stringify({
    reason: 'compiler-artifact',
    package_id: `registry#${name}@1.0.0`,
    target: { name, kind: [kind] },
    filenames: [`/target/release/lib${name}.so`],
  })

function follow(isTTY: boolean) {
  let written = ''
  let time = 0
  const out = { isTTY, columns: 60, write: (text: string) => (written += text) }
  const progress = new BuildProgress('Building', out, () => time)
  progress.total = 3
  return {
    progress,
    text: () => written,
    wait: (ms: number) => {
      time += ms
      progress.show()
    },
  }
}

test('in a terminal one line tells how many crates are done and which one is being compiled', () => {
  const { progress, text } = follow(true)
  progress.news('   Compiling smallvec v1.15.1')
  progress.message(artifact('smallvec', 'lib'))
  progress.message(artifact('build-script-build', 'custom-build'))
  progress.news('\u001b[1m\u001b[32m   Compiling\u001b[0m wgpu v30.0.1')
  expect(text().endsWith('\r\u001b[KBuilding · compiling 1/3 wgpu · 0.0 s')).toBe(true)
  expect(text()).not.toContain('\n')
})

test('in a pipe a line comes every ten seconds and no escape sequence', () => {
  const { progress, text, wait } = follow(false)
  progress.news('   Compiling smallvec v1.15.1')
  wait(9_000)
  expect(text()).toBe('')
  wait(1_500)
  wait(1_000)
  expect(text()).toBe('Building · compiling 0/3 smallvec · 10.5 s\n')
})

test('a diagnostic is printed whole', () => {
  const { progress, text } = follow(false)
  const lines = ['error[E0308]: mismatched types', '  --> crates/core/src/lib.rs:1:2', '   |', ' 1 | fn a() {}']
  for (const line of lines) progress.news(line)
  expect(text()).toBe(`${lines.join('\n')}\n`)
})

test('the library is the one of the addon', () => {
  const { progress } = follow(false)
  progress.message(artifact('serde_derive', 'proc-macro'))
  progress.message(artifact('fovea_native', 'cdylib'))
  expect(progress.library).toEqual(['/target/release/libfovea_native.so'])
})
