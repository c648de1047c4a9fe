/** All first and second derivatives of small functions. */
import { native } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { concat, reshape } from '../generated/ops.ts'
import { grad, tracked } from './autograd.ts'
import { eye, zeros, zerosLike } from './create.ts'
import { inScope } from './structure.ts'
import type { Tensor } from './tensor.ts'

type Fn = (...inputs: Tensor[]) => Tensor

function inputsOf(inputs: Tensor | readonly Tensor[], op: string): Tensor[] {
  const list = isTensor(inputs) ? [inputs] : inputs
  if (!Array.isArray(list) || list.length === 0) refuse(op, 'inputs', 'a Tensor or an array of them', inputs)
  list.forEach((x: unknown, i) => {
    if (!isTensor(x)) refuse(op, `inputs[${i}]`, 'a Tensor', x)
    if (x.dtype !== 'f32' && x.dtype !== 'f64') refuse(op, `inputs[${i}]`, 'a float tensor', x.dtype)
  })
  return [...(list as readonly Tensor[])]
}

/** `fn` of `xs`, recorded with gradients. */
function called(fn: Fn, xs: Tensor[], op: string): Tensor {
  if (typeof fn !== 'function') refuse(op, 'fn', 'a function giving a Tensor', fn)
  const before = native.setGradEnabled(true)
  const y = inScope(
    op,
    () => fn(...xs),
    () => native.setGradEnabled(before),
  )
  return isTensor(y) ? y : refuse(op, 'fn', 'a function giving a Tensor', y)
}

/** dy/dx of every element of `y` by every element of each of `xs`: [...y, ...x]. */
function derivatives(y: Tensor, xs: readonly Tensor[], createGraph: boolean): Tensor[] {
  const like = { dtype: y.dtype, device: y.device }
  if (!y.requiresGrad || y.size === 0) return xs.map((x) => zeros([...y.shape, ...x.shape], like))
  const ones = eye(y.size, y.size, like)
  const rows = Array.from({ length: y.size }, (_, i) => {
    return grad(y, xs, { gradOutputs: reshape(ones.at(i), y.shape), createGraph, allowUnused: true })
  })
  return xs.map((x, k) => {
    const parts = rows.map((row) => reshape(row[k]!, [1, x.size]))
    return reshape(concat(parts), [...y.shape, ...x.shape])
  })
}

/**
 * The derivatives of every element of `fn(...inputs)` by every element of the inputs: for each input a tensor
 * [...output, ...input], or just that where there is one. Differentiable where an input requires a gradient. It takes a
 * backward pass for each element of the output.
 */
export function jacobian(fn: Fn, inputs: Tensor): Tensor
export function jacobian(fn: Fn, inputs: readonly Tensor[]): Tensor[]
export function jacobian(fn: Fn, inputs: Tensor | readonly Tensor[]): Tensor | Tensor[] {
  const list = inputsOf(inputs, 'jacobian')
  const outer = list.some((x) => x.requiresGrad)
  const xs = tracked(list, 'jacobian')
  const found = derivatives(called(fn, xs, 'jacobian'), xs, outer)
  return isTensor(inputs) ? found[0]! : found
}

/**
 * The second derivatives of `fn(...inputs)`, a tensor of one element: for inputs i and k the tensor
 * [...input i, ...input k], or just that where there is one. Differentiable where an input requires a gradient. It takes a
 * backward pass for each element of the inputs.
 */
export function hessian(fn: Fn, inputs: Tensor): Tensor
export function hessian(fn: Fn, inputs: readonly Tensor[]): Tensor[][]
export function hessian(fn: Fn, inputs: Tensor | readonly Tensor[]): Tensor | Tensor[][] {
  const list = inputsOf(inputs, 'hessian')
  const outer = list.some((x) => x.requiresGrad)
  const xs = tracked(list, 'hessian')
  const y = called(fn, xs, 'hessian')
  if (y.size !== 1) refuse('hessian', 'fn', 'a function giving one element', y)
  const gradients = y.requiresGrad ? grad(y, xs, { createGraph: true, allowUnused: true }) : xs.map((x) => zerosLike(x))
  const found = gradients.map((g) => derivatives(g, xs, outer))
  return isTensor(inputs) ? found[0]![0]! : found
}
