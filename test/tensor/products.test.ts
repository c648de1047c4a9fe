/** Products in Einstein's notation, distances, counts. */
import { describe, expect, test } from 'vitest'
import { ArgumentError, bincount, DTypeError, einsum, F, gradgradcheck, rand, ShapeError, tensor, zeros } from 'fovea'
import { failure } from '../engine.ts'
import { agrees } from './reference.ts'

agrees(
  'products',
  {
    'einsum bij,bjk->bik of [2, 3, 4], [2, 4, 5]': (...t) => einsum('bij,bjk->bik', ...t),
    'einsum bij,bjk->ikb of [2, 3, 4], [2, 4, 5]': (...t) => einsum('bij,bjk->ikb', ...t),
    'einsum bij,bjk of [2, 3, 4], [2, 4, 5]': (...t) => einsum('bij,bjk', ...t),
    'einsum bij,bjk->k of [2, 3, 4], [2, 4, 5]': (...t) => einsum('bij,bjk->k', ...t),
    'einsum ij,kj->ik of [3, 4], [4, 4]': (...t) => einsum('ij,kj->ik', ...t),
    'einsum ij,ij-> of [3, 4], [3, 4]': (...t) => einsum('ij,ij->', ...t),
    'einsum i,j->ij of [3], [4]': (...t) => einsum('i,j->ij', ...t),
    'einsum i,i->i of [3], [3]': (...t) => einsum('i,i->i', ...t),
    'einsum bij->bji of [2, 3, 4]': (...t) => einsum('bij->bji', ...t),
    'einsum bij->b of [2, 3, 4]': (...t) => einsum('bij->b', ...t),
    'einsum ba of [3, 4]': (...t) => einsum('ba', ...t),
    'einsum ii->i of [4, 4]': (...t) => einsum('ii->i', ...t),
    'einsum ii of [4, 4]': (...t) => einsum('ii', ...t),
    'einsum bii,i->b of [2, 3, 3], [3]': (...t) => einsum('bii,i->b', ...t),
    'einsum ...ij,...jk->...ik of [3, 1, 2, 4], [2, 4, 5]': (...t) => einsum('...ij,...jk->...ik', ...t),
    'einsum ...ij,jk of [2, 3, 4], [4, 2]': (...t) => einsum('...ij,jk', ...t),
    'einsum b...,b->... of [2, 3, 4], [2]': (...t) => einsum('b...,b->...', ...t),
    'einsum bij,bjk,kl,b->il of [2, 3, 4], [2, 4, 5], [5, 2], [2]': (...t) => einsum('bij,bjk,kl,b->il', ...t),
    'einsum ij,j->i of [0, 3], [3]': (...t) => einsum('ij,j->i', ...t),
    'einsum ij,jk->ik of [2, 0], [0, 3]': (...t) => einsum('ij,jk->ik', ...t),
    'einsum ij,jk->ik of [2, 2], [2, 2]': (...t) => einsum('ij,jk->ik', ...t),
    cdist: (a, b) => F.cdist(a, b),
    'cdist, batches': (a, b) => F.cdist(a, b),
    'cdist 1': (a, b) => F.cdist(a, b, { p: 1 }),
    'cdist of equal rows': (a, b) => F.cdist(a, b),
    bincount: (x) => bincount(x),
    'bincount, weights': (x, weights) => bincount(x, { weights, minLength: 7 }),
    'bincount of nothing': (x) => bincount(x, { minLength: 2 }),
  },
  { gpu: false },
) // software adapters take minutes for the shaders of so many products, which the ops' samples test

describe('einsum', () => {
  test('its derivatives agree with differences to second order', async () => {
    const of = (...shape: number[]) => rand(shape, { dtype: 'f64' })
    const product = (a: ReturnType<typeof of>, b: typeof a, c: typeof a) => einsum('bij,bjk,ki->b', a, b, c)
    expect(await gradgradcheck(product, [of(2, 2, 3), of(2, 3, 2), of(2, 2)])).toBe(true)
  })

  const [a, b] = [zeros([2, 3]), zeros([4, 5])]
  const refused: Record<string, [() => unknown, new (message: string) => Error, RegExp]> = {
    'sizes that differ': [
      () => einsum('ij,jk->ik', a, b),
      ShapeError,
      /j is 3 and, in operands\[1\], 4 in "ij,jk->ik"/,
    ],
    'sizes of an ellipsis': [() => einsum('...,...->...', a, b), ShapeError, /a dimension of the ellipsis is /],
    'a diagonal that is none': [() => einsum('ii', a), ShapeError, /i is 2 and, in operands\[0\], 3/],
    'another rank': [() => einsum('ijk', a), ShapeError, /operands\[0\] has shape \[2, 3\], its term is ijk/],
    'operands too few': [() => einsum('ij,jk', a), ArgumentError, /there are 1 operands for 2 terms/],
    'an unknown letter': [() => einsum('ij->ik', a), ArgumentError, /k is behind the arrow only in "ij->ik"/],
    'a letter twice': [() => einsum('ij->ii', a), ArgumentError, /a letter stands twice behind the arrow/],
    'two arrows': [() => einsum('ij->i->j', a), ArgumentError, /there are two arrows/],
    'what is no letter': [() => einsum('i1->i', a), ArgumentError, /"i1" is no term/],
    'two ellipses': [() => einsum('...i...->i', a), ArgumentError, /"\.\.\.i\.\.\." is no term/],
    'no string': [() => einsum(a as never), ArgumentError, /equation must be a string/],
    'no tensor': [() => einsum('ij', 1 as never), ArgumentError, /operands\[0\] must be a Tensor, got 1/],
  }
  test.each(Object.entries(refused))('refuses %s', (_, [call, type, message]) => {
    const error = failure(call) as Error
    expect(error).toBeInstanceOf(type)
    expect(error.message).toMatch(message)
  })
})

test('distances and counts refuse what they cannot take', async () => {
  expect(() => F.cdist(zeros([3]), zeros([2, 3]))).toThrow(/cdist: a must be a Tensor of rank 2 or more/)
  expect(() => F.cdist(zeros([2, 3]), zeros([2, 4]))).toThrow(ShapeError)
  await expect(bincount(tensor([1, 2]))).rejects.toThrow(DTypeError)
  await expect(bincount(tensor([1, -2], { dtype: 'i32' }))).rejects.toThrow(/x must be integers from 0 on, got -2/)
  const two = tensor([1, 2], { dtype: 'i64' })
  await expect(bincount(two, { weights: zeros([3]) })).rejects.toThrow(/weights must be a Tensor of shape \[2\]/)
  await expect(bincount(two, { minLength: -1 })).rejects.toThrow(ArgumentError)
})
