/**
 * Imports point one way only, and names say what a file is about.
 *
 * Rust, from the crates' dependencies: core ← cpu, gpu ← ops ← native.
 * TypeScript: native ← generated ← tensor ← nn, optim, formats, data ← fields ← models ← methods, train ← cli; type-only imports are free.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import ts from 'typescript'
import { root, script, startedDirectly, Stop } from './process.mjs'

/** What each crate may depend on. @type {Record<string, string[]>} */
const CRATES = {
  'fovea-core': [],
  'fovea-cpu': ['fovea-core'],
  'fovea-gpu': ['fovea-core'],
  'fovea-io': ['fovea-core'],
  'fovea-vision': ['fovea-core', 'fovea-cpu'],
  'fovea-ops': ['fovea-core', 'fovea-cpu', 'fovea-gpu'],
  'fovea-testkit': ['fovea-core', 'fovea-cpu', 'fovea-gpu', 'fovea-ops', 'fovea-io'],
  'fovea-native': ['fovea-core', 'fovea-cpu', 'fovea-gpu', 'fovea-ops', 'fovea-io', 'fovea-vision'],
  xtask: ['fovea-core', 'fovea-cpu', 'fovea-gpu', 'fovea-ops', 'fovea-io', 'fovea-vision', 'fovea-testkit'],
}

/** Folders of ts/, lowest first. Those of one layer may use each other, in one direction. */
const LAYERS = [
  ['native'], // the calls into the addon
  ['generated'],
  ['tensor'],
  ['nn', 'optim', 'formats', 'data', 'typed'],
  ['vision', 'graph', 'text', 'geometry', 'rl', 'metrics'],
  ['models'],
  ['methods', 'train'],
  ['cli'],
]
const LAYER = new Map(LAYERS.flatMap((folders, layer) => folders.map((folder) => [folder, layer])))

const EMPTY_NAMES = /^(utils?|helpers?|common|misc|base)$/i
const NOT_OURS = new Set(['node_modules', 'target', 'dist', 'runs', '.git'])

/**
 * @typedef {{ name: string, kind: string | null, path?: string }} Dependency
 * @param {{ name: string, dependencies: Dependency[] }[]} packages the workspace members of `cargo metadata`
 * @returns {string[]}
 */
export function crateViolations(packages) {
  const found = []
  for (const { name, dependencies } of packages) {
    const allowed = CRATES[name]
    if (!allowed) {
      found.push(`crate ${name} has no place among the layers: give it one in scripts/check-layers.mjs`)
      continue
    }
    for (const dependency of dependencies) {
      if (dependency.path === undefined || allowed.includes(dependency.name)) continue
      if (dependency.kind === 'dev' && dependency.name === 'fovea-testkit') continue // tests may drive every op
      found.push(`crate ${name} depends on ${dependency.name}, which is not below it`)
    }
  }
  return found
}

/**
 * The modules that a file loads when it runs, with their lines: imports of types alone are left out.
 * @param {string} file
 * @param {string} text
 */
export function runtimeImports(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  /** @type {{ specifier: string, line: number }[]} */
  const found = []
  /** @param {ts.Node | undefined} specifier */
  const add = (specifier) => {
    if (!specifier || !ts.isStringLiteralLike(specifier)) return
    found.push({ specifier: specifier.text, line: source.getLineAndCharacterOfPosition(specifier.getStart()).line + 1 })
  }
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isImportDeclaration(node) && !node.importClause?.isTypeOnly) add(node.moduleSpecifier)
    else if (ts.isExportDeclaration(node) && !node.isTypeOnly) add(node.moduleSpecifier)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0])
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The folder of ts/ that a path lies in; '' for a file of ts/ itself. @param {string} path relative to ts/ */
const folderOf = (path) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '')

/**
 * @param {Map<string, string>} files text by path, relative to ts/ with forward slashes
 * @returns {string[]}
 */
export function importViolations(files) {
  /** @type {string[]} */
  const found = []
  /** @type {Map<string, string>} `from>to` within one layer, and where */
  const sideways = new Map()
  for (const [path, text] of files) {
    const from = folderOf(path)
    const above = from === '' ? LAYERS.length : LAYER.get(from)
    if (above === undefined) {
      found.push(`ts/${path}: folder ${from} has no place among the layers: give it one in scripts/check-layers.mjs`)
      continue
    }
    for (const { specifier, line } of runtimeImports(path, text)) {
      const where = `ts/${path}:${line}`
      if (specifier.startsWith('node:')) continue
      if (!specifier.startsWith('.')) {
        found.push(`${where}: imports '${specifier}'; the package has no runtime dependencies`)
        continue
      }
      const target = normalize(join(dirname(path), specifier))
        .split(sep)
        .join('/')
      if (target.startsWith('../')) {
        found.push(`${where}: imports '${specifier}', which is outside ts/`)
        continue
      }
      const to = folderOf(target)
      if (to === from) continue
      const below = to === '' ? LAYERS.length : (LAYER.get(to) ?? LAYERS.length)
      if (below > above || to === '') {
        found.push(`${where}: ${from} imports '${specifier}', which points back: ${to || 'ts'} is above ${from}`)
      } else if (below === above) {
        sideways.set(`${from}>${to}`, where)
        const other = sideways.get(`${to}>${from}`)
        if (other) found.push(`${where}: ${from} and ${to} import each other (also ${other})`)
      }
    }
  }
  return found
}

/**
 * @param {string[]} paths relative to the project, with forward slashes
 * @returns {string[]}
 */
export function nameViolations(paths) {
  return paths
    .filter((path) => path.split('/').some((part) => EMPTY_NAMES.test(part.replace(/\..*$/, ''))))
    .map((path) => `${path}: the name says nothing about what is in it`)
}

/** @param {string} folder @returns {string[]} every file below it, relative to it, with forward slashes */
function filesBelow(folder) {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return []
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
}

function ourFiles() {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap(({ name }) => [name, ...filesBelow(join(root, name)).map((path) => `${name}/${path}`)])
}

/** @returns {{ name: string, dependencies: Dependency[] }[]} */
function workspacePackages() {
  const args = ['metadata', '--no-deps', '--format-version', '1', '--offline']
  const { status, stdout, stderr } = spawnSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status !== 0) throw new Stop(`cargo metadata failed:\n${stderr}`)
  return JSON.parse(stdout).packages
}

/** @returns {string[]} */
export function violations() {
  const code = filesBelow(join(root, 'ts')).filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  return [
    ...crateViolations(workspacePackages()),
    ...importViolations(new Map(code.map((path) => [path, readFileSync(join(root, 'ts', path), 'utf8')]))),
    ...nameViolations(ourFiles()),
  ]
}

if (startedDirectly(import.meta.url)) {
  await script(() => {
    const found = violations()
    if (found.length > 0) throw new Stop(found.join('\n'))
  })
}
