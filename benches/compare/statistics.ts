/** Medians and how well they are known. */

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)

/**
 * Bounds between which the median lies with at least 95 %: the order statistics x₍ₗ₎ and x₍ₙ₊₁₋ₗ₎ with the largest l for
 * which a binomial variable of n trials at ½ is below l with at most 2.5 %. With fewer than six samples no bounds do
 * that; they are then the least and the largest.
 */
export function medianInterval(samples: readonly number[]): [low: number, high: number] {
  const sorted = samples.toSorted((a, b) => a - b)
  const n = sorted.length
  let [term, below, rank] = [0.5 ** n, 0, 0]
  // `term` is the chance of exactly `rank` samples below the median.
  while (below + term <= 0.025) {
    below += term
    rank++
    term *= (n - rank + 1) / rank
  }
  const low = Math.max(rank, 1)
  return [sorted[low - 1]!, sorted[n - low]!]
}
