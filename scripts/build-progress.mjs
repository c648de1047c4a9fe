/** How a build shows where it is: one line that updates in a terminal, a line now and then in a pipe. */
import { stripVTControlCharacters } from 'node:util'
import { seconds } from './process.mjs'

const PIPE_INTERVAL_MS = 10_000
const FRAME_MS = 200

/** The words with which cargo starts its own lines; anything else on its stderr is a message for people. */
const STATUS =
  /^ {0,11}(Adding|Blocking|Building|Checking|Compiling|Dirty|Downgrading|Downloaded|Downloading|Finished|Fresh|Locking|Removing|Running|Updating|Upgrading|Warning:) (.*)$/

/** Follows cargo through the two streams of `cargo build --message-format=json-render-diagnostics`. */
export class BuildProgress {
  /**
   * @param {string} title
   * @param {{ write(text: string): unknown, isTTY?: boolean, columns?: number }} out
   * @param {() => number} [now] milliseconds
   */
  constructor(title, out, now = Date.now) {
    this.title = title
    this.out = out
    this.now = now
    this.total = 0
    /** @type {Set<string>} package ids whose library is there */
    this.done = new Set()
    /** @type {Set<string>} names in the order cargo started them */
    this.compiling = new Set()
    /** @type {string[]} files of the last library made */
    this.library = []
    this.waiting = ''
    this.began = now()
    this.shown = this.began
  }

  start() {
    this.timer = setInterval(() => this.show(), this.out.isTTY ? FRAME_MS : PIPE_INTERVAL_MS / 10)
    this.timer.unref()
    this.out.write(this.out.isTTY ? '' : `${this.title}…\n`)
  }

  /** One line of cargo's stdout: a JSON message. @param {string} line */
  message(line) {
    if (!line.startsWith('{')) return
    const message = JSON.parse(line)
    if (message.reason !== 'compiler-artifact' || message.target.kind.includes('custom-build')) return
    this.done.add(message.package_id)
    this.compiling.delete(message.target.name)
    this.compiling.delete(message.target.name.replaceAll('_', '-'))
    if (message.target.kind.includes('cdylib')) this.library = message.filenames
    if (this.out.isTTY) this.show()
  }

  /** One line of cargo's stderr: its own news becomes the status, diagnostics are printed whole. @param {string} line */
  news(line) {
    const found = STATUS.exec(stripVTControlCharacters(line))
    if (!found) {
      this.clear()
      this.out.write(`${line}\n`)
      return
    }
    const [, word, rest] = found
    if (word === 'Compiling') this.compiling.add(rest.split(' ')[0])
    this.waiting = word === 'Compiling' || word === 'Finished' ? '' : `${word.toLowerCase()} ${rest}`
    if (this.out.isTTY) this.show()
  }

  line() {
    const now = [...this.compiling].at(-1) ?? ''
    const count = this.total === 0 ? '' : `compiling ${Math.min(this.done.size, this.total)}/${this.total}`
    const what = this.waiting || [count, now].filter(Boolean).join(' ')
    return [this.title, what, seconds(this.now() - this.began)].filter(Boolean).join(' · ')
  }

  show() {
    if (this.out.isTTY) {
      this.out.write(`\r\u001b[K${this.line().slice(0, (this.out.columns ?? 80) - 1)}`)
    } else if (this.now() - this.shown >= PIPE_INTERVAL_MS) {
      this.shown = this.now()
      this.out.write(`${this.line()}\n`)
    }
  }

  clear() {
    if (this.out.isTTY) this.out.write('\r\u001b[K')
  }

  /** @param {string} outcome */
  finish(outcome) {
    clearInterval(this.timer)
    this.clear()
    this.out.write(`${this.title} · ${outcome} after ${seconds(this.now() - this.began)}\n`)
  }
}
