/** Tar archives, as the system's own program makes them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { untar } from '../../ts/data/tar.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-tar-'))
afterAll(() => rmSync(dir, { recursive: true }))

const there = spawnSync('tar', ['--version']).status === 0
if (!there) console.log('tar archives: skipped, since there is no tar')

test.skipIf(!there)(
  'files are found by name, links are not files, and a cut archive gives those that are whole',
  () => {
    mkdirSync(join(dir, 'folder'))
    const content = {
      'a.bin': Buffer.alloc(700, 1),
      'b.bin': Buffer.alloc(512, 2),
      'c.txt': Buffer.from('c'),
      'd.bin': Buffer.alloc(0),
    }
    for (const [name, data] of Object.entries(content)) writeFileSync(join(dir, 'folder', name), data)
    const names = Object.keys(content).map((name) => `folder/${name}`)
    expect(spawnSync('tar', ['cf', 'all.tar', '--format=ustar', ...names, 'folder'], { cwd: dir }).status).toBe(0)
    const raw = readFileSync(join(dir, 'all.tar'))
    const found = untar(raw, ['a.bin', 'b.bin', 'd.bin', 'none'])
    expect([...found.keys()].toSorted()).toEqual(['a.bin', 'b.bin', 'd.bin'])
    expect(found.get('a.bin')).toEqual(content['a.bin'])
    expect(found.get('b.bin')).toEqual(content['b.bin'])
    for (let cut = 0; cut < raw.length; cut += 100) {
      for (const [name, data] of untar(raw.subarray(0, cut), ['a.bin'])) {
        expect([name, data]).toEqual(['a.bin', content['a.bin']])
      }
    }
    expect(untar(Buffer.from('not a tar archive at all'.repeat(100)), ['a.bin']).size).toBe(0)
  },
)
