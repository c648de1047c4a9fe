/** Where the native addon is: in the package of its platform, or built in the project's own tree. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { NativeError } from './errors.ts'

/** The platforms that have packages, as `platform-arch` and on Linux the C library. */
export const PLATFORMS = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-arm64',
  'darwin-x64',
  'win32-x64',
] as const

/** The package with the addon of one of the {@link PLATFORMS}. */
export function platformPackage(platform: string): string {
  return `@fovea/${platform}`
}

// A bundler that writes CommonJS leaves nothing in import.meta.
const here = typeof __filename === 'string' ? pathToFileURL(__filename).href : import.meta.url
const require = createRequire(here)

function loaded(file: string, cure: string): object {
  try {
    return require(file) as object
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new NativeError(`The native addon ${file} does not load: ${reason}. ${cure}`)
  }
}

/** The file that FOVEA_NATIVE names, or null where it isn't set. */
function chosen(): string | null {
  const file = process.env.FOVEA_NATIVE
  if (!file) return null
  if (!isAbsolute(file)) throw new NativeError(`FOVEA_NATIVE must be an absolute path, got ${file}`)
  if (!existsSync(file)) throw new NativeError(`FOVEA_NATIVE names ${file}, which does not exist`)
  return file
}

function packageFile(platform: string): string | null {
  try {
    return require.resolve(platformPackage(platform))
  } catch {
    return null
  }
}

/**
 * The addon: from the file that FOVEA_NATIVE names, from `native/fovea.node` of the project's own tree, or from the
 * package of this platform, where npm has put it beside this one. Throws a NativeError that says what is missing.
 */
export function loadAddon(): object {
  const named = chosen()
  if (named) return loaded(named, 'FOVEA_NATIVE names it.')
  const project = join(dirname(fileURLToPath(here)), '..', '..')
  const built = join(project, 'native', 'fovea.node')
  if (existsSync(built)) return loaded(built, 'Run "npm run build" again.')
  const machine = `${process.platform}-${process.arch}`
  // Where an installer puts both C libraries' packages there, the one that loads is this machine's.
  const fitting = PLATFORMS.filter((name) => name === machine || name.startsWith(`${machine}-`))
  const files = fitting.map(packageFile).filter((file) => file !== null)
  for (const [i, file] of files.entries()) {
    try {
      return loaded(
        file,
        `It needs ${process.platform === 'linux' ? 'glibc or musl as new as' : 'a system like'} its builder's.`,
      )
    } catch (error) {
      if (i === files.length - 1) throw error
    }
  }
  if (fitting.length === 0) {
    throw new NativeError(`Fovea has no addon for ${machine}; there is one for ${PLATFORMS.join(', ')}.`)
  }
  if (existsSync(join(project, 'Cargo.toml'))) {
    throw new NativeError('The native addon native/fovea.node is missing: run "npm run build" in the project.')
  }
  throw new NativeError(
    `The package with Fovea's addon for this platform (${fitting.map(platformPackage).join(' or ')}) is not installed: ` +
      'install again without --omit=optional, and on this platform rather than with node_modules of another. ' +
      'A program bundled together with fovea needs that package beside it, or FOVEA_NATIVE with the path of the addon.',
  )
}
