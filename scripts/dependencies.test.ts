import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './process.mjs'

const text = (file: string) => readFileSync(join(root, file), 'utf8')

/** The names in the dependency sections of a Cargo.toml, but for the workspace's own crates. */
function crates(manifest: string): string[] {
  const sections = text(manifest)
    .split(/^(?=\[)/m)
    .filter((section) => /^\[[\w .'()="-]*dependencies\]/.test(section))
  const names = sections.flatMap((section) => [...section.matchAll(/^([\w-]+)(?:\.workspace)? *=/gm)])
  return names.map((found) => found[1]!).filter((name) => !name.startsWith('fovea-'))
}

test('docs/dependencies.md has a line for every dependency, and no other', () => {
  const folders = ['.', 'native', ...readdirSync(join(root, 'crates')).map((name) => `crates/${name}`)]
  const manifests = folders.map((folder) => join(folder, 'Cargo.toml')).filter((file) => existsSync(join(root, file)))
  const { dependencies = {}, devDependencies = {} } = JSON.parse(text('package.json')) as Record<string, object>
  const used = new Set([...manifests.flatMap(crates), ...Object.keys({ ...dependencies, ...devDependencies })])
  const lines = [...text('docs/dependencies.md').matchAll(/^\| (@?[\w/-]+)(?: \([^)]*\))? \|/gm)].map(
    (found) => found[1]!,
  )
  expect(used).toContain('wgpu')
  expect(lines.filter((name) => name !== 'crate').toSorted()).toEqual([...used].toSorted())
})
