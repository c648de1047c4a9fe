/** Reductions and orders that are made of ops. */
import { describe, expect, test } from 'vitest'
import { F, gradcheck, gradgradcheck, tensor, zeros, type Tensor } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees('reductions', {
  norm: (x) => x.norm(),
  'norm of zeros': (x) => x.norm({ dim: 0 }),
  'norm 1': (x) => x.norm({ p: 1, dim: [0, 2] }),
  'norm 3': (x) => x.norm({ p: 3, dim: 1, keepDim: true }),
  'norm inf': (x) => x.norm({ p: Infinity, dim: -1 }),
  'norm -inf': (x) => x.norm({ p: -Infinity, dim: -1 }),
  'norm 0': (x) => x.norm({ p: 0, dim: 1 }),
  logsumexp: (x) => x.logsumexp({ dim: [0, 2] }),
  'logsumexp of infinities': (x) => x.logsumexp({ dim: 1 }),
  std: (x) => x.std({ dim: [0, 1] }),
  countNonzero: (x) => x.countNonzero({ dim: 1 }),
  cumsum: (x) => x.cumsum({ dim: 1 }),
  cumprod: (x) => x.cumprod({ dim: 1 }),
  'cumprod with zeros': (x) => x.cumprod(),
  logcumsumexp: (x) => x.logcumsumexp({ dim: 1 }),
  cummax: (x) => x.cummax({ dim: 1 })[0],
  cummin: (x) => x.cummin({ dim: 0 })[0],
  'cumprod of integers': (x) => x.cumprod({ dim: 0 }),
  median: (x) => x.median({ dim: 1 }),
  'median of all': (x) => x.median(),
  'median with NaN': (x) => x.median({ dim: 1 }),
  'median of integers': (x) => x.median(),
  'quantile 0.3': (x) => x.quantile(0.3, { dim: 1 }),
  'quantile [0, 0.5, 0.9, 1]': (x) => x.quantile([0, 0.5, 0.9, 1], { dim: 0, keepDim: true }),
  'quantile lower': (x) => x.quantile(0.4, { dim: 1, interpolation: 'lower' }),
  'quantile higher': (x) => x.quantile(0.4, { dim: 1, interpolation: 'higher' }),
  'quantile midpoint': (x) => x.quantile(0.4, { dim: 1, interpolation: 'midpoint' }),
  'quantile nearest': (x) => x.quantile(0.4, { dim: 1, interpolation: 'nearest' }),
  sort: (x) => x.sort({ dim: 1, descending: true }),
  argsort: (x) => x.argsort({ dim: 0 }),
  'topk 2': (x) => x.topk(2, { dim: 1 }),
  'topk 3, smallest': (x) => x.topk(3, { dim: 0, largest: false }),
  isClose: (a, b) => a.isClose(b!, { rtol: 1e-3 }),
})

describe('reductions', () => {
  test('their derivatives agree with differences to second order', async () => {
    const x = tensor(
      [
        [0.5, -1.2, 2],
        [1.1, 0.3, -0.4],
      ],
      { dtype: 'f64' },
    )
    const functions: Record<string, (x: Tensor) => Tensor> = {
      norm: (y) => y.norm({ dim: 1 }),
      'norm 3': (y) => y.norm({ p: 3 }),
      logsumexp: (y) => y.logsumexp({ dim: 0 }),
      cumsum: (y) => y.cumsum().square(),
      cumprod: (y) => y.cumprod(),
      logcumsumexp: (y) => y.logcumsumexp(),
      cummax: (y) => y.square().cummax()[0],
      // oxlint-disable-next-line unicorn/no-array-sort -- a tensor's
      sort: (y) => F.sort(y.square())[0],
      quantile: (y) => y.square().quantile(0.4, { dim: 1 }),
    }
    for (const f of Object.values(functions)) {
      expect(await gradcheck(f, x)).toBe(true)
      expect(await gradgradcheck(f, x)).toBe(true)
    }
  })

  test('wrong arguments are refused', () => {
    const x = zeros([2, 3])
    expect(failure(() => x.norm({ p: NaN })).message).toBe('norm: p must be a number, got NaN')
    expect(failure(() => x.quantile(1.5)).message).toBe('quantile: q must be from 0 to 1, got 1.5')
    expect(failure(() => x.topk(4)).message).toBe(
      'topk: k must be a whole number up to 3, the size of dimension 1, got 4',
    )
    expect(failure(() => zeros([0]).median())).toMatchObject({ code: 'FOVEA_SHAPE', op: 'median' })
    expect(failure(() => x.sort({ dim: 2 })).message).toContain('dim 2 is no dimension of a tensor of rank 2')
    expect(failure(() => x.cumprod({ dim: 2 })).message).toBe('cumprod: dim must be an integer from -2 to 1, got 2')
  })
})
