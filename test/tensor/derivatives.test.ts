/** Jacobians and Hessians. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, hessian, jacobian, onesLike, stack, tensor, zeros } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees('derivatives', {
  jacobian: (x) => jacobian((p) => stack([p.prod(), p.sin().sum()]), x),
  'jacobian of two': (x, y) => jacobian((p, q) => p!.matmul(q!).tanh(), [x, y!]),
  'jacobian of a matrix': (x) => jacobian((p) => p.matmul(p.transpose(0, 1)), x),
  'jacobian of a constant': (x) => jacobian((p) => onesLike(p.at([0, 2])), x),
  hessian: (x) => hessian((p) => p.pow(3).sum().add(p.prod()), x),
  'hessian of two': (x, y) =>
    hessian((p, q) => p!.exp().matmul(q!).pow(3).sum().add(p!.at(0, 0).mul(q!.square().sum())), [x, y!]).flat(),
  'hessian of a sum': (x) => hessian((p) => p.sum(), x),
})

describe('derivatives', () => {
  test('inputs that require no gradient are left as they are', () => {
    const x = tensor([1, 2])
    const j = jacobian((p) => p.square(), x)
    expect([j.requiresGrad, x.requiresGrad, j.toNestedSync()]).toEqual([
      false,
      false,
      [
        [2, 0],
        [0, 4],
      ],
    ])
    expect(hessian((p) => p.square().sum(), x).toNestedSync()).toEqual([
      [2, 0],
      [0, 2],
    ])
  })

  test('wrong arguments are refused', () => {
    const x = zeros([2])
    expect(failure(() => jacobian((p) => p, [])).message).toBe(
      'jacobian: inputs must be a Tensor or an array of them, got []',
    )
    expect(failure(() => jacobian((p) => p, zeros([2], { dtype: 'i32' }))).message).toBe(
      'jacobian: inputs[0] must be a float tensor, got "i32"',
    )
    expect(failure(() => hessian((p) => p, x)).message).toBe(
      'hessian: fn must be a function giving one element, got a Tensor of shape [2]',
    )
    expect(failure(() => jacobian((async (p: typeof x) => p) as never, x))).toBeInstanceOf(ArgumentError)
  })
})
