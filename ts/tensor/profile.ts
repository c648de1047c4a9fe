/** Where time goes: each step of the plans that ran, with its work and the machine's limits beside it. */
import { native } from '../native/addon.ts'
import { type MachinePeak, machinePeak, threads } from './devices.ts'

/** One step of a plan: a fused loop, a contraction or a kernel. */
export interface ProfileStep {
  /** The ops that the step computes, joined by `+`; `copy` for a change of layout. */
  name: string
  /** Path of the module in which the first of them was recorded; '' outside any. Gradients count to their module. */
  module: string
  /** `plan` stands for all steps of a plan, on devices that tell no more. */
  kind: 'loop' | 'reduction' | 'contraction' | 'kernel' | 'plan'
  /** Milliseconds since the profile began. */
  startMs: number
  ms: number
  /** Arithmetic on floats, a multiply-add being two; 0 where it is not known (kernels). */
  flops: number
  bytesRead: number
  bytesWritten: number
}

/** Steps of one kind or module, together. */
export interface ProfileRow {
  name: string
  calls: number
  ms: number
  /** Of the time of all steps, 0 to 1. */
  share: number
  /** Of the machine's arithmetic, and of its memory's speed; what stays in caches may be above 1. */
  shareOfPeak: number
  shareOfBandwidth: number
}

/** Measured once for each number of threads. */
const peaks = new Map<number, MachinePeak>()

function peakOf(count: number): MachinePeak {
  let peak = peaks.get(count)
  if (peak === undefined) peaks.set(count, (peak = machinePeak()))
  return peak
}

/** What {@link profile} found. `console.log` prints the costliest steps. */
export class Profile {
  constructor(
    /** In the order in which they began. */
    readonly steps: readonly ProfileStep[],
    /** Milliseconds from the call to the end of the last step, recording and planning included. */
    readonly ms: number,
    /** What the machine can do, on the threads that were in use. */
    readonly peak: MachinePeak,
  ) {}

  /** Milliseconds in which steps ran. */
  get busyMs(): number {
    return this.steps.reduce((sum, step) => sum + step.ms, 0)
  }

  /** Changes of layout: values that had to be copied before they could be used. */
  get copies(): readonly ProfileStep[] {
    return this.steps.filter((step) => step.name === 'copy')
  }

  /** Steps that compute the same ops, costliest first. */
  byKernel(): ProfileRow[] {
    return this.#rows((step) => step.name)
  }

  /** Steps of the same module, costliest first. */
  byModule(): ProfileRow[] {
    return this.#rows((step) => step.module)
  }

  #rows(key: (step: ProfileStep) => string): ProfileRow[] {
    const busy = this.busyMs
    const groups = new Map<string, ProfileStep[]>()
    for (const step of this.steps) {
      const group = groups.get(key(step))
      if (group === undefined) groups.set(key(step), [step])
      else group.push(step)
    }
    const rows = Array.from(groups, ([name, steps]) => {
      const sum = (of: (step: ProfileStep) => number) => steps.reduce((total, step) => total + of(step), 0)
      const ms = sum((step) => step.ms)
      return {
        name,
        calls: steps.length,
        ms,
        share: busy === 0 ? 0 : ms / busy,
        shareOfPeak: ms === 0 ? 0 : sum((step) => step.flops) / (ms * 1e6 * this.peak.gflops),
        shareOfBandwidth:
          ms === 0 ? 0 : sum((step) => step.bytesRead + step.bytesWritten) / (ms * 1e6 * this.peak.triadGbps),
      }
    })
    return rows.toSorted((a, b) => b.ms - a.ms)
  }

  /** Tables of kernels and modules, `rows` of each at most. */
  toString(rows = 20): string {
    const head = `${this.steps.length} steps, ${this.busyMs.toFixed(2)} of ${this.ms.toFixed(2)} ms`
    const copies = this.copies.length === 0 ? '' : `, ${this.copies.length} of them copies between layouts`
    return [`${head}${copies}`, table('kernel', this.byKernel(), rows), table('module', this.byModule(), rows)].join(
      '\n\n',
    )
  }

  /** The steps in the trace event format, which https://ui.perfetto.dev and chrome://tracing open. */
  trace(): string {
    const events = this.steps.map(({ name, module, kind, startMs, ms, flops, bytesRead, bytesWritten }) => ({
      name,
      cat: kind,
      ph: 'X',
      ts: startMs * 1e3,
      dur: ms * 1e3,
      pid: 1,
      tid: 1,
      args: { module, flops, bytesRead, bytesWritten },
    }))
    const meta = { name: 'thread_name', ph: 'M', pid: 1, tid: 1, args: { name: 'fovea' } }
    return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: [meta, ...events] })
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function table(title: string, rows: readonly ProfileRow[], most: number): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  const short = (name: string) => (name.length <= 60 ? name : `${name.slice(0, 57)}…`)
  const lines = rows.slice(0, most).map((row) => {
    const cells = [String(row.calls), row.ms.toFixed(3), percent(row.share)]
    return [
      short(row.name === '' ? '(none)' : row.name),
      ...cells,
      percent(row.shareOfPeak),
      percent(row.shareOfBandwidth),
    ]
  })
  const cells = [[title, 'calls', 'ms', 'share', 'of peak', 'of memory'], ...lines]
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)))
  const text = (line: readonly string[]) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  const left = rows.length - lines.length
  return [...cells.map(text), ...(left > 0 ? [`… and ${left} more`] : [])].join('\n')
}

/**
 * Runs `fn` and tells where the time of the engine went: every step that ran before all work recorded by `fn` and asked
 * for was done. The first profile measures the machine's limits too, about a second, before `fn` runs.
 *
 * ```ts
 * const found = await profile(async () => {
 *   for (const batch of batches) await step(batch)
 * })
 * console.log(found)
 * await writeFile('trace.json', found.trace())
 * ```
 *
 * Throws what `fn` throws, and an ArgumentError inside another profile.
 */
export async function profile(fn: () => unknown): Promise<Profile> {
  const peak = peakOf(threads())
  native.drain()
  native.startProfile()
  const begin = performance.now()
  let steps = '[]'
  try {
    await fn()
  } finally {
    steps = native.endProfile()
  }
  return new Profile(JSON.parse(steps) as ProfileStep[], performance.now() - begin, peak)
}
