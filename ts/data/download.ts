/** Files of data sets: where they are kept, and how they get there. */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { DataError, refuse } from '../native/errors.ts'

/** What a file must be, as its source publishes it. */
export interface Checksum {
  algorithm: 'sha256' | 'md5'
  /** In hexadecimal digits. */
  digest: string
}

/** The folder for downloads: FOVEA_CACHE, or `fovea` in the user's folder for caches. */
export function cacheFolder(): string {
  const { FOVEA_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (FOVEA_CACHE) return resolve(FOVEA_CACHE)
  return join(XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), '.cache'), 'fovea')
}

/** The folder `name` in FOVEA_DATA, or null where there is none. */
export function givenFolder(name: string): string | null {
  const chosen = process.env.FOVEA_DATA
  const folder = chosen ? join(resolve(chosen), name) : null
  return folder !== null && existsSync(folder) ? folder : null
}

function mismatch(op: string, what: string, { algorithm, digest }: Checksum, found: string): DataError {
  return new DataError(
    `${op}: ${what} has the ${algorithm} ${found}, expected ${digest}: it is damaged or another file`,
    {
      op,
      argument: 'checksum',
      expected: digest,
      received: found,
    },
  )
}

/** Throws a DataError unless a file is what its checksum says. */
export async function verify(op: string, file: string, checksum: Checksum): Promise<void> {
  const hash = createHash(checksum.algorithm)
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer)
  const found = hash.digest('hex')
  if (found !== checksum.digest) throw mismatch(op, file, checksum, found)
}

/** Gives a folder its name; where another process was faster, its folder stays. */
export function settle(temporary: string, folder: string): void {
  try {
    renameSync(temporary, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** What {@link download} checks. */
export interface DownloadOptions {
  checksum: Checksum
  /** More bytes than this are refused. Default 4 GiB. */
  maxBytes?: number
  signal?: AbortSignal
}

/**
 * Downloads a file, once: one that is there is kept. It gets its name only when all of it is there and its checksum is
 * right.
 *
 * Throws a DataError naming the address where it can't be had or is another file than the checksum's.
 */
export async function download(url: string, file: string, options: DownloadOptions): Promise<string> {
  const op = 'download'
  if (typeof url !== 'string' || !/^https?:\/\//.test(url)) refuse(op, 'url', 'an http or https address', url)
  if (typeof file !== 'string' || file === '') refuse(op, 'file', 'a path', file)
  const { checksum, maxBytes = 2 ** 32, signal } = options
  const { algorithm, digest } = checksum ?? {}
  if ((algorithm !== 'sha256' && algorithm !== 'md5') || !/^[0-9a-f]+$/.test(digest ?? '')) {
    refuse(op, 'checksum', "{ algorithm: 'sha256' | 'md5', digest }", checksum)
  }
  const target = resolve(file)
  if (existsSync(target)) return target
  mkdirSync(dirname(target), { recursive: true })
  const unavailable = (reason: string): DataError =>
    new DataError(`${op}: ${url} can't be had: ${reason}`, {
      op,
      argument: 'url',
      expected: 'a file',
      received: reason,
    })
  const response = await fetch(url, signal ? { signal } : {}).catch((error: Error) => {
    throw unavailable(error.cause instanceof Error ? error.cause.message : error.message)
  })
  if (!response.ok || !response.body) throw unavailable(`the answer is ${response.status} ${response.statusText}`)
  const temporary = `${target}.${process.pid}.tmp`
  const hash = createHash(algorithm)
  const out = await open(temporary, 'w')
  try {
    let bytes = 0
    try {
      for await (const piece of response.body) {
        bytes += piece.length
        if (bytes > maxBytes) throw unavailable(`it has more than ${maxBytes} bytes`)
        hash.update(piece)
        await out.write(piece)
      }
    } catch (error) {
      throw error instanceof DataError ? error : unavailable(error instanceof Error ? error.message : String(error))
    }
    const found = hash.digest('hex')
    if (found !== digest) throw mismatch(op, url, checksum, found)
    await out.sync()
    await out.close()
    renameSync(temporary, target)
    return target
  } finally {
    await out.close().catch(() => {})
    rmSync(temporary, { force: true })
  }
}
