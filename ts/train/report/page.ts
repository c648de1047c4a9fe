/** The report of a run: one file of HTML that needs nothing beside it. */
import type { EpochRecord, History } from '../events.ts'
import { clock, figure } from '../progress.ts'
import { curves, escaped } from './curves.ts'
import type { Judgement } from './mistakes.ts'
import { STYLE } from './style.ts'

/** One step of a run. */
export interface StepRecord {
  /** From 1 on in the whole run. */
  step: number
  loss: number
  lr: number
}

export interface ReportContent {
  title: string
  /** When the run ended. */
  date: Date
  history: History
  steps: readonly StepRecord[]
  /** Names of classes, for the tables below. */
  classes: readonly string[]
  judgement: Judgement | null
  /** The table of the model's layers: path, class, output shape, parameters. */
  layers: readonly (readonly [path: string, name: string, output: string, parameters: string])[]
  /** What else there is to say, such as seed, versions and machine. */
  facts: readonly (readonly [name: string, value: string])[]
}

/** A figure at an axis: no more digits than it needs. */
function tick(name: string, value: number): string {
  return /accuracy/i.test(name) ? `${Number((100 * value).toFixed(3))} %` : String(Number(value.toPrecision(4)))
}

/** More classes than this make a table that nobody reads. */
const MOST_CLASSES = 40

const cell = (tag: string, text: string, more = '') => `<${tag}${more}>${text}</${tag}>`

function figuresOf({ history }: ReportContent): string {
  const last = history.epochs.at(-1)
  const best = history.epochs.find(({ epoch }) => epoch === history.best?.epoch) ?? last
  const shown = best?.validation ?? best?.training ?? {}
  const where = best?.validation ? 'validation' : 'training'
  const seconds = history.epochs.reduce((sum, e) => sum + e.seconds, 0)
  const items = history.epochs.reduce((sum, e) => sum + e.items, 0)
  const all = [
    ...Object.entries(shown).map(([name, value]) => [`${where} ${name}`, figure(name, value)]),
    ['best epoch', best ? `${best.epoch} of ${history.epochs.length}` : '—'],
    ['training time', clock(seconds)],
    ['items a second', seconds > 0 ? Math.round(items / seconds).toLocaleString('en-US') : '—'],
  ]
  const entries = all.map(([name, value]) => `<div><dt>${escaped(name!)}</dt><dd>${escaped(value!)}</dd></div>`)
  return `<dl class="figures">${entries.join('')}</dl>`
}

function charts({ history, steps }: ReportContent): string {
  const { epochs } = history
  const perEpoch = (name: string, of: (e: EpochRecord) => number | undefined) => ({
    name,
    points: epochs.map((e) => [e.epoch, of(e) ?? NaN] as const),
  })
  const drawn: string[] = []
  if (steps.length > 1) {
    const loss = steps.map((record) => [record.step, record.loss] as const)
    drawn.push(
      curves({
        title: 'Loss of each step',
        x: 'step',
        series: [{ name: 'training', points: loss }],
        format: (v) => tick('loss', v),
      }),
    )
  }
  for (const name of Object.keys(epochs[0]?.training ?? {})) {
    const series = [perEpoch('training', (e) => e.training[name])]
    if (epochs.some((e) => e.validation)) series.push(perEpoch('validation', (e) => e.validation?.[name]))
    const title = name.charAt(0).toUpperCase() + name.slice(1)
    drawn.push(curves({ title: `${title} of each epoch`, x: 'epoch', series, format: (v) => tick(name, v) }))
  }
  if (steps.length > 1) {
    const rates = steps.map((record) => [record.step, record.lr] as const)
    const format = (v: number) => Number(v.toPrecision(3)).toString()
    drawn.push(curves({ title: 'Learning rate', x: 'step', series: [{ name: 'first group', points: rates }], format }))
  }
  return `<div class="charts">${drawn.join('')}</div>`
}

