/** Processes of benches/compare/peer.py, asked one thing at a time. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'peer.py')

export interface ServerOptions {
  /** Path of a Python. */
  python: string
  threads: number
  /** Keeps the peer to AVX2. */
  avx2: boolean
  /**
   * Whether glibc's allocator keeps what is freed. By itself it gives large blocks back at once and pays page faults for
   * each new one; a library whose allocator keeps blocks should be held to the figures without these.
   */
  tuned: boolean
}

const TUNED = {
  MALLOC_MMAP_MAX_: '0',
  MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 30),
  MALLOC_TOP_PAD_: String(256 * 2 ** 20),
  THP_MEM_ALLOC_ENABLE: '1',
}

const AVX2 = {
  ATEN_CPU_CAPABILITY: 'avx2',
  ONEDNN_MAX_CPU_ISA: 'AVX2',
  MKL_ENABLE_INSTRUCTIONS: 'AVX2',
  OPENBLAS_CORETYPE: 'Haswell',
}

export interface Reply {
  libraries?: Record<string, string>
  ok?: boolean
  ms?: number
  mib?: number
  error?: string
}

export class PeerServer {
  readonly tuned: boolean
  /** Versions of the libraries that this Python has. */
  libraries: Readonly<Record<string, string>> = {}
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting: ((reply: Reply) => void)[] = []

  private constructor({ python, threads, avx2, tuned }: ServerOptions) {
    this.tuned = tuned
    this.#child = spawn(python, [PROGRAM], {
      env: { ...process.env, PEER_THREADS: String(threads), ...(tuned ? TUNED : {}), ...(avx2 ? AVX2 : {}) },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line) as Reply)
    })
    const end = (error: string) => {
      for (const answer of this.#waiting.splice(0)) answer({ error })
    }
    this.#child.on('error', (error) => end(error.message))
    this.#child.on('exit', (code, signal) => end(`the peer's process ended (${signal ?? `exit code ${code}`})`))
    this.#child.stdin.on('error', () => {}) // its end is told by the events above
  }

  /** Throws an Error where the Python does not run. */
  static async start(options: ServerOptions): Promise<PeerServer> {
    const server = new PeerServer(options)
    const { libraries, error } = await server.#answer()
    if (!libraries) throw new Error(`${options.python} does not run: ${error ?? 'it said nothing'}`)
    server.libraries = libraries
    return server
  }

  #answer(): Promise<Reply> {
    return new Promise((done) => this.#waiting.push(done))
  }

  ask(request: object): Promise<Reply> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      return Promise.resolve({ error: "the peer's process has ended" })
    }
    const answer = this.#answer()
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    return answer
  }

  /** Milliseconds of `calls` calls together. Throws an Error where the peer failed. */
  async run(form: string, calls: number): Promise<number> {
    const { ms, error } = await this.ask({ run: calls, form })
    if (ms === undefined) throw new Error(error ?? 'the peer gave no time')
    return ms
  }

  stop(): void {
    this.#child.stdin.end()
  }
}
