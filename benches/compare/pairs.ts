/**
 * Times a case and its peers in turn: each pair of samples, ours and a peer's, is adjacent in time, so that what else
 * the machine does meets both. Whoever is not timed has nothing to do.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Case, Running } from '../cases/case.ts'
import type { PeerServer } from './server.ts'
import { median, medianInterval } from './statistics.ts'

const LEAST_SAMPLE_MS = 30
const WARM_UP = { calls: 3, leastMs: 100, mostMs: 300 }
/** Shorter calls are begun with one that is not timed, since the other side has filled the caches. */
const SHORT_MS = 5
/** Threads of OpenMP spin for some milliseconds after their last loop, those of OpenBLAS for a tenth of a second. */
const REST_MS = { torch: 10, numpy: 120 }
/** After so many rounds a way of the peer's that is slower than its fastest by `HOPELESS` is no longer timed. */
const TRIAL_ROUNDS = 5
const HOPELESS = 1.25
/** Half the width of the interval, relative to the ratio, at which there are pairs enough. */
const CLOSE = 0.05

export interface PairOptions {
  least: number
  most: number
}

/** One way of the peer's. */
interface Contender {
  name: string
  server: PeerServer
  form: string
  rest: number
  asInstalled: boolean
  calls: number
  /** Milliseconds a call. */
  ours: number[]
  theirs: number[]
}

export interface Result {
  oursMs: number
  peer: string | null
  peerMs: number | null
  /** The peer's time by ours. */
  ratio: number | null
  interval: [number, number] | null
  asInstalled: number | null
  pairs: number
  /** What the peer could not do. */
  failures: string[]
}

async function calls(running: Running, count: number): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < count; i++) {
    const done = running.call()
    if (done) await done
  }
  return performance.now() - began
}

/** Warms up and finds how many calls make a sample. */
async function callsOf(run: (count: number) => Promise<number>): Promise<number> {
  let [spent, count, fastest] = [0, 0, Infinity]
  while (spent < WARM_UP.mostMs && (count < WARM_UP.calls || spent < WARM_UP.leastMs)) {
    const batch = fastest < 1 ? 10 : 1
    const ms = await run(batch)
    spent += ms
    count += batch
    fastest = Math.min(fastest, ms / batch)
  }
  return Math.max(1, Math.ceil(LEAST_SAMPLE_MS / fastest))
}

/** Milliseconds a call. */
async function sample(run: (count: number) => Promise<number>, count: number): Promise<number> {
  if (count > LEAST_SAMPLE_MS / SHORT_MS) await run(1)
  return (await run(count)) / count
}

async function contenders(one: Case, servers: readonly PeerServer[], failures: string[]): Promise<Contender[]> {
  const found: Contender[] = []
  for (const server of servers) {
    for (const form of one.forms) {
      const numpy = form === 'numpy'
      if (!server.libraries[numpy ? 'numpy' : 'torch'] || (numpy && server.tuned)) continue
      const { error } = await server.ask({ make: one.peer, form })
      const plain = form === one.forms[0]
      const name = [numpy ? 'numpy' : 'torch', ...(numpy || plain ? [] : [form]), ...(server.tuned ? ['malloc'] : [])]
      if (error) failures.push(`${name.join(' ')}: ${error}`)
      else {
        const rest = numpy ? REST_MS.numpy : REST_MS.torch
        const asInstalled = plain && !server.tuned
        found.push({ name: name.join(' '), server, form, rest, asInstalled, calls: 1, ours: [], theirs: [] })
      }
    }
  }
  return found
}

const ratios = ({ ours, theirs }: Contender): number[] => theirs.map((ms, i) => ms / ours[i]!)

function best(list: readonly Contender[]): Contender {
  return list.reduce((a, b) => (median(b.theirs) < median(a.theirs) ? b : a))
}

function enough(one: Contender, { least, most }: PairOptions): boolean {
  const pairs = one.theirs.length
  if (pairs < least) return false
  const [low, high] = medianInterval(ratios(one))
  return pairs >= most || (high - low) / 2 <= CLOSE * median(ratios(one))
}

/** Milliseconds a call, ours alone. */
async function alone(running: Running, options: PairOptions): Promise<Result> {
  const run = (count: number) => calls(running, count)
  const count = await callsOf(run)
  const samples: number[] = []
  while (samples.length < options.least) samples.push(await sample(run, count))
  const nothing = { peer: null, peerMs: null, ratio: null, interval: null, asInstalled: null }
  return { oursMs: median(samples), ...nothing, pairs: samples.length, failures: [] }
}

/** Times `one` against all its peers on `servers`; without any, alone. */
export async function timed(one: Case, servers: readonly PeerServer[], options: PairOptions): Promise<Result> {
  const running = await one.make()
  const failures: string[] = []
  const all = await contenders(one, servers, failures)
  try {
    if (all.length === 0) return { ...(await alone(running, options)), failures }
    const ourRun = (count: number) => calls(running, count)
    const ourCalls = await callsOf(ourRun)
    for (const rival of all) {
      rival.calls = await callsOf((count) => rival.server.run(rival.form, count))
      await sleep(rival.rest)
    }
    let hopeful = all
    for (let round = 1; ; round++) {
      for (const rival of hopeful) {
        rival.ours.push(await sample(ourRun, ourCalls))
        rival.theirs.push(await sample((count) => rival.server.run(rival.form, count), rival.calls))
        await sleep(rival.rest)
      }
      const leader = best(hopeful)
      if (enough(leader, options)) break
      if (round >= TRIAL_ROUNDS) {
        const limit = HOPELESS * median(leader.theirs)
        hopeful = hopeful.filter((rival) => median(rival.theirs) <= limit)
      }
    }
    const winner = best(hopeful)
    const installed = all.find((rival) => rival.asInstalled)
    return {
      oursMs: median(winner.ours),
      peer: winner.name,
      peerMs: median(winner.theirs),
      ratio: median(ratios(winner)),
      interval: medianInterval(ratios(winner)),
      asInstalled: installed ? median(ratios(installed)) : null,
      pairs: winner.theirs.length,
      failures,
    }
  } finally {
    for (const server of servers) await server.ask({ forget: true })
    running.end()
  }
}
