/** What `npm start` answers before it computes anything. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('start.mjs', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'fovea-start-'))
afterAll(() => rmSync(dir, { recursive: true }))

function start(args: string[], path = process.env.PATH) {
  const env = { ...process.env, PATH: path, NODE_OPTIONS: '' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('npm start', () => {
  test('--help tells every option and does nothing else', () => {
    const { status, stdout, stderr } = start(['--help'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout.match(/^ {2}--\w+/gm)).toEqual(
      ['epochs', 'device', 'seed', 'threads', 'data', 'json', 'help'].map((name) => `  --${name}`),
    )
  })

  test.each([
    ['--nope', "Unknown option '--nope'."],
    ['--epochs=0', "--epochs takes a whole number from 1 to 10000, not '0'."],
    ['--device=foo', "--device takes cpu, gpu or auto, not 'foo'."],
  ])('%s is one sentence and exit code 2', (option, sentence) => {
    expect(start([option])).toEqual({
      status: 2,
      stdout: '',
      stderr: `${sentence} \`npm start -- --help\` lists the options.\n`,
    })
  })

  // Shell scripts and links stand for programs.
  describe.skipIf(process.platform === 'win32')('on a machine', () => {
    const path = (name: string, tools: Record<string, string>) => {
      const folder = mkdtempSync(join(dir, `${name}-`))
      symlinkSync(process.execPath, join(folder, 'node'))
      for (const [tool, prints] of Object.entries(tools)) {
        writeFileSync(join(folder, tool), `#!/bin/sh\necho "${prints}"\n`)
        chmodSync(join(folder, tool), 0o755)
      }
      return folder
    }

    test('without Rust: one sentence on how to get it', () => {
      const { status, stdout, stderr } = start([], path('bare', {}))
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(
        /^Rust is not installed \(or not on PATH\): install stable Rust .* from https:\/\/rustup\.rs.*\n$/,
      )
    })

    test('with a Rust too old: one sentence on how to renew it', () => {
      const tools = { rustc: 'rustc 1.60.0 (abc 2022-04-07)', cargo: 'cargo 1.60.0 (abc 2022-04-07)' }
      const { status, stdout, stderr } = start([], path('old', tools))
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/^Rust 1\.60\.0 is too old: .*`rustup update stable`.*\n$/)
    })
  })
})
