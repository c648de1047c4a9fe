/** Every line in the tables of equivalents has the right types and runs. */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../child.ts'
import { complaints, run } from './programs.ts'
import { emptied, linesOf } from './snippets.ts'

/** The code in the columns headed `Fovea`, each piece in a block of its own on its line, after what the page gives. */
function tablesOf(page: string): { text: string; pieces: number } {
  let [column, given, pieces] = [-1, false, 0]
  const text = linesOf(page).map((line) => {
    if (line === '<!-- in the tables:') given = true
    else if (line === '-->') given = false
    else if (given) return line
    if (!line.startsWith('|')) {
      column = -1
      return ''
    }
    const cells = line.replaceAll('\\|', ' ').split('|').map((cell) => cell.trim()) // prettier-ignore
    if (column < 0) {
      column = cells.indexOf('Fovea')
      return ''
    }
    const spans = [...(cells[column] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
    pieces += spans.length
    return spans.map((span) => `{ ${span} }`).join(' ')
  })
  return { text: `${text.join('\n').trimEnd()}\n`, pieces }
}

describe.each(['docs/from-pytorch.md', 'docs/from-tensorflow-js.md'])('%s', (page) => {
  const { text, pieces } = tablesOf(page)
  const file = join(emptied(join(root, 'target', 'docs', 'tables', basename(page, '.md'))), 'tables.ts')
  writeFileSync(file, text)

  test('every equivalent exists and runs', { timeout: 300_000 }, async () => {
    expect(pieces).toBeGreaterThan(80)
    expect(complaints([file])).toEqual([])
    await run([file])
  })
})
