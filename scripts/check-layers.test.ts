import { expect, test } from 'vitest'
import { crateViolations, importViolations, nameViolations, runtimeImports } from './check-layers.mjs'

const check = (files: Record<string, string>) => importViolations(new Map(Object.entries(files)))

test('imports that point down are fine', () => {
  expect(
    check({
      'native/addon.ts': `import { readFileSync } from 'node:fs'`,
      'generated/ops.ts': `import { dispatch } from '../native/addon.ts'`,
      'tensor/tensor.ts': `import { ops } from '../generated/ops.ts'\nimport './memory.ts'`,
      'nn/linear.ts': `export { Tensor } from '../tensor/tensor.ts'`,
      'train/fit.ts': `import { AdamW } from '../optim/adam.ts'\nimport { Mean } from '../metrics/mean.ts'`,
      'index.ts': `export * as nn from './nn/linear.ts'`,
    }),
  ).toEqual([])
})

test.each([
  ['an import', `import { Linear } from '../nn/linear.ts'`],
  ['an import for its effects', `import '../nn/linear.ts'`],
  ['an import of a value beside a type', `import { type Module, Linear } from '../nn/linear.ts'`],
  ['a re-export', `export * from '../nn/linear.ts'`],
  ['a dynamic import', `export const later = () => import('../nn/linear.ts')`],
])('%s that points back is caught', (_, text) => {
  expect(check({ 'tensor/tensor.ts': `// one line above\n${text}` })).toEqual([
    `ts/tensor/tensor.ts:2: tensor imports '../nn/linear.ts', which points back: nn is above tensor`,
  ])
})

test('an import of the package itself from inside is caught', () => {
  expect(check({ 'nn/linear.ts': `import { Tensor } from '../index.ts'` })[0]).toContain('points back')
  expect(check({ 'nn/linear.ts': `import { Tensor } from 'fovea'` })[0]).toContain('no runtime dependencies')
})

test('type-only imports may point anywhere', () => {
  expect(
    check({
      'tensor/tensor.ts': `import type { Module } from '../nn/module.ts'\nexport type { Fit } from '../train/fit.ts'`,
      'generated/ops.ts': `export type T = import('../tensor/tensor.ts').Tensor`,
    }),
  ).toEqual([])
})

test('two folders of one layer may not import each other', () => {
  const optim = `import { Module } from '../nn/module.ts'`
  expect(check({ 'optim/sgd.ts': optim })).toEqual([])
  expect(check({ 'optim/sgd.ts': optim, 'nn/module.ts': `import { SGD } from '../optim/sgd.ts'` })).toEqual([
    'ts/nn/module.ts:1: nn and optim import each other (also ts/optim/sgd.ts:1)',
  ])
})

test('a folder without a layer, a path out of ts and a package from outside are caught', () => {
  expect(check({ 'extras/a.ts': '' })[0]).toContain('folder extras has no place')
  expect(check({ 'nn/a.ts': `import '../../scripts/build.mjs'` })[0]).toContain('outside ts/')
  expect(check({ 'nn/a.ts': `import _ from 'lodash'` })[0]).toContain('no runtime dependencies')
})

test('an import inside a string or a comment is none', () => {
  expect(runtimeImports('a.ts', `const text = "import '../nn/a.ts'" // import '../nn/a.ts'`)).toEqual([])
})

const crate = (name: string, ...dependencies: [name: string, kind?: string][]) => ({
  name,
  dependencies: dependencies.map(([dependency, kind = null]) => ({ name: dependency, kind, path: `/${dependency}` })),
})

test('a crate that depends on one above it is caught', () => {
  expect(crateViolations([crate('fovea-cpu', ['fovea-core']), crate('fovea-ops', ['fovea-cpu'])])).toEqual([])
  expect(crateViolations([crate('fovea-core', ['fovea-ops'])])).toEqual([
    'crate fovea-core depends on fovea-ops, which is not below it',
  ])
  expect(crateViolations([crate('fovea-cpu', ['fovea-gpu', 'build'])])).toHaveLength(1)
  expect(crateViolations([crate('fovea-ops', ['fovea-native', 'dev'])])).toHaveLength(1)
})

test('tests of any crate may use the test kit, and crates from outside are free', () => {
  expect(crateViolations([crate('fovea-ops', ['fovea-testkit', 'dev'])])).toEqual([])
  expect(crateViolations([{ name: 'fovea-core', dependencies: [{ name: 'smallvec', kind: null }] }])).toEqual([])
})

test('names that say nothing are caught, as folders and as files', () => {
  const bad = ['ts/utils/a.ts', 'crates/core/src/common.rs', 'test/helper.test.ts', 'ts/nn/base.ts', 'misc/x']
  const good = ['ts/nn/baseline.ts', 'crates/core/src/commonality.rs', 'docs/utilities.md']
  expect(nameViolations([...bad, ...good])).toHaveLength(bad.length)
})
