import { expect, test } from 'vitest'
import { parseOptions } from './options.mjs'

test('without options the documented defaults hold', () => {
  expect(parseOptions([])).toEqual({ help: false, json: false, epochs: 7, seed: 1, device: 'cpu' })
})

test('every option is read', () => {
  const args = '--epochs 5 --device auto --seed 42 --threads 2 --data digits --json'.split(' ')
  expect(parseOptions(args)).toEqual({
    help: false,
    json: true,
    epochs: 5,
    seed: 42,
    device: 'auto',
    threads: 2,
    data: 'digits',
  })
})

test.each([
  [['--epochs', '0'], "--epochs takes a whole number from 1 to 10000, not '0'."],
  [['--epochs', '2.5'], '--epochs takes a whole number'],
  [['--seed=-1'], '--seed takes a whole number'],
  [['--seed', '-1'], "Option '--seed' lacks its value."],
  [['--epochs', 'x'], '--epochs takes a whole number'],
  [['--threads', '0'], '--threads takes a whole number from 1 to 1024'],
  [['--threads', 'many'], '--threads takes a whole number'],
  [['--device', 'tpu'], "--device takes cpu, gpu or auto, not 'tpu'."],
  [['--data', ''], '--data takes a folder.'],
  [['--speed', '9'], "Unknown option '--speed'."],
  [['--epochs'], "Option '--epochs <value>' argument missing."],
  [['fast'], "Unexpected argument 'fast'."],
])('%j is answered with one sentence', (args, sentence) => {
  const problem = parseOptions(args)
  expect(problem).toContain(sentence)
  expect(String(problem).match(/\.$/g)).toHaveLength(1)
  expect(problem).not.toContain('\n')
})
