/** Activations with PyTorch's defaults. */
import { describe, expect, test } from 'vitest'
import { F, gradcheck, gradgradcheck, tensor, zeros, type Tensor } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees('activations', {
  leakyRelu: (x) => F.leakyRelu(x),
  'leakyRelu 0.2': (x) => F.leakyRelu(x, 0.2),
  elu: (x) => F.elu(x),
  'elu 0.5': (x) => F.elu(x, 0.5),
  'celu 1.5': (x) => F.celu(x, 1.5),
  selu: (x) => F.selu(x),
  hardtanh: (x) => F.hardtanh(x),
  'hardtanh -2, 0.5': (x) => F.hardtanh(x, -2, 0.5),
  'threshold 0.1, 20': (x) => F.threshold(x, 0.1, 20),
  'prelu, one weight': (x, weight) => F.prelu(x, weight!),
  'prelu, a weight for each channel': (x, weight) => F.prelu(x, weight!),
  hardshrink: (x) => F.hardshrink(x),
  'softshrink 0.3': (x) => F.softshrink(x, 0.3),
  tanhshrink: (x) => F.tanhshrink(x),
  softmin: (x) => F.softmin(x, { dim: 1 }),
  'gelu tanh': (x) => F.gelu(x, { approximate: 'tanh' }),
  'softplus 2.5': (x) => F.softplus(x, 2.5),
  'maxout 2': (x) => F.maxout(x, 2),
  'maxout 3, dim 0': (x) => F.maxout(x, 3, { dim: 0 }),
  glu: (x) => F.glu(x, { dim: 0 }),
  'nanToNum 1, 2, 3': (x) => x.nanToNum({ nan: 1, posInf: 2, negInf: 3 }),
})

describe('activations', () => {
  test('nanToNum takes the largest numbers for infinities', () => {
    const largest = { f32: 3.4028234663852886e38, f64: Number.MAX_VALUE }
    for (const [dtype, most] of Object.entries(largest)) {
      const x = tensor([NaN, Infinity, -Infinity, 2], { dtype: dtype as 'f32' })
      expect(x.nanToNum().toNestedSync()).toEqual([0, most, -most, 2])
    }
  })

  test('their derivatives agree with differences to second order, far from 0 too', async () => {
    const x = tensor([-800, -3, -0.7, 0.4, 2.5, 800], { dtype: 'f64' })
    const smooth: ((x: Tensor) => Tensor)[] = [F.elu, F.selu, F.celu, F.mish, F.logsigmoid, F.softsign, F.tanhshrink]
    for (const f of smooth) {
      expect(await gradcheck((y) => f(y), x)).toBe(true)
      expect(await gradgradcheck((y) => f(y), x)).toBe(true)
    }
  })

  test('wrong arguments are refused', () => {
    expect(failure(() => F.prelu(zeros([2, 3]), zeros([4])))).toMatchObject({
      code: 'FOVEA_SHAPE',
      message: 'prelu: weight must have shape [1] or [3], one number for each channel of x [2, 3], got [4]',
    })
    expect(failure(() => F.glu(zeros([3])))).toMatchObject({ code: 'FOVEA_SHAPE', argument: 'dim', received: '3' })
    expect(failure(() => F.maxout(zeros([2, 3]), 2)).message).toBe(
      'maxout: dimension 1 of shape [2, 3] is no multiple of 2 pieces',
    )
    expect(failure(() => F.softplus(zeros([2]), 0)).message).toBe('softplus: beta must be a number above 0, got 0')
    expect(failure(() => F.gelu(zeros([2]), { approximate: 'erf' as 'none' })).message).toBe(
      `gelu: approximate must be 'none' or 'tanh', got "erf"`,
    )
    expect(failure(() => F.softshrink(zeros([3]), -1)).message).toBe(
      'softshrink: lambd must be a number from 0 on, got -1',
    )
  })
})
