/**
 * The TypeScript that people read, as programs that can be checked and run.
 *
 * A ```ts block of a page is a program of its own. Comments before it, which a reader doesn't see, say otherwise:
 *
 *     <!-- goes on -->             it goes on where the block before it ended
 *     <!-- file: train.ts -->      it is a file of that name, beside the page's other files
 *     <!-- not run: the reason --> its types are checked alone
 *     <!-- given: the code -->     what the page takes as known, before the block
 *
 * Code after `<!-- given:` begins on the next line. `// → text` at the end of a line says what it prints. A program's
 * lines have the numbers that they have on the page.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../child.ts'

export interface Program {
  /** Where it was written. */
  file: string
  text: string
  /** Whether a page gives it a name. */
  named: boolean
  /** Why it is not run; null where it is. */
  notRun: string | null
  /** What it says that it prints, in order. */
  prints: string[]
}

/** The pages with programs: README.md and docs/*.md. */
export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

export function linesOf(page: string): string[] {
  return readFileSync(join(root, page), 'utf8').split('\n')
}

/** This folder, made if it wasn't there, with nothing in it. */
export function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Lines `from` up to `to`, the end excluded, of a file with nothing else in it. */
type Part = readonly [from: number, to: number]

interface Block {
  code: Part
  given: Part[]
  marks: Map<string, string>
}

/** The line after `from` on which `end` holds. */
function find(lines: readonly string[], from: number, end: (line: string) => boolean): number {
  const at = lines.findIndex((line, i) => i >= from && end(line))
  return at < 0 ? lines.length : at
}

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = []
  let [given, marks] = [[] as Part[], new Map<string, string>()]
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    if (line.startsWith('<!-- given:')) {
      const end = find(lines, i + 1, (l) => l === '-->')
      given.push([i + 1, end])
      i = end
    } else if (line.startsWith('<!--')) {
      const [, word, value = ''] = /^<!-- (goes on|file|not run)(?:: (.*))? -->$/.exec(line) ?? []
      if (word !== undefined) marks.set(word, value)
    } else if (line.startsWith('```')) {
      const end = find(lines, i + 1, (l) => l.startsWith('```'))
      if (line === '```ts') blocks.push({ code: [i + 1, end], given, marks })
      ;[given, marks] = [[], new Map()]
      i = end
    } else if (line !== '') {
      ;[given, marks] = [[], new Map()]
    }
  }
  return blocks
}

/** Writes the programs of a page into a folder of its own, which has nothing else in it. */
export function programsOf(page: string, within = join(root, 'target', 'docs', 'pages')): Program[] {
  const lines = linesOf(page)
  const folder = emptied(join(within, page.replace('/', '-').replace(/\.md$/, '')))
  const programs: { parts: Part[]; name: string | undefined; notRun: string | null }[] = []
  for (const { code, given, marks } of blocksOf(lines)) {
    const last = programs.at(-1)
    if (marks.has('goes on') && last) last.parts.push(...given, code)
    else programs.push({ parts: [...given, code], name: marks.get('file'), notRun: marks.get('not run') ?? null })
  }
  return programs.map(({ parts, name, notRun }) => {
    const own = lines.map((line, i) => (parts.some(([from, to]) => i >= from && i < to) ? line : ''))
    const file = join(folder, name ?? `line-${parts.at(-1)![0]}.ts`)
    const text = `${own.join('\n').trimEnd()}\n`
    writeFileSync(file, text)
    const prints = own.flatMap((line) => /\/\/ → (.*)$/.exec(line)?.[1] ?? [])
    return { file, text, named: name !== undefined, notRun, prints }
  })
}
