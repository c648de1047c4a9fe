/** Gradients: backward, grad and what is made of them. */
import { native, scratch } from '../native/addon.ts'
import { ArgumentError, refuse, ShapeError } from '../native/errors.ts'
import { adopted, isTensor } from '../native/record.ts'
import { withOrigin } from '../native/trace.ts'
import { zerosLike } from './create.ts'
import { answerCustom, forgetCustoms } from './custom.ts'
import { inScope, sameShape } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** Options of `backward`. */
export interface BackwardOptions {
  /** Records the gradient's own graph, so that it can be differentiated again. Default false. */
  createGraph?: boolean | undefined
}

/** Options of {@link grad}. */
export interface GradOptions extends BackwardOptions {
  /** The cotangent of each output, of its shape; ones for outputs of one element. */
  gradOutputs?: Tensor | readonly (Tensor | null)[] | null | undefined
  /** Zeros for inputs that no output depends on, instead of an error. Default false. */
  allowUnused?: boolean | undefined
}

/** Runs custom functions for as long as the engine asks for them. */
function finish(state: number): void {
  for (let now = state; now === 1;) {
    let answer: number[]
    try {
      answer = answerCustom()
    } catch (error) {
      native.abortBackward()
      throw error
    }
    now = native.resume(answer)
  }
}

/** The cotangents of `outputs`, null for ones; throws where one is missing or of another shape. */
function cotangents(outputs: readonly Tensor[], given: readonly (Tensor | null)[], op: string): (Tensor | null)[] {
  if (given.length !== 0 && given.length !== outputs.length) {
    refuse(op, 'gradOutputs', `${outputs.length} gradients, one for each output`, given)
  }
  return outputs.map((y, i) => {
    const gradient = given[i] ?? null
    const argument = op === 'backward' ? 'gradient' : `gradOutputs[${i}]`
    if (gradient !== null && !isTensor(gradient)) refuse(op, argument, 'a Tensor', gradient)
    if (gradient === null && y.size !== 1) {
      throw new ShapeError(
        `${op}: the output has shape [${y.shape.join(', ')}]: reduce it to one number, as with sum(), or give a gradient of its shape`,
        { op, argument, expected: 'an output of one element', received: `[${y.shape.join(', ')}]` },
      )
    }
    if (gradient !== null && !sameShape(gradient, y)) {
      const [expected, received] = [`[${y.shape.join(', ')}]`, `[${gradient.shape.join(', ')}]`]
      throw new ShapeError(`${op}: ${argument} must have the output's shape ${expected}, got ${received}`, {
        op,
        argument,
        expected,
        received,
      })
    }
    return gradient && gradient._now()
  })
}

function flag(value: unknown, op: string, name: string): boolean {
  return typeof value === 'boolean' ? value : refuse(op, name, 'a boolean', value)
}

/** See {@link Tensor.backward}. */
export function backward(root: Tensor, gradient?: Tensor | null, options: BackwardOptions = {}): void {
  const createGraph = flag(options.createGraph ?? false, 'backward', 'createGraph')
  const [cotangent] = cotangents([root], gradient ? [gradient] : [], 'backward')
  if (!root.requiresGrad) independent('backward', 'the value')
  const from = root._now()
  gradientsWatch.before?.([from], [cotangent ?? null])
  try {
    finish(native.backward([from._id], [cotangent ? cotangent._id : 0], createGraph))
  } catch (error) {
    throw withOrigin(error, root)
  }
  forgetCustoms()
}

/** Refuses a value from which no gradient can flow. */
function independent(op: string, argument: string): never {
  throw new ArgumentError(
    `${op}: ${argument} does not depend on anything that requires a gradient, or was computed under noGrad`,
    { op, argument, expected: 'a value computed from parameters or from tensors with requiresGrad' },
  )
}

/** The accumulated gradient of a leaf, or null. */
export function gradOf(x: Tensor): Tensor | null {
  const handle = native.gradOf(x._kind, x._id)
  return handle === 0 ? null : adopted(handle)
}

export function setGrad(x: Tensor, value: Tensor | null): void {
  if (value !== null && !isTensor(value)) refuse('grad', 'value', 'a Tensor or null', value)
  const now = value && value._now()
  native.setGrad(x._kind, x._id, now ? now._id : 0)
}

/**
 * Gradients of `outputs` with respect to `inputs`, one for each input; `.grad` stays as it is. Throws an ArgumentError
 * where an output doesn't depend on an input, unless `allowUnused`.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): Tensor[] {
  const ys = isTensor(outputs) ? [outputs] : outputs
  const xs = isTensor(inputs) ? [inputs] : inputs
  if (!Array.isArray(ys) || ys.length === 0) refuse('grad', 'outputs', 'a Tensor or an array of them', outputs)
  if (!Array.isArray(xs)) refuse('grad', 'inputs', 'a Tensor or an array of them', inputs)
  ys.forEach((y, i) => void (isTensor(y) || refuse('grad', `outputs[${i}]`, 'a Tensor', y)))
  xs.forEach((x, i) => void (isTensor(x) || refuse('grad', `inputs[${i}]`, 'a Tensor', x)))
  const { gradOutputs, createGraph = false, allowUnused = false } = options
  const graph = flag(createGraph, 'grad', 'createGraph')
  const given = isTensor(gradOutputs) ? [gradOutputs] : (gradOutputs ?? [])
  const cotangent = cotangents(ys, given, 'grad')
  const zeros = flag(allowUnused, 'grad', 'allowUnused')
  const used = ys.flatMap((y, i) => (y.requiresGrad ? [[y._now(), cotangent[i] ?? null] as const] : []))
  if (used.length === 0 && !zeros) independent('grad', ys.length === 1 ? 'the output' : 'outputs[0]')
  gradientsWatch.before?.(
    used.map(([y]) => y),
    used.map(([, g]) => g),
  )
  const found = used.length === 0 ? xs.map(() => null) : computed(used, xs, graph)
  return found.map((g, i) => g ?? unused(xs[i]!, i, zeros))
}

/** Called before gradients are taken, with the outputs and their cotangents; null where they are ones. */
export const gradientsWatch: {
  before: ((outputs: readonly Tensor[], cotangents: readonly (Tensor | null)[]) => void) | null
} = { before: null }

