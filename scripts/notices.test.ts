/** What the platform's package says about the crates in the addon. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { linkedCrates, notices, noticesOf } from './notices.mjs'
import { root } from './process.mjs'

const text = notices()
const listed = new Set([...text.split('\n\n')[1]!.matchAll(/^(\S+ \S+), /gm)].map((match) => match[1]))

describe('the notices of the addon', () => {
  test('list what cargo says is linked', () => {
    const args = ['tree', '-p', 'fovea-native', '--edges', 'normal,no-proc-macro', '--prefix', 'none', '--locked']
    const tree = execFileSync('cargo', [...args, '--format', '{p}'], { cwd: root, encoding: 'utf8' })
    const linked = [...tree.matchAll(/^(\S+) v(\S+)(?: \(\*\))?$/gm)].map(([, name, version]) => `${name} ${version}`)
    expect(linked.length).toBeGreaterThan(40)
    expect(linked.filter((name) => !listed.has(name))).toEqual([])
  })

  test('list every crate whose sources the addon itself names', () => {
    const addon = readFileSync(join(root, 'native', 'fovea.node'), 'latin1')
    const paths = addon.matchAll(/registry[/\\]src[/\\][^/\\]+[/\\]([\w-]+?)-(\d[\w.+-]*)[/\\]/g)
    const named = new Set(Array.from(paths, ([, name, version]) => `${name} ${version}`))
    expect(named.size).toBeGreaterThan(20)
    expect([...named].filter((name) => !listed.has(name))).toEqual([])
  })

  test('hold a licence for each of them', () => {
    const heads = [...text.matchAll(/^-{80}\n(.+)\n-{80}\n\n(?=\S)/gm)].flatMap((match) => match[1]!.split(', '))
    expect([...listed].filter((name) => !heads.includes(name!))).toEqual([])
    expect(text).toContain('THE SOFTWARE IS PROVIDED "AS IS"')
    expect(text).toContain('Apache License')
  })
})

const crate = (name: string, kinds: string[] = ['lib']) => ({
  id: name,
  name,
  version: '1.0.0',
  license: 'MIT',
  source: name === 'fovea-native' ? null : 'registry',
  repository: null,
  authors: ['Somebody'],
  manifest_path: join(root, 'nowhere', 'Cargo.toml'),
  targets: [{ kind: kinds }],
})

test('what only runs while the addon is built is not in it', () => {
  const packages = [crate('fovea-native'), crate('a'), crate('b'), crate('macro', ['proc-macro']), crate('builder')]
  const needs = (id: string, ...deps: [string, string | null][]) => {
    return { id, deps: deps.map(([pkg, kind]) => ({ pkg, dep_kinds: [{ kind }] })) }
  }
  const nodes = [needs('fovea-native', ['a', null], ['builder', 'build'], ['macro', null]), needs('a', ['b', null])]
  expect(linkedCrates({ packages, resolve: { nodes } }).map(({ name }) => name)).toEqual(['a', 'b'])
})

test('one text stands once, with all whose it is', () => {
  const out = noticesOf([crate('a'), crate('b')], ({ name }) => (name === 'a' ? ['Same  text.'] : ['Same\ntext.']))
  expect(out.match(/Same\s+text/g)).toHaveLength(1)
  expect(out).toContain('\na 1.0.0, b 1.0.0\n')
})
