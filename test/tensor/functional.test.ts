/** Methods and functions of one name. */
import { expect, test } from 'vitest'
import { F, Tensor } from 'fovea'
import { methods } from '../../ts/generated/methods.ts'
import { composedMethods } from '../../ts/tensor/methods.ts'

test('every method that makes tensors is also a function under F', () => {
  const names = [...Object.keys(methods), ...Object.keys(composedMethods)]
  expect(names.filter((name) => !(name in Tensor.prototype))).toEqual([])
  // `maskedFill` is `where` with its arguments in another order.
  expect(names.filter((name) => !(name in F) && name !== 'maskedFill')).toEqual([])
})