function confusion({ confusion: counts }: Judgement, nameOf: (label: number) => string): string {
  if (counts.length === 0 || counts.length > MOST_CLASSES) return ''
  const head = counts.map((_, i) => cell('th', escaped(nameOf(i)), ' scope="col"')).join('')
  const rows = counts.map((row, target) => {
    const total = row.reduce((a, b) => a + b, 0)
    const cells = row.map((n, predicted) => {
      const share = total > 0 ? n / total : 0
      // Mistakes are rare: their colour deepens with the root, so that one in a hundred is seen.
      const depth = Math.round(100 * (target === predicted ? share * 0.45 : Math.sqrt(share)))
      const colour = target === predicted ? 'var(--c)' : 'var(--b)'
      const background =
        n > 0
          ? ` style="background:color-mix(in srgb, ${colour} ${Math.max(depth, 6)}%, transparent)"`
          : ' class="zero"'
      const title = ` title="${n} of ${total} ${escaped(nameOf(target))} taken for ${escaped(nameOf(predicted))}"`
      return cell('td', n.toLocaleString('en-US'), background + title)
    })
    const right = total > 0 ? `${((100 * row[target]!) / total).toFixed(1)} %` : '—'
    return `<tr>${cell('th', escaped(nameOf(target)), ' scope="row"')}${cells.join('')}${cell('th', right)}</tr>`
  })
  return (
    '<h2>Confusion</h2><p class="note">The model as the run left it: a row is what the items are, a column what they ' +
    'were taken for; at the end the share that was right.</p><div class="wide"><table class="confusion">' +
    `<tr><th></th>${head}<th></th></tr>${rows.join('')}</table></div>`
  )
}

function mistakes({ mistakes: list }: Judgement, nameOf: (label: number) => string): string {
  if (list.length === 0) return ''
  const percent = (share: number) => `${(100 * share).toFixed(1)}\u00a0%`
  const figures = list.map(({ target, predicted, sure, right, picture }) => {
    const name = `${nameOf(target)} taken for ${nameOf(predicted)}`
    const image = picture
      ? `<img alt="${escaped(name)}" src="data:image/png;base64,${picture.toString('base64')}">`
      : ''
    return (
      `<figure>${image}<figcaption>taken for <b>${escaped(nameOf(predicted))}</b> <small>${percent(sure)}</small><br>` +
      `is ${escaped(nameOf(target))} <small>${percent(right)}</small></figcaption></figure>`
    )
  })
  return `<h2>Worst mistakes</h2><div class="mistakes">${figures.join('')}</div>`
}

/** The page as text. */
export function page(content: ReportContent): string {
  const { title, date, layers, facts, judgement, classes } = content
  const nameOf = (label: number) => classes[label] ?? String(label)
  const rows = layers.map(([path, name, output, parameters]) => {
    const cells = [path || '·', name, output].map((text) => cell('td', `<code>${escaped(text)}</code>`))
    return `<tr>${cells.join('')}${cell('td', escaped(parameters), ' class="n"')}</tr>`
  })
  const model =
    rows.length === 0
      ? ''
      : '<h2>Model</h2><div class="wide"><table class="plain"><tr><th>path</th><th>layer</th><th>output</th>' +
        `<th class="n">parameters</th></tr>${rows.join('')}</table></div>`
  const about = facts.map(([name, value]) => `<tr>${cell('th', escaped(name))}${cell('td', escaped(value))}</tr>`)
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1><p class="when">${escaped(date.toISOString().slice(0, 16).replace('T', ' '))} UTC</p>`,
    figuresOf(content),
    '<h2>Curves</h2>',
    charts(content),
    judgement ? confusion(judgement, nameOf) : '',
    judgement ? mistakes(judgement, nameOf) : '',
    model,
    `<h2>Run</h2><table class="plain">${about.join('')}</table>`,
    '</body></html>\n',
  ].join('\n')
}
