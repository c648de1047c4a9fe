/**
 * Runs every op's samples on a device and prints what it supports; arguments, output and exit code are the program's.
 *
 *   npm run conformance -- --device cpu|gpu [--op NAME] [--json]
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = ['run', '--release', '--quiet', '-p', 'fovea-testkit', '--bin', 'conformance', '--']
const child = spawnSync('cargo', [...program, ...process.argv.slice(2)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
})
if (child.error) console.error(`cargo did not start: ${child.error.message}`)
process.exitCode = child.status ?? 1
