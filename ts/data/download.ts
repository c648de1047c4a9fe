/** Files of data sets: where they are kept, and how they get there. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
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
  /** A source that sends nothing for so many seconds is given up. Default 60. */
  patience?: number
  /** Is told the bytes that are there, and how many there will be where the source says so. */
  progress?: ((bytes: number, total: number | null) => void) | undefined
  /** Ends the download: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** How often a connection that breaks is taken up again, from the byte at which it broke. */
const ATTEMPTS = 4

/** A fault of the connection, after which a further attempt makes sense. */
class Interrupted extends Error {}

/** A file that is on its way. */
class Transfer {
  readonly #url: string
  readonly #out: FileHandle
  readonly #options: DownloadOptions
  readonly #maxBytes: number
  #hash: Hash
  #bytes = 0

  constructor(url: string, out: FileHandle, options: DownloadOptions) {
    this.#url = url
    this.#out = out
    this.#options = options
    this.#maxBytes = options.maxBytes ?? 2 ** 32
    this.#hash = createHash(options.checksum.algorithm)
  }

  unavailable(reason: string): DataError {
    return new DataError(`download: ${this.#url} can't be had: ${reason}`, {
      op: 'download',
      argument: 'url',
      expected: 'a file',
      received: reason,
    })
  }

  get digest(): string {
    return this.#hash.digest('hex')
  }

  /** What of a connection `work` gives; silence and breaks are {@link Interrupted}. */
  async #heard<T>(work: Promise<T>, stop: () => void): Promise<T> {
    const { patience = 60, signal } = this.#options
    let silent: NodeJS.Timeout | undefined
    const silence = new Promise<never>((_, failed) => {
      silent = setTimeout(() => {
        failed(new Interrupted(`it sent nothing for ${patience} s`))
        stop()
      }, 1000 * patience)
    })
    try {
      return await Promise.race([work, silence])
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof Interrupted) throw error
      const { message, cause } = error as Error
      throw new Interrupted(cause instanceof Error ? cause.message : message)
    } finally {
      clearTimeout(silent)
    }
  }

  /** Begins anew where the source doesn't go on where the last attempt ended. */
  async #restart(): Promise<void> {
    await this.#out.truncate(0)
    this.#hash = createHash(this.#options.checksum.algorithm)
    this.#bytes = 0
  }

  /** One connection: what is missing of the file. */
  async attempt(): Promise<void> {
    const { progress, signal } = this.#options
    const gone = new AbortController()
    const stop = () => gone.abort()
    const headers: Record<string, string> = this.#bytes > 0 ? { range: `bytes=${this.#bytes}-` } : {}
    const both = signal ? AbortSignal.any([signal, gone.signal]) : gone.signal
    const response = await this.#heard(fetch(this.#url, { headers, signal: both }), stop)
    try {
      if (!response.ok || !response.body) {
        const answer = `the answer is ${response.status} ${response.statusText}`
        throw response.status >= 500 ? new Interrupted(answer) : this.unavailable(answer)
      }
      const [, from, all] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? []
      const goesOn = response.status === 206 && Number(from) === this.#bytes
      if (this.#bytes > 0 && !goesOn) await this.#restart()
      const length = goesOn ? all : response.headers.get('content-length')
      const total = length ? Number(length) : null
      const reader = (response.body as ReadableStream<Uint8Array>).getReader()
      for (;;) {
        const { done, value } = await this.#heard(reader.read(), stop)
        if (done) break
        this.#bytes += value.length
        if (this.#bytes > this.#maxBytes) throw this.unavailable(`it has more than ${this.#maxBytes} bytes`)
        this.#hash.update(value)
        await this.#out.write(value, 0, value.length, this.#bytes - value.length)
        progress?.(this.#bytes, total)
      }
    } finally {
      stop()
    }
  }
}

/**
 * Downloads a file, once: one that is there is kept. It gets its name only when all of it is there and its checksum is
 * right; a connection that breaks or falls silent is taken up again where it ended.
 *
 * Throws a DataError naming the address where it can't be had or is another file than the checksum's, or naming the
 * file where it can't be written.
 */
export async function download(url: string, file: string, options: DownloadOptions): Promise<string> {
  const op = 'download'
  if (typeof url !== 'string' || !/^https?:\/\//.test(url)) refuse(op, 'url', 'an http or https address', url)
  if (typeof file !== 'string' || file === '') refuse(op, 'file', 'a path', file)
  const { checksum, patience = 60, signal } = options
  const { algorithm, digest } = checksum ?? {}
  if ((algorithm !== 'sha256' && algorithm !== 'md5') || !/^[0-9a-f]+$/.test(digest ?? '')) {
    refuse(op, 'checksum', "{ algorithm: 'sha256' | 'md5', digest }", checksum)
  }
  if (!(patience > 0)) refuse(op, 'patience', 'a number of seconds above 0', patience)
  signal?.throwIfAborted()
  const target = resolve(file)
  if (existsSync(target)) return target
  const temporary = `${target}.${process.pid}.tmp`
  let out: FileHandle | undefined
  try {
    mkdirSync(dirname(target), { recursive: true })
    out = await open(temporary, 'w')
    const transfer = new Transfer(url, out, options)
    for (let left = ATTEMPTS - 1; ; left--) {
      try {
        await transfer.attempt()
        break
      } catch (error) {
        if (!(error instanceof Interrupted)) throw error
        if (left === 0) throw transfer.unavailable(error.message)
      }
    }
    const found = transfer.digest
    if (found !== digest) throw mismatch(op, url, checksum, found)
    await out.sync()
    await out.close()
    renameSync(temporary, target)
    return target
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    throw new DataError(`${op}: ${target} can't be written: ${error.message}`, { op, argument: 'file' })
  } finally {
    await out?.close().catch(() => {})
    if (out) rmSync(temporary, { force: true })
  }
}
