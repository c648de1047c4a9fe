/** Licences of the crates that are linked into the addon, as the platform's package carries them. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root, Stop } from './process.mjs'

/**
 * @typedef {{ id: string, name: string, version: string, license: string | null, source: string | null,
 *   repository: string | null, authors: string[], manifest_path: string, targets: { kind: string[] }[] }} Crate
 * @typedef {{ packages: Crate[], resolve: { nodes: { id: string,
 *   deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }[] } }} Metadata
 */

const ADDON = 'fovea-native'

/** Files of a crate that state its licence. */
const NOTICE = /^(?:licen[cs]e|copying|copyright|notice|unlicense)/i

/** @param {string} command @param {string[]} args */
function output(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status !== 0) throw new Stop(`${command} ${args[0]} failed:\n${stderr}`)
  return stdout
}

/** The machine that rustc compiles for, such as x86_64-unknown-linux-gnu. */
const host = () => /^host: (.*)$/m.exec(output('rustc', ['-vV']))?.[1] ?? ''

/**
 * The crates from outside that the addon consists of: its dependencies, without those that only run while it is built.
 * @param {Metadata} metadata
 * @returns {Crate[]}
 */
export function linkedCrates({ packages, resolve }) {
  const crates = new Map(packages.map((crate) => [crate.id, crate]))
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]))
  const found = new Map()
  const waiting = packages.filter(({ name }) => name === ADDON).map(({ id }) => id)
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const crate = crates.get(id)
    if (!crate || found.has(id) || crate.targets.some(({ kind }) => kind.includes('proc-macro'))) continue
    found.set(id, crate)
    for (const { pkg, dep_kinds: kinds } of nodes.get(id)?.deps ?? []) {
      if (kinds.some(({ kind }) => kind === null)) waiting.push(pkg)
    }
  }
  const order = (/** @type {Crate} */ { name, version }) => `${name} ${version}`
  return [...found.values()]
    .filter(({ source }) => source !== null)
    .toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0))
}

/** Whose a crate is: its authors, or who the first source file says. @param {Crate} crate */
function copyright({ authors, manifest_path }) {
  if (authors.length > 0) return `Copyright (c) ${authors.join(', ')}`
  const source = join(dirname(manifest_path), 'src', 'lib.rs')
  return existsSync(source) ? /^\/\/ (Copyright .*)$/m.exec(readFileSync(source, 'utf8'))?.[1] : undefined
}

/** Our own copy of a licence for a crate that comes without its text. @param {Crate} crate */
function standardText(crate) {
  const { name, version, license } = crate
  const offered = (license ?? '').split(/ OR |\//)
  if (offered.includes('Apache-2.0')) return readFileSync(join(root, 'LICENSE-APACHE'), 'utf8')
  const holder = copyright(crate)
  if (offered.includes('MIT') && holder) {
    return readFileSync(join(root, 'LICENSE-MIT'), 'utf8').replace(/^Copyright .*$/m, holder)
  }
  throw new Stop(`The crate ${name} ${version} (${license}) has no licence text to pack.`)
}

/** @param {Crate} crate */
function textsOf(crate) {
  const folder = dirname(crate.manifest_path)
  const files = readdirSync(folder).filter((name) => NOTICE.test(name))
  if (files.length === 0) return [standardText(crate)]
  return files.toSorted().map((name) => readFileSync(join(folder, name), 'utf8'))
}

const RULE = '-'.repeat(80)

/**
 * The list of the crates with their licences, and each text once.
 * @param {Crate[]} crates @param {(crate: Crate) => string[]} [read]
 */
export function noticesOf(crates, read = textsOf) {
  /** @type {Map<string, { text: string, users: string[] }>} */
  const texts = new Map()
  const rows = crates.map((crate) => {
    const name = `${crate.name} ${crate.version}`
    for (const text of read(crate)) {
      const key = text.replaceAll(/\s+/g, ' ').trim()
      const entry = texts.get(key) ?? { text: text.replaceAll('\r\n', '\n').trim(), users: [] }
      if (!entry.users.includes(name)) entry.users.push(name)
      texts.set(key, entry)
    }
    return [name, crate.license ?? 'see below', crate.repository ?? ''].filter(Boolean).join(', ')
  })
  const parts = [...texts.values()].map(({ text, users }) => `${RULE}\n${users.join(', ')}\n${RULE}\n\n${text}\n`)
  const head = 'The native addon of Fovea contains the Rust standard library (MIT OR Apache-2.0,\n'
  const rest = 'https://github.com/rust-lang/rust) and these crates. Their licences follow the list.\n'
  return `${head}${rest}\n${rows.join('\n')}\n\n${parts.join('\n')}`
}

/** The notices of this platform's addon. */
export function notices() {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', host()]
  return noticesOf(linkedCrates(JSON.parse(output('cargo', args))))
}

/** The standard library's own notices, which come with rustc; null where a distribution has left them out. */
export function standardLibraryNotices() {
  const file = join(output('rustc', ['--print', 'sysroot']).trim(), 'share', 'doc', 'rust', 'COPYRIGHT-library.html')
  return existsSync(file) ? file : null
}
