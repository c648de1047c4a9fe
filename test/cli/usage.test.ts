/** What the command says of itself, and to those who mistype. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../child.ts'
import { fovea } from './command.ts'

test('--help tells of every command, and each command of its options', async () => {
  const all = await fovea(['--help'])
  expect([all.code, all.stderr]).toEqual([0, ''])
  for (const line of ['fovea doctor [--json]', 'fovea summary FILE', 'fovea report RUN [--out FILE]']) {
    expect(all.stdout).toContain(line)
  }
  const one = await fovea(['report', '--help'])
  expect(one.code).toBe(0)
  for (const option of ['--out FILE', '--title TEXT', '--open', '--help']) expect(one.stdout).toContain(option)
})

test('--version is that of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect((await fovea(['--version'])).stdout).toBe(`${version}\n`)
})

test.each([
  [[], /a command is missing; there are doctor, summary, report/],
  [['doctr'], /there is no command 'doctr'; there are doctor, summary, report/],
  [['constructor'], /there is no command 'constructor'/],
  [['doctor', '--jsn'], /Unknown option '--jsn'; the command is fovea doctor \[--json\]/],
  [['doctor', 'now'], /'now' is one argument too many; the command is fovea doctor/],
  [['summary'], /FILE is missing; the command is fovea summary FILE \[--json\]/],
  [['summary', 'a', 'b'], /'b' is one argument too many/],
  [['report', 'run', '--out'], /'--out <value>' argument missing; the command is fovea report RUN \[--out FILE\]/],
])('%j is an error of one line that says what there is', async (args, message) => {
  const { code, stdout, stderr } = await fovea(args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(message)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})
