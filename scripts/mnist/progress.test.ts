import { expect, test } from 'vitest'
import { draw, drawPredictions } from './digits.ts'
import { bar, clock, Progress } from './progress.ts'

const start = { type: 'start', device: 'cpu', parameters: 54_826, batches: 600, epochs: 2 } as const
const step = (n: number, epoch = 1) =>
  ({
    type: 'step',
    epoch,
    step: n,
    steps: 600,
    loss: 0.5,
    accuracy: 0.9,
    images: (epoch - 1) * 60_000 + n * 100,
  }) as const

function watch(isTTY: boolean, columns = 100) {
  let written = ''
  let time = 0
  const out = { isTTY, columns, write: (text: string) => (written += text) }
  const progress = new Progress(out, () => time)
  progress.show({ ...start, model: null as never })
  return { progress, text: () => written, wait: (ms: number) => (time += ms) }
}

test('a terminal gets one line with bar, loss, accuracy, speed and the time left in all epochs', () => {
  const { progress, text, wait } = watch(true, 110)
  wait(10_000)
  progress.show(step(150))
  const line = text().split('\r\u001b[K').at(-1)
  expect(line).toBe(
    'epoch 1/2 ▕███████▌                      ▏ loss 0.5000  accuracy 90.00 %  1,500 images/s  1:10 left',
  )
})

test('a line never runs over the edge of the terminal', () => {
  for (const columns of [20, 60, 72, 80, 200]) {
    const { progress, text, wait } = watch(true, columns)
    wait(1000)
    progress.show(step(77))
    expect(text().split('\r\u001b[K').at(-1)?.length).toBeLessThan(columns)
  }
})

test('a pipe gets a line every five seconds, one an epoch, and no escape sequence', () => {
  const { progress, text, wait } = watch(false)
  for (let n = 1; n <= 600; n++) {
    wait(20)
    progress.show(step(n))
  }
  progress.show({ type: 'epoch', epoch: 1, loss: 0.1234, accuracy: 0.97, testAccuracy: 0.985, seconds: 12 })
  const lines = text().trimEnd().split('\n')
  expect(lines[0]).toBe('Training 54,826 parameters on cpu: 2 epochs of 600 steps')
  expect(lines.slice(1, -1)).toHaveLength(2) // after 5 and 10 of 12 seconds
  expect(lines.at(-1)).toBe('epoch 1/2  loss 0.1234  accuracy 97.00 %  test accuracy 98.50 %  12.0 s')
  expect(text()).not.toContain('\u001b')
})

test('the speed of a later epoch counts its own images', () => {
  const { progress, text, wait } = watch(false)
  wait(60_000)
  progress.show(step(600))
  progress.show({ type: 'epoch', epoch: 1, loss: 0.1, accuracy: 0.97, testAccuracy: 0.98, seconds: 60 })
  wait(10_000)
  progress.show(step(300, 2))
  expect(text()).toContain('3,000 images/s  0:10 left')
})

test('bars and clocks', () => {
  expect(bar(0, 4)).toBe('    ')
  expect(bar(0.5, 4)).toBe('██  ')
  expect(bar(0.54, 4)).toBe('██▏ ')
  expect(bar(1.2, 4)).toBe('████')
  expect(clock(61)).toBe('1:01')
  expect(clock(3600)).toBe('60:00')
})

test('a digit is drawn with two rows of pixels a line', () => {
  const pixels = new Float32Array(784)
  pixels[2 * 28 + 2] = 1 // the upper pixel of the first character
  pixels[3 * 28 + 3] = 1 // the lower one of the second
  pixels[2 * 28 + 4] = pixels[3 * 28 + 4] = 1
  const lines = draw(pixels)
  expect(lines).toHaveLength(12)
  expect(lines[0]).toBe(`▀▄█${' '.repeat(21)}`)
})

test('predictions are captioned, wrong ones marked, and rows fit the width', () => {
  const pixels = new Float32Array(784).fill(1)
  const shown = drawPredictions(
    [
      { pixels, label: 7, predicted: 7 },
      { pixels, label: 9, predicted: 4 },
      { pixels, label: 1, predicted: 1 },
      { pixels, label: 0, predicted: 0 },
    ],
    80,
  )
  expect(shown).toContain('predicted 4, is 9 ✗')
  expect(shown.split('\n')).toHaveLength(28)
  expect(Math.max(...shown.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
})
