/** The machine's limit for a case, and the bars that its family has to reach. */
import { readFileSync } from 'node:fs'
import type { MachinePeak } from 'fovea'
import type { Case, Family } from '../cases/case.ts'
import type { Result } from './pairs.ts'
import { geometricMean } from './statistics.ts'

/** What the ratios of a family have to reach: their geometric mean, and each of them. */
export const BARS: Readonly<Record<Family, { mean: number; each: number }>> = {
  gemm: { mean: 0.95, each: 0.85 },
  convolution: { mean: 1, each: 0.85 },
  elementwise: { mean: 1.2, each: 0.9 },
  training: { mean: 1.05, each: 0.95 },
}

/** No goal asks for more than this share of the machine's limit. */
const LIMIT_SHARE = 0.9
/** A larger share says that the machine was busy when its limit was measured: then it excuses nothing. */
const MOST_SHARE = 1.05
/** Results this much smaller than what is read do not slow the reading. */
const READING = 16

/** Bytes of the last-level cache; what fits is not held to the memory's speed. */
function cacheBytes(): number {
  const assumed = 32 << 20
  try {
    const text = readFileSync('/sys/devices/system/cpu/cpu0/cache/index3/size', 'utf8')
    return Number.parseInt(text, 10) * 1024 || assumed
  } catch {
    return assumed
  }
}
const CACHE = cacheBytes()

/** The least milliseconds that a call can take on this machine; null where nothing is known of its work. */
export function limitMs({ flops, bytes }: Case, peak: MachinePeak): number | null {
  const products = flops === null ? null : (flops / peak.gflops) * 1e-6
  if (bytes === null || bytes.read + bytes.written <= CACHE) return products
  const rate = bytes.written * READING < bytes.read ? peak.readGbps : peak.triadGbps
  return Math.max(products ?? 0, ((bytes.read + bytes.written) / rate) * 1e-6)
}

export interface Row extends Result {
  case: Case
  shareOfLimit: number | null
  /** Whether the ratio that each case of the family needs is reached, or 0.9 of the limit where it is less. */
  reached: boolean | null
  /** Whether the family's goals ask for more than 0.9 of the limit. */
  limited: boolean
  /** The ratio as it enters the family's mean. */
  counted: number | null
}

export function judged(one: Case, result: Result, peak: MachinePeak): Row {
  const limit = limitMs(one, peak)
  const shareOfLimit = limit === null ? null : limit / result.oursMs
  const { ratio, peerMs } = result
  if (ratio === null || peerMs === null) {
    return { ...result, case: one, shareOfLimit, reached: null, limited: false, counted: null }
  }
  const { mean, each } = BARS[one.family]
  // A goal's time is the peer's divided by the ratio that is asked for.
  const asksTooMuch = (goal: number) => limit !== null && limit / (peerMs / goal) > LIMIT_SHARE
  const atLimit = shareOfLimit !== null && shareOfLimit >= LIMIT_SHARE && shareOfLimit <= MOST_SHARE
  return {
    ...result,
    case: one,
    shareOfLimit,
    reached: ratio >= each || (asksTooMuch(each) && atLimit),
    limited: asksTooMuch(mean),
    counted: asksTooMuch(mean) && atLimit ? Math.max(ratio, mean) : ratio,
  }
}

export interface Verdict {
  mean: number
  worst: Row
  missed: Row[]
  reached: boolean
}

/** A family's rows against its bar; null where no row has a peer. */
export function verdict(family: Family, rows: readonly Row[]): Verdict | null {
  const compared = rows.filter((row) => row.counted !== null)
  if (compared.length === 0) return null
  const mean = geometricMean(compared.map((row) => row.counted!))
  const worst = compared.reduce((a, b) => (b.ratio! < a.ratio! ? b : a))
  const missed = compared.filter((row) => !row.reached)
  return { mean, worst, missed, reached: mean >= BARS[family].mean && missed.length === 0 }
}
