/** Methods and functions of one name, and what they do with arguments of any kind. */
import { expect, test } from 'vitest'
import { F, FoveaError, hessian, jacobian, Tensor, tensor, zeros } from 'fovea'
import { methods } from '../../ts/generated/methods.ts'
import { composedMethods } from '../../ts/tensor/methods.ts'

test('every method that makes tensors is also a function under F', () => {
  const names = [...Object.keys(methods), ...Object.keys(composedMethods)]
  expect(names.filter((name) => !(name in Tensor.prototype))).toEqual([])
  // `maskedFill` is `where` with its arguments in another order.
  expect(names.filter((name) => !(name in F) && name !== 'maskedFill')).toEqual([])
})

const tensors = [zeros([2, 3]), zeros([2, 3], { dtype: 'i32' }), zeros([3]), zeros([]), zeros([1, 2, 3, 3])]
const first = [undefined, null, 1, 'x', [], {}, ...tensors]
const second = [
  undefined,
  null,
  1,
  -1,
  1.5,
  NaN,
  'x',
  [],
  [1],
  [0, 0],
  ['a'],
  {},
  { dim: 9 },
  { axis: 1 },
  true,
  ...tensors,
]
const third = [undefined, {}, { dim: 9 }, { mode: 'wrap' }, { size: 'a' }, 5, 'x', [0, 0], tensors[2]]

/** What `call` throws for any of these arguments that is no error of the library's. */
function crashes(call: (...args: unknown[]) => unknown): string[] {
  const found = new Set<string>()
  for (const a of first) {
    for (const b of second) {
      for (const c of third) {
        try {
          call(a, b, c)
        } catch (error) {
          if (!(error instanceof FoveaError)) found.add(String(error))
        }
      }
    }
  }
  return [...found]
}

const composed = Object.keys(composedMethods).filter((name) => name !== 'maskedFill')
const others = [
  'glu',
  'gelu',
  'maxout',
  'prelu',
  'softshrink',
  'meshgrid',
  'oneHot',
  'stack',
  'interpolate',
  'unfold',
  'fold',
]
const functions = F as unknown as Record<string, (...args: unknown[]) => unknown>

test.each([...composed, ...others, 'adaptiveAvgPool2d', 'adaptiveMaxPool2d'])('%s refuses junk with words', (name) => {
  expect(crashes(functions[name]!)).toEqual([])
})

test('so do indices, data and derivatives', () => {
  const x = zeros([2, 3, 4])
  const at = x.at.bind(x) as (...index: unknown[]) => unknown
  expect(crashes((a, b) => at(a, b))).toEqual([])
  expect(crashes((a, b) => x.withAt([a, b] as never, 1))).toEqual([])
  expect(crashes((a, b) => x.withAt(a as never, b as never))).toEqual([])
  expect(crashes((a, b) => tensor([a, b] as never))).toEqual([])
  expect(crashes((a, b) => jacobian(a as never, b as never))).toEqual([])
  expect(crashes((a, b) => hessian(a as never, b as never))).toEqual([])
})
