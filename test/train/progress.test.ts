/** Runs on the screen. */
import { expect, test } from 'vitest'
import { Progress, type TrainEvent } from 'fovea/train'
import { bar, clock, figure } from '../../ts/train/progress.ts'

const start = { type: 'start', device: 'cpu', parameters: 54_778, steps: 600, epochs: 2, epoch: 1 } as const
const step = (n: number, seconds: number, epoch = 1): TrainEvent & { type: 'step' } => ({
  type: 'step',
  epoch,
  step: n,
  steps: 600,
  loss: 0.7,
  meanLoss: 0.5,
  lr: 0.01,
  items: n * 100,
  seconds,
})
const epoch: TrainEvent = {
  type: 'epoch',
  epoch: 1,
  epochs: 2,
  isBest: true,
  training: { loss: 0.1234, accuracy: 0.97 },
  validation: { loss: 0.05, accuracy: 0.985 },
  lr: 0.01,
  seconds: 12,
  items: 60_000,
}

function watch(isTTY: boolean, columns = 100) {
  let written = ''
  let time = 0
  const out = { isTTY, columns, write: (text: string) => (written += text) }
  const progress = new Progress(out, () => time)
  progress.show(start)
  return { progress, text: () => written, wait: (ms: number) => (time += ms) }
}

test('a terminal gets one line with bar, loss, speed and the time left in all epochs', () => {
  const { progress, text, wait } = watch(true, 110)
  wait(10_000)
  progress.show(step(150, 10))
  const line = text().split('\r\u001b[K').at(-1)
  expect(line).toBe('epoch 1/2 ▕███████▌                      ▏ loss 0.5000  1,500 items/s  1:10 left')
})

test('a line never runs over the edge of the terminal', () => {
  for (const columns of [20, 60, 72, 80, 200]) {
    const { progress, text, wait } = watch(true, columns)
    wait(1000)
    progress.show(step(77, 1))
    expect(text().split('\r\u001b[K').at(-1)?.length).toBeLessThan(columns)
  }
})

test('a pipe gets a line every five seconds, one an epoch, and no escape sequence', () => {
  const { progress, text, wait } = watch(false)
  for (let n = 1; n <= 600; n++) {
    wait(20)
    progress.show(step(n, n * 0.02))
  }
  progress.show(epoch)
  const lines = text().trimEnd().split('\n')
  expect(lines[0]).toBe('Training 54,778 parameters on cpu: 2 epochs of 600 steps')
  expect(lines.slice(1, -1)).toHaveLength(2) // after 5 and 10 of 12 seconds
  expect(lines.at(-1)).toBe(
    'epoch 1/2  loss 0.1234  accuracy 97.00 %  validation: loss 0.0500  accuracy 98.50 %  12.0 s',
  )
  expect(text()).not.toContain('\u001b')
})

test('batches without a known number have no bar and no time left', () => {
  const { progress, text, wait } = watch(true)
  wait(10_000)
  progress.show({ ...step(150, 10), steps: null })
  expect(text().split('\r\u001b[K').at(-1)).toBe('epoch 1/2  loss 0.5000  1,500 items/s')
})

test('a run that goes on or ends early says so', () => {
  const { progress, text } = watch(false)
  progress.show({ ...start, epoch: 2, steps: null })
  progress.show({ type: 'end', history: { epochs: [], best: { epoch: 3, value: 1 }, stopped: 'early' } })
  expect(text().split('\n').slice(1, 3)).toEqual([
    'Training 54,778 parameters on cpu: 2 epochs, from epoch 2 on',
    'Stopped early; the weights are those of epoch 3.',
  ])
})

test('bars, clocks and figures', () => {
  expect(bar(0, 4)).toBe('    ')
  expect(bar(0.5, 4)).toBe('██  ')
  expect(bar(0.54, 4)).toBe('██▏ ')
  expect(bar(1.2, 4)).toBe('████')
  expect(clock(61)).toBe('1:01')
  expect(clock(3661)).toBe('1:01:01')
  expect([figure('loss', 1e-5), figure('accuracy', 0.5), figure('loss', NaN)]).toEqual(['1.000e-5', '50.00 %', 'NaN'])
})
