/** Derivatives against central differences in f64. */
import { native } from '../native/addon.ts'
import { ArgumentError, GradientError, refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { grad } from './autograd.ts'
import { tensor } from './create.ts'
import { bits } from './random.ts'
import { materialize, read } from './read.ts'
import { inScope } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** Options of {@link gradcheck} and {@link gradgradcheck}. */
export interface GradcheckOptions {
  /** Half the distance of the two points. Default 1e-6. */
  eps?: number
  /** Error allowed regardless of size. Default 1e-5. */
  atol?: number
  /** Error allowed relative to the difference quotient. Default 1e-3. */
  rtol?: number
}

type Fn = (...inputs: Tensor[]) => Tensor | readonly Tensor[]

/** How many perturbed values are computed by one evaluation. */
const AT_ONCE = 128

const isFloat = (x: Tensor) => x.dtype === 'f64' || x.dtype === 'f32'

function checkedInputs(inputs: Tensor | readonly Tensor[], op: string): Tensor[] {
  const list = isTensor(inputs) ? [inputs] : [...inputs]
  list.forEach((x, i) => {
    if (!isTensor(x)) refuse(op, `inputs[${i}]`, 'a Tensor', x)
    if (x.dtype === 'f32') {
      throw new ArgumentError(`${op}: inputs[${i}] is f32, too coarse for differences: make it f64`, {
        op,
        argument: `inputs[${i}]`,
        expected: 'f64',
        received: 'f32',
      })
    }
  })
  if (!list.some(isFloat)) refuse(op, 'inputs', 'at least one f64 tensor', inputs)
  return list
}

/** The differentiable outputs of `fn`. */
function outputsOf(fn: Fn, inputs: Tensor[], op: string): Tensor[] {
  const result = inScope(
    op,
    () => fn(...inputs),
    () => {},
  )
  const list = isTensor(result) ? [result] : [...result]
  list.forEach((y, i) => void (isTensor(y) || refuse(op, `output ${i}`, 'a Tensor', y)))
  return list.filter(isFloat)
}

/** dy/dx[input] by differences: for each element of the input a row with every element of every output. */
async function quotients(fn: Fn, inputs: Tensor[], which: number, eps: number, op: string): Promise<Float64Array[]> {
  const x = inputs[which]!
  const values = (await x.data()) as Float64Array
  const rows: Float64Array[] = []
  for (let first = 0; first < values.length; first += AT_ONCE / 2) {
    const points: Tensor[][] = []
    for (let e = first; e < Math.min(values.length, first + AT_ONCE / 2); e++) {
      for (const side of [1, -1]) {
        const moved = values.slice()
        moved[e] = values[e]! + side * eps
        const arguments_ = [...inputs]
        arguments_[which] = tensor(moved, { shape: x.shape, device: x.device, requiresGrad: x.requiresGrad })
        points.push(outputsOf(fn, arguments_, op))
      }
    }
    const counts = points.map((p) => p.length)
    const data = await read(...points.flat())
    let at = 0
    const flat = counts.map((count) => {
      const parts = data.slice(at, at + count) as Float64Array[]
      at += count
      return parts.flatMap((part) => Array.from(part))
    })
    for (let p = 0; p < flat.length; p += 2) {
      rows.push(Float64Array.from(flat[p]!, (plus, i) => (plus - flat[p + 1]![i]!) / (2 * eps)))
    }
  }
  return rows
}

/** dy/dx by autograd: for each element of every output the gradient with respect to each float input. */
async function analytic(fn: Fn, inputs: Tensor[], op: string): Promise<Float64Array[][]> {
  const before = native.setGradEnabled(true)
  const ys = inScope(
    op,
    () => outputsOf(fn, inputs, op),
    () => native.setGradEnabled(before),
  )
  await materialize(...ys)
  const wanted = inputs.filter(isFloat)
  const rows: Float64Array[][] = []
  for (const y of ys) {
    for (let first = 0; first < y.size; first += AT_ONCE) {
      const gradients: Tensor[] = []
      for (let e = first; e < Math.min(y.size, first + AT_ONCE); e++) {
        const one = new Float64Array(y.size)
        one[e] = 1
        const gradOutputs = tensor(one, { shape: y.shape, dtype: y.dtype, device: y.device })
        const usable = y.requiresGrad
        const g = usable ? grad(y, wanted, { gradOutputs, allowUnused: true }) : wanted.map((x) => zeros(x))
        gradients.push(...g)
      }
      const data = (await read(...gradients)) as Float64Array[]
      for (let i = 0; i < data.length; i += wanted.length) rows.push(data.slice(i, i + wanted.length))
    }
  }
  return rows
}

function zeros(x: Tensor): Tensor {
  return tensor(new Float64Array(x.size), { shape: x.shape, device: x.device })
}

/** Input `x` as a leaf that requires a gradient if it is a float. */
function asLeaf(x: Tensor, data: ArrayLike<unknown>): Tensor {
  return tensor(data as Float64Array, { shape: x.shape, dtype: x.dtype, device: x.device, requiresGrad: isFloat(x) })
}

async function compare(fn: Fn, given: Tensor[], options: GradcheckOptions, op: string): Promise<true> {
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options
  const data = await read(...given)
  const inputs = given.map((x, i) => asLeaf(x, data[i]!))
  const gradients = await analytic(fn, inputs, op)
  const floats = inputs.flatMap((x, i) => (isFloat(x) ? [i] : []))
  for (const [k, which] of floats.entries()) {
    const numeric = await quotients(fn, inputs, which, eps, op)
    for (const [e, row] of numeric.entries()) {
      for (const [o, expected] of row.entries()) {
        const received = gradients[o]![k]![e]!
        if (Math.abs(received - expected) <= atol + rtol * Math.abs(expected)) continue
        const place = `element ${e} of inputs[${which}]`
        throw new GradientError(
          `${op}: the derivative of output element ${o} by ${place} is ${received}, by differences ${expected}`,
          { op, argument: `inputs[${which}]`, expected: `${expected}`, received: `${received}` },
        )
      }
    }
  }
  return true
}

/**
 * Compares the gradient of `fn` (pure, f64 inputs) with central differences, element by element. Returns true or
 * throws a GradientError that names the element.
 */
export async function gradcheck(
  fn: Fn,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<true> {
  return compare(fn, checkedInputs(inputs, 'gradcheck'), options, 'gradcheck')
}

/** As {@link gradcheck}, for the gradient of the gradient, with random cotangents. */
export async function gradgradcheck(
  fn: Fn,
  inputs: Tensor | readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<true> {
  const op = 'gradgradcheck'
  const list = checkedInputs(inputs, op)
  const data = await read(...list)
  const leaves = list.map((x, i) => asLeaf(x, data[i]!))
  const ys = outputsOf(fn, leaves, op)
  const next = bits([1])
  const cotangents = ys.map((y) => {
    const values = Float64Array.from({ length: y.size }, () => next() / 2 ** 31 - 1)
    return tensor(values, { shape: y.shape, dtype: y.dtype, device: y.device })
  })
  const count = list.length
  const gradient: Fn = (...all) => {
    const before = native.setGradEnabled(true)
    return inScope(
      op,
      () => {
        const xs = all.slice(0, count)
        const wanted = xs.filter(isFloat)
        const options_ = { gradOutputs: all.slice(count), createGraph: true, allowUnused: true }
        return grad(outputsOf(fn, xs, op), wanted, options_)
      },
      () => native.setGradEnabled(before),
    )
  }
  return compare(gradient, [...list, ...cotangents], options, op)
}
