/** Shows a training run: a bar that updates in a terminal, plain lines in a pipe. */
import type { MnistEvent } from '../../examples/mnist.ts'

export interface Screen {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const LINE_INTERVAL_MS = 5_000
const FRAME_MS = 100
const BAR_WIDTH = 30

export const percent = (fraction: number) => `${(100 * fraction).toFixed(2)} %`
const count = (n: number) => Math.round(n).toLocaleString('en-US')

export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}

/** A bar `width` characters wide, filled to an eighth of a character. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.floor(Math.min(1, Math.max(0, fraction)) * width * 8)
  const full = '█'.repeat(Math.floor(eighths / 8))
  const rest = eighths % 8 === 0 ? '' : '▏▎▍▌▋▊▉'.charAt((eighths % 8) - 1)
  return (full + rest).padEnd(width)
}

export class Progress {
  private epochs = 1
  private shown = Number.NEGATIVE_INFINITY
  private epochBegan = 0
  private imagesBefore = 0
  private images = 0

  constructor(
    private readonly out: Screen,
    private readonly now: () => number = Date.now,
  ) {}

  show(event: MnistEvent): void {
    switch (event.type) {
      case 'start':
        this.epochs = event.epochs
        this.epochBegan = this.now()
        if (!this.out.isTTY) this.shown = this.epochBegan
        this.line(
          `Training ${count(event.parameters)} parameters on ${event.device}: ` +
            `${event.epochs} ${event.epochs === 1 ? 'epoch' : 'epochs'} of ${count(event.batches)} steps`,
        )
        break
      case 'step':
        this.images = event.images
        this.step(event)
        break
      case 'epoch':
        this.line(
          `epoch ${event.epoch}/${this.epochs}  loss ${event.loss.toFixed(4)}  accuracy ${percent(event.accuracy)}  ` +
            `test accuracy ${percent(event.testAccuracy)}  ${event.seconds.toFixed(1)} s`,
        )
        this.epochBegan = this.now()
        this.imagesBefore = this.images
        break
      case 'done':
        this.line(
          `Trained in ${event.trainSeconds.toFixed(1)} s, ${count(event.imagesPerSecond)} images/s. ` +
            `Test accuracy ${percent(event.testAccuracy)}.`,
        )
    }
  }

  private step(event: MnistEvent & { type: 'step' }): void {
    const now = this.now()
    const last = event.step === event.steps
    if (now - this.shown < (this.out.isTTY ? FRAME_MS : LINE_INTERVAL_MS) && !(last && this.out.isTTY)) return
    this.shown = now
    const elapsed = (now - this.epochBegan) / 1000
    const seen = event.images - this.imagesBefore
    const perSecond = elapsed > 0 ? seen / elapsed : 0
    const perStep = seen / event.step
    const stepsLeft = event.steps - event.step + (this.epochs - event.epoch) * event.steps
    const parts = [
      `loss ${event.loss.toFixed(4)}`,
      `accuracy ${percent(event.accuracy)}`,
      `${count(perSecond)} images/s`,
      perSecond > 0 ? `${clock((stepsLeft * perStep) / perSecond)} left` : '',
    ]
    const numbers = parts.filter(Boolean).join('  ')
    const head = `epoch ${event.epoch}/${this.epochs}`
    if (!this.out.isTTY) {
      this.out.write(`${head}  step ${event.step}/${event.steps}  ${numbers}\n`)
      return
    }
    const columns = (this.out.columns ?? 80) - 1
    const width = Math.min(BAR_WIDTH, columns - head.length - numbers.length - 6)
    const middle = width >= 5 ? ` ▕${bar(event.step / event.steps, width)}▏ ` : '  '
    this.out.write(`\r\u001b[K${(head + middle + numbers).slice(0, columns)}`)
  }

  /** A line of its own; what stands in the bar's place is wiped. */
  line(text: string): void {
    this.out.write(`${this.out.isTTY ? '\r\u001b[K' : ''}${text}\n`)
  }
}
