/** Functions with a gradient written in TypeScript. */
import { native, scratch } from '../native/addon.ts'
import { InternalError, refuse, ShapeError } from '../native/errors.ts'
import { adopted, fill, isTensor, newTensor } from '../native/record.ts'
import { inScope, isPromise, refusePromise, sameShape } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** What `backward` of a {@link CustomFunction} may read: the inputs, and the outputs that `forward` gave. */
export interface CustomContext {
  inputs: readonly Tensor[]
  outputs: readonly Tensor[]
}

/** A function and its gradient, for {@link customFunction}. */
export interface CustomFunction {
  /** The value: one tensor or several. Runs without recording gradients. */
  forward: (...inputs: Tensor[]) => Tensor | Tensor[]
  /**
   * The gradient of each input (null: none) from those of the outputs (null: nothing came back). Made of ops, so that
   * it can be differentiated again.
   */
  backward: (gradients: (Tensor | null)[], context: CustomContext) => readonly (Tensor | null)[] | Tensor
}

/** A recorded call, kept for as long as its nodes live. */
interface Call {
  backward: CustomFunction['backward']
  inputs: readonly Tensor[]
  /** What `forward` computed, cut off from the graph. */
  values: readonly Tensor[]
  /** The tensors that the caller got: the graph ends in them, so they must not be held. */
  outputs: readonly WeakRef<Tensor>[]
}

const calls = new Map<number, Call>()
let lastId = 0

/** Makes nodes with the values of `call` and its gradient. */
function attach(id: number, inputs: readonly Tensor[], values: readonly Tensor[]): Tensor[] {
  const outputs = values.map(() => newTensor())
  native.custom(
    inputs.flatMap((x) => [x._kind, x._id]),
    values.map((y) => y._id),
    id,
    outputs,
  )
  let at = 0
  for (const output of outputs) at = fill(output, at)
  return outputs
}

/**
 * A function with a gradient of its own.
 *
 *     const clip = customFunction({
 *       forward: (x) => x.clamp({ min: -1, max: 1 }),
 *       backward: ([g]) => [g],                        // straight through
 *     })
 */
export function customFunction(definition: CustomFunction): (...inputs: Tensor[]) => Tensor
export function customFunction(definition: CustomFunction & { outputs: number }): (...inputs: Tensor[]) => Tensor[]
export function customFunction(
  definition: CustomFunction & { outputs?: number },
): (...inputs: Tensor[]) => Tensor | Tensor[] {
  const { forward, backward } = definition
  if (typeof forward !== 'function') refuse('customFunction', 'forward', 'a function', forward)
  if (typeof backward !== 'function') refuse('customFunction', 'backward', 'a function', backward)
  return (...inputs) => {
    inputs.forEach((x, i) => void (isTensor(x) || refuse('customFunction', `inputs[${i}]`, 'a Tensor', x)))
    forgetCustoms()
    const before = native.setGradEnabled(false)
    const result = inScope(
      'customFunction',
      () => forward(...inputs),
      () => native.setGradEnabled(before),
    )
    const list = isTensor(result) ? [result] : result
    if (!Array.isArray(list) || !list.every(isTensor))
      refuse('customFunction', 'forward', 'a function giving tensors', result)
    const values = list.map((y) => y.detach() as Tensor)
    const id = ++lastId
    const outputs = attach(id, inputs, values)
    calls.set(id, { backward, inputs, values, outputs: outputs.map((y) => new WeakRef(y)) })
    return isTensor(result) ? outputs[0]! : outputs
  }
}

/** The custom function whose gradient the engine waits for: reads its call from `scratch`, returns its answer. */
export function answerCustom(): number[] {
  const [id, count] = [scratch[0]!, scratch[2]!]
  const handles = Array.from(scratch.subarray(3, 3 + count))
  const call = calls.get(id)
  if (!call) throw new InternalError(`there is no custom function ${id}`)
  const gradients = handles.map((handle) => (handle === 0 ? null : adopted(handle)))
  const alive = call.outputs.map((weak) => weak.deref())
  const outputs = alive.every((y) => y !== undefined) ? (alive as Tensor[]) : attach(id, call.inputs, call.values)
  const answer = call.backward(gradients, { inputs: call.inputs, outputs })
  if (isPromise(answer)) refusePromise('customFunction', 'backward')
  const list = isTensor(answer) ? [answer] : answer
  if (!Array.isArray(list) || list.length !== call.inputs.length) {
    refuse(
      'customFunction',
      'backward',
      `a function giving ${call.inputs.length} gradients, one for each input`,
      answer,
    )
  }
  const tensors = (list as readonly (Tensor | null | undefined)[]).map((g, i) => checked(g, call.inputs[i]!, i))
  return tensors.map((g) => (g ? g._id : 0))
}

function checked(g: Tensor | null | undefined, x: Tensor, i: number): Tensor | null {
  if (g === null || g === undefined) return null
  if (!isTensor(g)) refuse('customFunction', `gradients[${i}]`, 'a Tensor or null', g)
  if (!sameShape(g, x)) {
    const [expected, received] = [`[${x.shape.join(', ')}]`, `[${g.shape.join(', ')}]`]
    throw new ShapeError(
      `customFunction: backward gave a gradient of shape ${received} for input ${i} of ${expected}`,
      {
        op: 'customFunction',
        argument: `gradients[${i}]`,
        expected,
        received,
      },
    )
  }
  return g._now()
}

/** Lets go of calls whose nodes are gone. */
export function forgetCustoms(): void {
  if (calls.size > 0) for (const id of native.takeFreedCustoms()) calls.delete(id)
}
