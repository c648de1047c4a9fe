/** The packages as users get them: packed, installed into an empty folder without a network, and used. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { notices, standardLibraryNotices } from '../../scripts/notices.mjs'
import { compile, mainManifest, pack, platformManifest, thisPlatform } from '../../scripts/pack.mjs'
import { installed } from '../../scripts/process.mjs'
import { root } from '../child.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-package-'))
const app = join(dir, 'app')
const addon = join(app, 'node_modules', '@fovea', thisPlatform())
let packed: Awaited<ReturnType<typeof pack>>

beforeAll(async () => {
  const dist = join(dir, 'dist')
  await compile(dist, { checkTypes: false })
  packed = await pack({ to: join(dir, 'packages'), dist })
  const user = join(root, 'test', 'package', 'user')
  cpSync(user, app, { recursive: true })
  cpSync(join(user, 'types.mts'), join(app, 'types.cts'))
  const args = ['install', packed.main, packed.platform, '--offline', '--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', args, { cwd: app, stdio: 'ignore', shell: process.platform === 'win32' })
}, 120_000)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The files of a tarball, sorted. */
function filesOf(tarball: string): string[] {
  const list = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n')
  return list.map((name) => name.replace(/^package\//, '')).toSorted()
}

const manifest = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>

const licences = ['LICENSE-APACHE', 'LICENSE-MIT']

test('the package holds its code, its declarations, and nothing else', () => {
  const sources = readdirSync(join(root, 'ts'), { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .flatMap((name) => [`dist/${name.slice(0, -3)}.d.ts`, `dist/${name.slice(0, -3)}.js`])
  expect(sources.length).toBeGreaterThan(100)
  expect(filesOf(packed.main)).toEqual([...licences, 'README.md', 'package.json', ...sources].toSorted())
})

test('the package of the platform holds the addon and the licences of what is in it', () => {
  const standard = standardLibraryNotices() ? ['NOTICES-rust.html'] : []
  const expected = [...licences, ...standard, 'NOTICES.txt', 'fovea.node', 'package.json']
  expect(filesOf(packed.platform)).toEqual(expected.toSorted())
  expect(readFileSync(join(addon, 'NOTICES.txt'), 'utf8')).toBe(notices())
})

test('nothing is run, compiled or depended on at installation but the addon of the platform', () => {
  const { version, ...main } = manifest(join(app, 'node_modules', 'fovea'))
  expect(main.optionalDependencies).toEqual({ [`@fovea/${thisPlatform()}`]: version })
  for (const key of ['scripts', 'dependencies', 'devDependencies', 'private']) expect(main).not.toHaveProperty(key)
  const own = manifest(addon)
  expect(own.os).toEqual([process.platform])
  expect(own.cpu).toEqual([process.arch])
  for (const key of ['scripts', 'dependencies']) expect(own).not.toHaveProperty(key)
})

test('every entry of the package is there', () => {
  const home = join(app, 'node_modules', 'fovea')
  const { exports, bin } = manifest(home) as { exports: Record<string, unknown>; bin: Record<string, string> }
  const entries = [...Object.values(exports), bin].flatMap((e) => (typeof e === 'string' ? [e] : Object.values(e!)))
  expect(entries.length).toBeGreaterThan(10)
  for (const entry of entries as string[]) expect([entry, existsSync(join(home, entry))]).toEqual([entry, true])
})

const nodes = [process.execPath, ...(process.env.FOVEA_NODES ?? '').split(delimiter).filter(Boolean)]

/** Runs a file of the app, which must train and say nothing else. */
function expectTraining(node: string, file: string): void {
  const { status, stdout, stderr } = spawnSync(node, [file], { cwd: app, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  const [first, last] = JSON.parse(stdout) as [number, number]
  expect(last).toBeLessThan(first / 2)
}

test.each(nodes.flatMap((node) => ['esm.mjs', 'require.cjs', 'worker.mjs'].map((file) => [file, node] as const)))(
  '%s trains with it on %s, without a warning',
  (file, node) => expectTraining(node, file),
)

test.each([
  ['esm.mjs', 'esm', ['--external:fovea']],
  ['esm.mjs', 'esm', []],
  ['require.cjs', 'cjs', []],
])('%s trains when esbuild has bundled it as %s with %j', (file, format, options) => {
  const bundle = join('bundled', `${format}${options.length}.${format === 'esm' ? 'mjs' : 'cjs'}`)
  const quiet = '--log-override:empty-import-meta=silent' // its file name is used in place of that
  const args = [file, '--bundle', '--platform=node', `--format=${format}`, `--outfile=${bundle}`, quiet, ...options]
  execFileSync(installed('esbuild'), args, { cwd: app, stdio: 'ignore', shell: process.platform === 'win32' })
  expectTraining(process.execPath, bundle)
})

test('the command is installed and finds all well', () => {
  const fovea = join(app, 'node_modules', '.bin', process.platform === 'win32' ? 'fovea.cmd' : 'fovea')
  const { status, stdout } = spawnSync(fovea, ['doctor'], { encoding: 'utf8', shell: process.platform === 'win32' })
  expect(stdout).toContain('All is well.')
  expect(status).toBe(0)
})

test.each([
  ['modules and CommonJS', ['--module', 'nodenext'], ['types.mts', 'types.cts']],
  ['the CommonJS of older configurations', ['--module', 'commonjs', '--moduleResolution', 'node10'], ['types.cts']],
])('the declarations serve %s, and are correct themselves', (_, module, files) => {
  const typeRoots = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')]
  const args = ['--strict', '--noEmit', '--target', 'es2022', ...module, ...typeRoots, ...files]
  expect(spawnSync(installed('tsc'), args, { cwd: app, encoding: 'utf8' }).stdout).toBe('')
})

test('without the addon an error says what to install', () => {
  renameSync(addon, `${addon}.away`)
  try {
    const { status, stderr } = spawnSync(process.execPath, ['esm.mjs'], { cwd: app, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain(`NativeError: The package with Fovea's addon for this platform (@fovea/`)
    expect(stderr).toContain('is not installed: install again without --omit=optional')
  } finally {
    renameSync(`${addon}.away`, addon)
  }
})

test('manifests name the C library that an addon needs, and exactly the versions that belong together', () => {
  const exports = {
    '.': { types: './index.d.ts', default: './index.js' },
    './nn': { types: './nn.d.ts', default: './nn.js' },
    './package.json': './package.json',
  }
  const source = { name: 'fovea', version: '1.2.3', private: true, scripts: {}, license: 'MIT', exports }
  expect(platformManifest(source, '@fovea/linux-arm64-musl', 'linux-arm64-musl')).toMatchObject({
    version: '1.2.3',
    os: ['linux'],
    cpu: ['arm64'],
    libc: ['musl'],
  })
  expect(platformManifest(source, '@fovea/linux-x64-gnu', 'linux-x64-gnu').libc).toEqual(['glibc'])
  expect(platformManifest(source, '@fovea/win32-x64', 'win32-x64')).not.toHaveProperty('libc')
  expect(mainManifest(source, ['@fovea/win32-x64'])).toEqual({
    name: 'fovea',
    version: '1.2.3',
    license: 'MIT',
    exports,
    types: './index.d.ts',
    typesVersions: { '*': { nn: ['./nn.d.ts'] } },
    optionalDependencies: { '@fovea/win32-x64': '1.2.3' },
  })
})
