/** Curves as SVG, in the colours of the page around them. */

/** Points of one line, in the order of x. */
export interface Series {
  name: string
  points: readonly (readonly [x: number, y: number])[]
}

export interface Chart {
  title: string
  x: string
  series: readonly Series[]
  /** How a value of y reads. */
  format: (value: number) => string
}

const [WIDTH, HEIGHT] = [560, 280]
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 16, 16, 40]
const MOST_POINTS = 400

export function escaped(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (c) => names[c]!)
}

/** About `count` round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const off = (m: number) => Math.abs(Math.log((m * power) / rough))
  const step = [1, 2, 5, 10].reduce((best, m) => (off(m) < off(best) ? m : best)) * power
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** At most {@link MOST_POINTS} points, each the mean of its neighbours. */
export function thinned(points: Series['points']): Series['points'] {
  const size = Math.ceil(points.length / MOST_POINTS)
  if (size <= 1) return points
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const some = points.slice(i * size, (i + 1) * size)
    const mean = (of: 0 | 1) => some.reduce((sum, p) => sum + p[of], 0) / some.length
    return [mean(0), mean(1)] as const
  })
}

/** A chart with axes and a legend; points that are not finite are left out. */
export function curves({ title, x, series, format }: Chart): string {
  const lines = series.map(({ name, points }) => {
    return { name, points: thinned(points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b))) }
  })
  const all = lines.flatMap(({ points }) => points)
  if (all.length === 0) return ''
  const bounds = (of: 0 | 1): [number, number] => {
    const values = all.map((p) => p[of])
    return [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
  }
  let [[left, right], [low, high]] = [bounds(0), bounds(1)]
  if (left === right) [left, right] = [left - 0.5, right + 0.5]
  if (low === high) [low, high] = [low - Math.abs(low) / 10 - 1e-9, high + Math.abs(high) / 10 + 1e-9]
  const atX = (v: number) => LEFT + ((v - left) / (right - left)) * (WIDTH - LEFT - RIGHT)
  const atY = (v: number) => HEIGHT - BOTTOM - ((v - low) / (high - low)) * (HEIGHT - TOP - BOTTOM)
  const round = (v: number) => Number(v.toFixed(1))
  const whole = (v: number) => Number.isInteger(v)
  const grid = ticks(low, high, 5).map((v) => {
    const y = round(atY(v))
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>` +
      `<text class="tick" x="${LEFT - 8}" y="${y + 4}" text-anchor="end">${escaped(format(v))}</text>`
    )
  })
  const below = ticks(left, right, 6).filter(whole)
  const feet = below.map((v) => {
    return `<text class="tick" x="${round(atX(v))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${v.toLocaleString('en-US')}</text>`
  })
  const drawn = lines.map(({ name, points }, i) => {
    const path = points.map(([a, b], k) => `${k === 0 ? 'M' : 'L'}${round(atX(a))} ${round(atY(b))}`).join('')
    const dots =
      points.length > 40
        ? []
        : points.map(([a, b]) => {
            const label = `${name}: ${format(b)} at ${x} ${Number(a.toFixed(2))}`
            return `<circle class="s${i}" cx="${round(atX(a))}" cy="${round(atY(b))}" r="3"><title>${escaped(label)}</title></circle>`
          })
    return `<path class="s${i}" d="${path}"/>${dots.join('')}`
  })
  const legend = lines.map(({ name }, i) => `<span><i class="s${i}"></i>${escaped(name)}</span>`)
  return [
    `<figure class="chart"><figcaption>${escaped(title)}<span class="legend">${legend.join('')}</span></figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    ...grid,
    ...feet,
    `<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${escaped(x)}</text>`,
    ...drawn,
    '</svg></figure>',
  ].join('')
}
