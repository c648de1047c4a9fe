/**
 * Builds the native addon `native/fovea.node`, in release, when its Rust sources changed.
 *
 * cargo is called directly, so that the addon shares `target/` with the Rust tests. What the addon was built from is
 * kept as a hash in `target/addon.stamp`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { BuildProgress } from './build-progress.mjs'
import { root, script, startedDirectly, Stop } from './process.mjs'
import { checkNode, checkToolchain, missingLinker } from './toolchain.mjs'

const CRATE = 'fovea-native'
const addon = join(root, 'native', 'fovea.node')
const stamp = join(root, 'target', 'addon.stamp')

/** Folders of a crate that the addon is not made of. */
const NOT_SOURCES = new Set(['tests', 'benches', 'examples', 'fuzz', 'target'])

/**
 * Every file below `folder` that the addon is made of, sorted.
 * @param {string} folder
 * @returns {string[]}
 */
export function sources(folder) {
  /** @type {string[]} */
  const files = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (!NOT_SOURCES.has(entry.name)) files.push(...sources(path))
    } else if (!entry.name.startsWith('.') && !/\.node(\.new)?$/.test(entry.name)) {
      files.push(path)
    }
  }
  return files.toSorted()
}

/**
 * A hash of all that decides what the addon is: sources, versions of dependencies, compiler, flags.
 * @param {string} folder the workspace
 * @param {string} compiler what `rustc -vV` prints
 */
export function fingerprint(folder, compiler) {
  const hash = createHash('sha256').update(`${compiler}\n${process.env.RUSTFLAGS ?? ''}\n`)
  const files = ['Cargo.toml', 'Cargo.lock', '.cargo/config.toml'].map((name) => join(folder, name)).filter(existsSync)
  for (const name of ['crates', 'native']) {
    if (existsSync(join(folder, name))) files.push(...sources(join(folder, name)))
  }
  for (const file of files) {
    const bytes = readFileSync(file)
    hash.update(`${relative(folder, file).split(sep).join('/')}\n${bytes.length}\n`).update(bytes)
  }
  return hash.digest('hex')
}

/** How many crates the addon is made of on this machine; 0 when cargo cannot say. */
function crateCount() {
  const args = ['tree', '-p', CRATE, '-e', 'normal,build', '--prefix', 'none', '--format', '{p}', '--offline']
  const { status, stdout } = spawnSync('cargo', args, { cwd: root, encoding: 'utf8' })
  return status === 0
    ? new Set(
        stdout
          .split('\n')
          .map((line) => line.replace(/ \(.*$/, ''))
          .filter(Boolean),
      ).size
    : 0
}

/** Runs cargo and returns the path of the library it made. */
async function cargoBuild() {
  const out = process.stderr
  const progress = new BuildProgress('Building the native addon', out)
  progress.start()
  const locked = process.env.CI ? ['--locked'] : []
  const args = ['build', '--release', '-p', CRATE, '--message-format=json-render-diagnostics', ...locked]
  const color = out.isTTY ? { CARGO_TERM_COLOR: 'always' } : {}
  const child = spawn('cargo', args, {
    cwd: root,
    env: { ...process.env, ...color, CARGO_TERM_PROGRESS_WHEN: 'never' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let messages = ''
  createInterface({ input: child.stdout }).on('line', (line) => progress.message(line))
  createInterface({ input: child.stderr }).on('line', (line) => {
    messages += `${line}\n`
    progress.news(line)
    if (progress.total === 0 && progress.compiling.size > 0) progress.total = crateCount() // all are downloaded by now
  })
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  progress.finish(code === 0 ? 'done' : 'failed')
  if (code !== 0)
    throw new Stop(missingLinker(messages) ?? 'The native addon did not compile; the lines above say why.')
  const library = progress.library.find((file) => /\.(so|dylib|dll)$/.test(file))
  if (!library) throw new Error(`cargo made no library for ${CRATE}`)
  return library
}

/**
 * Puts the library where the loader looks, never half written: a running process keeps the file it has open.
 * @param {string} library
 */
function place(library) {
  copyFileSync(library, `${addon}.new`)
  try {
    renameSync(`${addon}.new`, addon)
  } catch (error) {
    throw new Stop(`${addon} could not be replaced (${error}): close the programs that use it and run this again.`)
  }
}

/** Builds the addon if its sources changed. Returns whether it did. */
export async function build() {
  const wanted = fingerprint(root, checkToolchain())
  if (existsSync(addon) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return false
  place(await cargoBuild())
  mkdirSync(join(root, 'target'), { recursive: true })
  writeFileSync(stamp, wanted)
  return true
}

if (startedDirectly(import.meta.url)) {
  await script(async () => {
    checkNode()
    if (!(await build())) process.stderr.write('The native addon is up to date.\n')
  })
}
