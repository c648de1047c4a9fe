/**
 * `npm run dist` compiles the package into dist/. `npm run pack` makes the packages that are published, in
 * target/packages/: `fovea-<version>.tgz`, and `fovea-<platform>-<version>.tgz` with this platform's addon.
 *
 *   npm run pack -- --platforms linux-x64-gnu,darwin-arm64
 *
 * names the platforms whose packages `fovea` asks for, where others were made on their own machines.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { notices, standardLibraryNotices } from './notices.mjs'
import { installed, root, run, script, startedDirectly, Stop } from './process.mjs'
import { setup } from './setup.mjs'

const LICENSES = ['LICENSE-MIT', 'LICENSE-APACHE']

/** Licences of what the addon contains: its crates, and the standard library's own file. */
const NOTICES = 'NOTICES.txt'
const RUST_NOTICES = 'NOTICES-rust.html'

/** What of package.json is for the package's users. */
const PUBLISHED = ['name', 'version', 'description', 'license', 'type', 'engines', 'bin', 'files', 'exports']

/** This machine's platform as `ts/native/locate.ts` names it. */
export function thisPlatform() {
  const machine = `${process.platform}-${process.arch}`
  if (process.platform !== 'linux') return machine
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  return `${machine}-${report.header.glibcVersionRuntime ? 'gnu' : 'musl'}`
}

/**
 * What `exports` says, for TypeScript with `moduleResolution: node10`, which doesn't read it.
 * @param {Record<string, unknown>} exports
 */
function oldTypes(exports) {
  /** @param {unknown} entry */
  const typesOf = (entry) => /** @type {{ types?: string } | undefined} */ (entry)?.types
  const parts = Object.entries(exports).filter(([path, entry]) => path !== '.' && typesOf(entry) !== undefined)
  const versions = parts.map(([path, entry]) => [path.slice(2), [typesOf(entry)]])
  return { types: typesOf(exports['.']), typesVersions: { '*': Object.fromEntries(versions) } }
}

/**
 * The manifest of `fovea` as it is published.
 * @param {Record<string, unknown>} source package.json
 * @param {string[]} packages those with addons
 */
export function mainManifest(source, packages) {
  const kept = PUBLISHED.filter((key) => source[key] !== undefined).map((key) => [key, source[key]])
  const optionalDependencies = Object.fromEntries(packages.map((name) => [name, source.version]))
  const types = oldTypes(/** @type {Record<string, unknown>} */ (source.exports))
  return { ...Object.fromEntries(kept), ...types, optionalDependencies }
}

/**
 * The manifest of a platform's package.
 * @param {Record<string, unknown>} source package.json
 * @param {string} name @param {string} platform
 */
export function platformManifest(source, name, platform) {
  const [os, cpu, libc] = platform.split('-')
  return {
    name,
    version: source.version,
    description: `The native addon of fovea for ${platform}`,
    license: source.license,
    engines: source.engines,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc === 'gnu' ? 'glibc' : libc] } : {}),
    main: 'fovea.node',
    files: ['fovea.node', ...LICENSES, NOTICES, RUST_NOTICES],
  }
}

/** @returns {Record<string, unknown>} */
const sourceManifest = () => JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/**
 * Compiles ts/ into `folder`, which is emptied first.
 * @param {string} folder @param {{ checkTypes?: boolean }} [options]
 */
export async function compile(folder, { checkTypes = true } = {}) {
  rmSync(folder, { recursive: true, force: true })
  const args = ['-p', 'tsconfig.build.json', '--outDir', folder, ...(checkTypes ? [] : ['--noCheck'])]
  const code = await run(installed('tsc'), args)
  if (code !== 0) throw new Stop('The package did not compile; the lines above say why.', code)
  chmodSync(join(folder, 'cli', 'main.js'), 0o755)
}

/** @param {string} folder @param {object} manifest */
function start(folder, manifest) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  for (const name of LICENSES) copyFileSync(join(root, name), join(folder, name))
}

/** Drops what only debuggers read; a machine without `strip` packs a larger addon. @param {string} file */
function strip(file) {
  if (process.platform !== 'win32') spawnSync('strip', ['-S', '-x', file])
}

/** Packs a folder, and returns the tarball's path. @param {string} folder @param {string} to */
function tarball(folder, to) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const args = ['pack', folder, '--pack-destination', to, '--json', '--loglevel=error']
  const { status, stdout, stderr } = spawnSync(npm, args, { encoding: 'utf8', shell: process.platform === 'win32' })
  if (status !== 0) throw new Stop(`npm pack failed:\n${stderr}`)
  return join(to, JSON.parse(stdout)[0].filename)
}

/**
 * Makes the packages in `to`, which is emptied first, from the addon as it was built and the compiled package in `dist`.
 * Returns the paths of the tarballs.
 * @param {{ to: string, dist: string, platforms?: string[] }} options
 */
export async function pack({ to, dist, platforms }) {
  const { PLATFORMS, platformPackage } = await import(pathToFileURL(join(dist, 'native', 'locate.js')).href)
  const platform = thisPlatform()
  const unknown = [platform, ...(platforms ?? [])].find((name) => !PLATFORMS.includes(name))
  if (unknown) throw new Stop(`There is no platform ${unknown}; there are ${PLATFORMS.join(', ')}.`)
  rmSync(to, { recursive: true, force: true })
  const source = sourceManifest()

  const own = join(to, platform)
  start(own, platformManifest(source, platformPackage(platform), platform))
  copyFileSync(join(root, 'native', 'fovea.node'), join(own, 'fovea.node'))
  strip(join(own, 'fovea.node'))
  writeFileSync(join(own, NOTICES), notices())
  const standard = standardLibraryNotices()
  if (standard) copyFileSync(standard, join(own, RUST_NOTICES))

  const main = join(to, 'fovea')
  start(main, mainManifest(source, (platforms ?? [platform]).map(platformPackage)))
  copyFileSync(join(root, 'README.md'), join(main, 'README.md'))
  cpSync(dist, join(main, 'dist'), { recursive: true })
  return { main: tarball(main, to), platform: tarball(own, to) }
}

if (startedDirectly(import.meta.url)) {
  await script(async () => {
    const { values } = parseArgs({
      options: { 'only-compile': { type: 'boolean' }, platforms: { type: 'string' } },
    })
    await setup()
    const dist = join(root, 'dist')
    await compile(dist)
    if (values['only-compile']) return
    const platforms = values.platforms?.split(',')
    const { main, platform } = await pack({ to: join(root, 'target', 'packages'), dist, platforms })
    process.stdout.write(`${main}\n${platform}\n`)
  })
}
