import { expect, test } from 'vitest'
import { draw, drawPredictions } from './digits.ts'

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
