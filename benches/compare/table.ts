/** How rows are printed: a table, or a line of JSON each. */
import type { Family, Missing } from '../cases/case.ts'
import { BARS, type Row, verdict } from './limit.ts'

const WIDTHS = [46, 10, 10, 26, 20, 12, 9]

const cells = (texts: readonly string[]): string =>
  texts.map((text, i) => (i === 0 || i === 3 ? text.padEnd(WIDTHS[i]!) : text.padStart(WIDTHS[i]!))).join(' ')

const milliseconds = (value: number | null): string =>
  value === null ? '–' : value.toFixed(value < 1 ? 4 : value < 100 ? 2 : 0)

const fixed = (value: number | null, digits = 2): string => (value === null ? '–' : value.toFixed(digits))

const rounded = (value: number | null, digits: number): number | null =>
  value === null ? null : Number(value.toPrecision(digits))

export const labelled = ({ name, variant }: Row['case']): string => (variant ? `${name} (${variant})` : name)

/** One line of JSON. */
export function line(row: Row): string {
  return JSON.stringify({
    case: labelled(row.case),
    ours_ms: rounded(row.oursMs, 5),
    peer: row.peer,
    peer_ms: rounded(row.peerMs, 5),
    ratio: rounded(row.ratio, 4),
    interval: row.interval?.map((bound) => rounded(bound, 4)) ?? null,
    as_installed: rounded(row.asInstalled, 4),
    share_of_limit: rounded(row.shareOfLimit, 3),
  })
}

export function heading(family: Family): string {
  const titles = cells(['', 'ours ms', 'peer ms', 'peer', 'ratio (95 %)', 'as inst.', 'of limit'])
  return `\n${family[0]!.toUpperCase()}${family.slice(1)}\n  ${titles}`
}

/** A row of the table: `!` stands behind a ratio below the bar, `*` where a goal asks for more than 0.9 of the limit. */
export function rowText(row: Row): string {
  const mark = `${row.reached === false ? '!' : ''}${row.limited ? '*' : ''}`.padEnd(2)
  const [low, high] = row.interval ?? [null, null]
  const ratio = row.ratio === null ? '–' : `${fixed(row.ratio)} (${fixed(low)}–${fixed(high)})${mark}`
  const text = cells([
    labelled(row.case),
    milliseconds(row.oursMs),
    milliseconds(row.peerMs),
    row.peer ?? '–',
    ratio,
    fixed(row.asInstalled),
    row.shareOfLimit === null ? '–' : `${Math.round(100 * row.shareOfLimit)} %`,
  ])
  return [`  ${text}`, ...row.failures.map((failure) => `    ${failure}`)].join('\n')
}

export function summary(family: Family, rows: readonly Row[]): string | null {
  const found = verdict(family, rows)
  if (!found) return null
  const { mean, worst, missed, reached } = found
  const bar = BARS[family]
  const lines = [
    `  geometric mean ${fixed(mean)} (bar ${bar.mean}), worst ${fixed(worst.ratio)} ${labelled(worst.case)} (bar ${bar.each}): ` +
      (reached ? 'reached' : 'not reached'),
  ]
  if (missed.length > 0) lines.push(`  below ${bar.each}: ${missed.map((row) => labelled(row.case)).join(', ')}`)
  return lines.join('\n')
}

export const missingText = ({ name, reason }: Missing): string => `  ${name}: left out, ${reason}`