/** The gradient of each input, null where no output depends on it. */
export function computed(
  outputs: readonly (readonly [y: Tensor, cotangent: Tensor | null])[],
  inputs: readonly Tensor[],
  createGraph: boolean,
): (Tensor | null)[] {
  const roots = outputs.map(([y]) => y._id)
  const wanted = inputs.flatMap((x) => [x._kind, x._id])
  const given = outputs.map(([, g]) => (g ? g._id : 0))
  finish(native.gradients(roots, wanted, given, createGraph))
  const handles = Array.from(scratch.subarray(1, 1 + inputs.length))
  forgetCustoms()
  return handles.map((handle) => (handle === 0 ? null : adopted(handle)))
}

function unused(x: Tensor, i: number, allowed: boolean): Tensor {
  if (allowed) return zerosLike(x)
  const why = x.requiresGrad ? 'no output depends on it' : 'it does not require a gradient'
  throw new ArgumentError(`grad: inputs[${i}] has no gradient: ${why}. Pass allowUnused: true for zeros.`, {
    op: 'grad',
    argument: `inputs[${i}]`,
    expected: 'an input that requires a gradient and reaches the outputs',
    received: why,
  })
}

/** `xs` as tensors that require gradients: themselves where they do already, else fresh leaves of the same value. */
export function tracked(xs: readonly Tensor[], op: string): Tensor[] {
  return xs.map((x, i) => {
    if (!isTensor(x)) refuse(op, `inputs[${i}]`, 'a Tensor', x)
    if (x.requiresGrad) return x
    const leaf = x.detach() as Tensor
    native.requiresGrad(leaf._id, true)
    leaf._requiresGrad = 1
    return leaf
  })
}

/** Runs `fn` with gradients recorded whatever is around it. */
function recording<T>(op: string, fn: () => T): T {
  const before = native.setGradEnabled(true)
  return inScope(op, fn, () => native.setGradEnabled(before))
}

/**
 * A function that gives what `fn` gives (one element) and the gradient with respect to each argument. It can be
 * nested for higher derivatives.
 */
export function valueAndGrad(
  fn: (...args: Tensor[]) => Tensor,
): (...args: Tensor[]) => [value: Tensor, grads: Tensor[]] {
  return (...args) => {
    const outer = args.some((x) => x.requiresGrad)
    const xs = tracked(args, 'valueAndGrad')
    return recording('valueAndGrad', () => {
      const value = fn(...xs)
      return [value, grad(value, xs, { createGraph: outer, allowUnused: true })]
    })
  }
}

/** `fn(...inputs)` and the product of its Jacobian's transpose with `cotangents`: one tensor for each input. */
export function vjp(
  fn: (...args: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  cotangent: Tensor,
): [output: Tensor, gradients: Tensor[]] {
  const outer = inputs.some((x) => x.requiresGrad)
  const xs = tracked(inputs, 'vjp')
  return recording('vjp', () => {
    const output = fn(...xs)
    return [output, grad(output, xs, { gradOutputs: cotangent, createGraph: outer, allowUnused: true })]
  })
}

/** `fn(...inputs)` and the product of its Jacobian with `tangents`, one for each input: the vjp of the vjp. */
export function jvp(
  fn: (...args: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  tangents: readonly Tensor[],
): [output: Tensor, tangent: Tensor] {
  if (tangents.length !== inputs.length) refuse('jvp', 'tangents', `${inputs.length} tensors`, tangents)
  const outer = [...inputs, ...tangents].some((x) => x.requiresGrad)
  const xs = tracked(inputs, 'jvp')
  return recording('jvp', () => {
    const output = fn(...xs)
    // The gradient is linear in u, so its derivative along the tangents doesn't depend on u's value.
    const [u] = tracked([zerosLike(output)], 'jvp') as [Tensor]
    const gradients = grad(output, xs, { gradOutputs: u, createGraph: true, allowUnused: true })
    const used = gradients.flatMap((g, i) => (g.requiresGrad ? [[g, tangents[i]!] as const] : []))
    if (used.length === 0) return [output, zerosLike(output)]
    const [tangent] = grad(
      used.map(([g]) => g),
      u,
      { gradOutputs: used.map(([, t]) => t), createGraph: outer, allowUnused: true },
    )
    return [output, tangent!]
  })
}
