/** A run on the screen: a bar that updates in a terminal, plain lines in a pipe. */
import type { Figures, TrainEvent } from './events.ts'
import type { Callback } from './fit.ts'

/** Where {@link Progress} writes: `process.stdout` or a stand-in. */
export interface Screen {
  /** Takes text as it is. */
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

const LINE_INTERVAL_MS = 5_000
const FRAME_MS = 100
const BAR_WIDTH = 30

const count = (n: number) => Math.round(n).toLocaleString('en-US')

/** A figure in few characters; accuracies in percent. */
export function figure(name: string, value: number): string {
  if (/accuracy/i.test(name)) return `${(100 * value).toFixed(2)} %`
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : value.toFixed(4)
}

const figures = (all: Figures) =>
  Object.entries(all)
    .map(([name, value]) => `${name} ${figure(name, value)}`)
    .join('  ')

/** Minutes and seconds, with hours where there are any. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.round(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`
}

/** A bar `width` characters wide, filled to an eighth of a character. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.floor(Math.min(1, Math.max(0, fraction)) * width * 8)
  const full = '█'.repeat(Math.floor(eighths / 8))
  const rest = eighths % 8 === 0 ? '' : '▏▎▍▌▋▊▉'.charAt((eighths % 8) - 1)
  return (full + rest).padEnd(width)
}

/** Writes the events of a run as they come. */
export class Progress {
  readonly #out: Screen
  readonly #now: () => number
  #epochs = 1
  #shown = Number.NEGATIVE_INFINITY

  constructor(out: Screen, now: () => number = Date.now) {
    this.#out = out
    this.#now = now
  }

  /** Writes what there is to say of an event. */
  show(event: TrainEvent): void {
    switch (event.type) {
      case 'start':
        this.#start(event)
        break
      case 'step':
        this.#step(event)
        break
      case 'epoch': {
        const validation = event.validation ? `  validation: ${figures(event.validation)}` : ''
        const head = `epoch ${event.epoch}/${event.epochs}`
        this.line(`${head}  ${figures(event.training)}${validation}  ${event.seconds.toFixed(1)} s`)
        break
      }
      case 'end':
        if (event.history.stopped === 'early' && event.history.best) {
          this.line(`Stopped early; the weights are those of epoch ${event.history.best.epoch}.`)
        }
        break
      default:
    }
  }

  #start({ epochs, epoch, steps, parameters, device }: TrainEvent & { type: 'start' }): void {
    this.#epochs = epochs
    if (!this.#out.isTTY) this.#shown = this.#now()
    const many = `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}${steps === null ? '' : ` of ${count(steps)} steps`}`
    const from = epoch > 1 ? `, from epoch ${epoch} on` : ''
    this.line(`Training ${count(parameters)} parameters on ${device}: ${many}${from}`)
  }

  #step(event: TrainEvent & { type: 'step' }): void {
    const { epoch, step, steps, meanLoss, items, seconds } = event
    const now = this.#now()
    const { isTTY } = this.#out
    if (now - this.#shown < (isTTY ? FRAME_MS : LINE_INTERVAL_MS) && !(step === steps && isTTY)) return
    this.#shown = now
    const perSecond = seconds > 0 ? items / seconds : 0
    const left = steps === null ? 0 : ((steps - step + (this.#epochs - epoch) * steps) * seconds) / step
    const parts = [
      `loss ${figure('loss', meanLoss)}`,
      perSecond > 0 ? `${count(perSecond)} items/s` : '',
      perSecond > 0 && steps !== null ? `${clock(left)} left` : '',
    ]
    const numbers = parts.filter(Boolean).join('  ')
    const head = `epoch ${epoch}/${this.#epochs}`
    if (!isTTY) {
      this.#out.write(`${head}  step ${step}${steps === null ? '' : `/${steps}`}  ${numbers}\n`)
      return
    }
    const columns = (this.#out.columns ?? 80) - 1
    const width = steps === null ? 0 : Math.min(BAR_WIDTH, columns - head.length - numbers.length - 6)
    const middle = steps !== null && width >= 5 ? ` ▕${bar(step / steps, width)}▏ ` : '  '
    this.#out.write(`\r\u001b[K${(head + middle + numbers).slice(0, columns)}`)
  }

  /** A line of its own; what stands in the bar's place is wiped. */
  line(text: string): void {
    this.#out.write(`${this.#out.isTTY ? '\r\u001b[K' : ''}${text}\n`)
  }
}

/** A callback that shows a run on `out`: a bar in a terminal, plain lines otherwise. */
export function progress(out: Screen = process.stdout): Callback {
  const shown = new Progress(out)
  return (event) => shown.show(event)
}
