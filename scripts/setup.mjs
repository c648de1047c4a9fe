/** Makes a tree ready to run: npm's packages as package-lock.json states them, and the native addon. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './build.mjs'
import { root, run, script, startedDirectly, Stop } from './process.mjs'
import { checkNode } from './toolchain.mjs'

/**
 * @typedef {{ version?: string, optional?: boolean, devOptional?: boolean }} LockedPackage
 * @typedef {{ packages: Record<string, LockedPackage & { devDependencies?: Record<string, string> }> }} Lock
 */

/** @param {string} file @returns {any} */
function json(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

/**
 * What npm has to do: nothing, install exactly what the lock says, or write the lock first.
 * @param {{ manifest: { devDependencies?: Record<string, string> }, lock: Lock | null, installed: Lock | null }} found
 *   package.json, package-lock.json, and the list npm keeps of what it installed
 * @returns {'nothing' | 'ci' | 'install'}
 */
export function neededInstall({ manifest, lock, installed }) {
  if (!lock) return 'install'
  const asked = Object.entries(manifest.devDependencies ?? {})
  const locked = lock.packages[''].devDependencies ?? {}
  if (asked.length !== Object.keys(locked).length || asked.some(([name, range]) => locked[name] !== range))
    return 'install'
  if (!installed) return 'ci'
  const there = installed.packages
  const complete = Object.entries(lock.packages).every(
    ([path, { version, optional, devOptional }]) =>
      path === '' || there[path]?.version === version || ((optional || devOptional) && !there[path]),
  )
  return complete ? 'nothing' : 'ci'
}

/** Installs npm's packages when they differ from what the project asks for. */
export async function installPackages() {
  checkNode()
  const needed = neededInstall({
    manifest: json(join(root, 'package.json')),
    lock: json(join(root, 'package-lock.json')),
    installed: json(join(root, 'node_modules', '.package-lock.json')),
  })
  if (needed === 'nothing') return
  process.stderr.write('Installing the npm packages…\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const code = await run(npm, [needed], { toStderr: true })
  if (code === 127) throw new Stop('npm was not found on PATH: install Node with npm and run this again.')
  if (code !== 0) throw new Stop(`The npm packages could not be installed (npm ${needed} ended with ${code}).`)
}

/** Installs and builds what is missing or out of date; under a second when nothing is. */
export async function setup() {
  await installPackages()
  await build()
}

if (startedDirectly(import.meta.url)) await script(setup)
