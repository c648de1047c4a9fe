/** Text for a terminal: columns, sizes, and names that come from files. */

/** `text` with control characters written out: a name in a file must not command the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
}

/** Rows in columns; those of `right` are set to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((text, i) => (widths[i] = Math.max(widths[i] ?? 0, text.length)))
  const lines = rows.map((row) => {
    const cells = row.map((text, i) => (right.includes(i) ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
    return cells.join('  ').trimEnd()
  })
  return lines.join('\n')
}

/** A count with its thousands apart. */
export function count(n: number): string {
  return n.toLocaleString('en-US')
}

/** Bytes in the unit that suits them. */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  const step = Math.min(Math.floor(Math.log2(n) / 10), units.length)
  return `${(n / 2 ** (10 * step)).toFixed(1)} ${units[step - 1]}`
}
