/** Draws images of digits with characters that hold two pixels each. */

export interface Prediction {
  pixels: Float32Array // [784], 0 paper to 1 ink
  label: number
  predicted: number
}

const SIDE = 28
const MARGIN = 2 // every digit lies within a 24 by 24 square around the middle
const INK = 0.4
const GAP = '  '

/** The lines of one digit: two rows of pixels a line. */
export function draw(pixels: Float32Array): string[] {
  const ink = (row: number, column: number) => (pixels[row * SIDE + column] ?? 0) > INK
  const lines: string[] = []
  for (let row = MARGIN; row < SIDE - MARGIN; row += 2) {
    let line = ''
    for (let column = MARGIN; column < SIDE - MARGIN; column++) {
      line += ' ▄▀█'.charAt((ink(row, column) ? 2 : 0) + (ink(row + 1, column) ? 1 : 0))
    }
    lines.push(line)
  }
  return lines
}

/** As many digits beside each other as fit into `columns`, each above what was read and what it is. */
export function drawPredictions(predictions: Prediction[], columns: number): string {
  const width = SIDE - 2 * MARGIN
  const perRow = Math.max(1, Math.floor((columns + GAP.length) / (width + GAP.length)))
  const lines: string[] = []
  for (let i = 0; i < predictions.length; i += perRow) {
    const row = predictions.slice(i, i + perRow)
    const drawn = row.map(({ pixels }) => draw(pixels))
    for (let y = 0; y < width / 2; y++) lines.push(drawn.map((digit) => digit[y]).join(GAP))
    const captions = row.map(
      ({ label, predicted }) => `predicted ${predicted}, is ${label}${label === predicted ? '' : ' ✗'}`,
    )
    lines.push(captions.map((caption) => caption.padStart((width + caption.length) >> 1).padEnd(width)).join(GAP), '')
  }
  return lines.map((line) => line.trimEnd()).join('\n')
}
