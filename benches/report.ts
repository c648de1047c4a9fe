/** Figures and how they are printed. */

export interface Case {
  name: string
  unit: 'ns' | 'µs' | 'ms'
  median: number
  /** The first and the third quartile. */
  low: number
  high: number
}

/** Median and quartiles. */
export function spread(samples: readonly number[]): Pick<Case, 'median' | 'low' | 'high'> {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
  return { median: at(0.5), low: at(0.25), high: at(0.75) }
}

const digits = (value: number) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)

/** A title and a line for each case; with `json` one line of JSON for each case instead. */
export function show(title: string, cases: readonly Case[], json: boolean): void {
  if (json) {
    for (const one of cases) console.log(JSON.stringify(one))
    return
  }
  console.log(`\n${title}`)
  for (const { name, unit, median, low, high } of cases) {
    console.log(`  ${name.padEnd(48)} ${digits(median).padStart(8)} ${unit}  (${digits(low)} to ${digits(high)})`)
  }
}
