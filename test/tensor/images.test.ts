/** Pooling to a size, images in other sizes, windows as columns. */
import { describe, expect, test } from 'vitest'
import { F, zeros } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees('images', {
  'adaptiveAvgPool2d [3, 4]': (x) => F.adaptiveAvgPool2d(x, [3, 4]),
  'adaptiveAvgPool2d [4, 5]': (x) => F.adaptiveAvgPool2d(x, [4, 5]),
  'adaptiveAvgPool2d [1, null]': (x) => F.adaptiveAvgPool2d(x, [1, null]),
  'adaptiveAvgPool2d 1': (x) => F.adaptiveAvgPool2d(x, 1),
  'adaptiveAvgPool2d, larger': (x) => F.adaptiveAvgPool2d(x, [7, 10]),
  'adaptiveMaxPool2d [2, 4]': (x) => F.adaptiveMaxPool2d(x, [2, 4]),
  'adaptiveMaxPool2d [4, 3]': (x) => F.adaptiveMaxPool2d(x, [4, 3]),
  'adaptiveMaxPool2d 1': (x) => F.adaptiveMaxPool2d(x, 1),
  'nearest, size 9': (x) => F.interpolate(x, { size: 9 }),
  'nearest, scale 2': (x) => F.interpolate(x, { scaleFactor: 2 }),
  'nearest, scale [0.6, 1.7]': (x) => F.interpolate(x, { scaleFactor: [0.6, 1.7] }),
  'nearest-exact, size [4, 5]': (x) => F.interpolate(x, { size: [4, 5], mode: 'nearest-exact' }),
  'linear, size 11': (x) => F.interpolate(x, { size: 11, mode: 'linear' }),
  'bilinear, size [9, 5]': (x) => F.interpolate(x, { size: [9, 5], mode: 'bilinear' }),
  'bilinear, scale 2': (x) => F.interpolate(x, { scaleFactor: 2, mode: 'bilinear' }),
  'bilinear, scale 0.7': (x) => F.interpolate(x, { scaleFactor: 0.7, mode: 'bilinear' }),
  'bilinear, corners aligned': (x) => F.interpolate(x, { size: [11, 3], mode: 'bilinear', alignCorners: true }),
  'bilinear, corners aligned, size 1': (x) => F.interpolate(x, { size: 1, mode: 'bilinear', alignCorners: true }),
  'unfold 2': (x) => F.unfold(x, 2),
  'unfold [3, 2]': (x) => F.unfold(x, [3, 2], { dilation: [1, 2], padding: [1, 0], stride: [2, 1] }),
  'fold 2': (x) => F.fold(x, [3, 4], 2),
  'fold [3, 2]': (x) => F.fold(x, [6, 8], [3, 2], { dilation: [1, 2], padding: [1, 0], stride: [2, 1] }),
})

describe('images', () => {
  const x = zeros([1, 2, 4, 4])
  const refused: Record<string, [call: () => unknown, message: string]> = {
    'a plane of no size': [
      () => F.adaptiveAvgPool2d(x, 0),
      'adaptiveAvgPool2d: outputSize must be a whole number from 1 on, or two, got [0, 0]',
    ],
    vectors: [
      () => F.adaptiveMaxPool2d(zeros([4]), 2),
      'adaptiveMaxPool2d: x must be images [N, C, H, W] or [C, H, W], got a Tensor of shape [4]',
    ],
    'a window larger than the plane': [
      () => F.unfold(x, 5),
      'unfold: a window of [5, 5] is larger than the plane [4, 4]',
    ],
    'columns that fill no windows': [
      () => F.fold(zeros([1, 8, 5]), [3, 4], 2),
      'fold: x must have shape [..., C · 4, 6], got [1, 8, 5]',
    ],
    'a size that fills the memory': [
      () => F.interpolate(x, { size: 2 ** 31 }),
      'interpolate: size must be whole numbers from 1 to 16777216, got 2147483648',
    ],
    'neither size nor factor': [() => F.interpolate(x, {}), 'interpolate: give either size or scaleFactor'],
    'a mode for another rank': [
      () => F.interpolate(x, { size: 2, mode: 'linear' }),
      "interpolate: x must be of rank 3 for mode 'linear', got a Tensor of shape [1, 2, 4, 4]",
    ],
  }
  test.each(Object.entries(refused))('refuses %s', (_, [call, message]) => {
    expect(failure(call).message).toBe(message)
  })
})
