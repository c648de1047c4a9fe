/** Every program on the pages that people read has the right types, runs, and prints what the page says. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../child.ts'
import { complaints, run } from './programs.ts'
import { linesOf, pages, type Program, programsOf } from './snippets.ts'

const programs = new Map(pages.map((page) => [page, programsOf(page)]))

/** What the programs say that they print and don't, in this order. */
function unprinted(stdout: string, prints: readonly string[]): string[] {
  let from = 0
  return prints.filter((text) => {
    const at = stdout.indexOf(text, from)
    if (at >= 0) from = at + text.length
    return at < 0
  })
}

/** Files with a name run in processes of their own, the others of a page in one. */
function runsOf(all: readonly Program[]): Program[][] {
  const runnable = all.filter((program) => program.notRun === null)
  const unnamed = runnable.filter((program) => !program.named)
  return [...(unnamed.length > 0 ? [unnamed] : []), ...runnable.filter((p) => p.named).map((p) => [p])]
}

test('most programs are run', () => {
  const all = [...programs.values()].flat()
  expect(all.filter(({ notRun }) => notRun !== null).length).toBeLessThanOrEqual(all.length / 10)
})

test('types', { timeout: 120_000 }, () => {
  const files = [...programs.values()].flat().map(({ file }) => file)
  expect(files.length).toBeGreaterThan(5)
  expect(complaints(files)).toEqual([])
})

for (const [page, all] of programs) {
  if (all.length === 0) continue
  test(`the programs of ${page} run`, { timeout: 600_000 }, async () => {
    for (const group of runsOf(all)) {
      const stdout = await run(group.map(({ file }) => file))
      const prints = group.flatMap((program) => program.prints)
      expect(unprinted(stdout, prints), stdout).toEqual([])
    }
  })
}

describe('links', () => {
  test.each([...pages, 'CONTRIBUTING.md'])('%s links to files that are there', (page) => {
    const targets = [
      ...linesOf(page)
        .join('\n')
        .matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g),
    ].map((match) => match[1]!)
    const own = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(own.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([])
  })
})
