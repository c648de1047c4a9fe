/**
 * The hot path of recording: makes the Tensor of a result and fills it from its description.
 *
 * The Tensor class is handed in by ts/tensor, which lies above this layer.
 */
import type { Tensor } from '../tensor/tensor.ts'
import { dispatch, native, scratch, takeError } from './addon.ts'
import { InternalError } from './errors.ts'
import { noteOrigin } from './trace.ts'
import { watching } from './watch.ts'

let TensorClass: new () => Tensor = class {
  constructor() {
    throw new InternalError('the tensor layer is not loaded')
  }
} as unknown as new () => Tensor

/** Called once by ts/tensor. */
export function setTensorClass(constructor: new () => Tensor): void {
  TensorClass = constructor
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof TensorClass
}

const SCALAR: readonly number[] = Object.freeze([])

/** The `rank` numbers of `scratch` from `at` on, as an array of their own. */
function dims(at: number, rank: number): readonly number[] {
  switch (rank) {
    case 0:
      return SCALAR
    case 1:
      return [scratch[at]!]
    case 2:
      return [scratch[at]!, scratch[at + 1]!]
    case 3:
      return [scratch[at]!, scratch[at + 1]!, scratch[at + 2]!]
    case 4:
      return [scratch[at]!, scratch[at + 1]!, scratch[at + 2]!, scratch[at + 3]!]
    default:
      return Array.from(scratch.subarray(at, at + rank))
  }
}

/** Takes over the description that starts at `at`; returns where it ends. */
export function fill(tensor: Tensor, at: number): number {
  const rank = scratch[at + 4]!
  tensor._id = scratch[at]!
  tensor._dtype = scratch[at + 1]!
  tensor._requiresGrad = scratch[at + 2]!
  tensor._device = scratch[at + 3]!
  tensor._shape = dims(at + 5, rank)
  return at + 5 + rank
}

/** Records op number `op`, whose inputs and attributes stand in `scratch`, and returns its only (or first) output. */
export function record(op: number): Tensor {
  const out = new TensorClass()
  if (dispatch(op, out) < 0) throw takeError()
  fill(out, 0)
  noteOrigin(out)
  if (watching.now !== null) watching.now.recorded([out])
  return out
}

/** As {@link record}, for ops with several outputs. */
export function recordAll(op: number): Tensor[] {
  const first = new TensorClass()
  const count = dispatch(op, first)
  if (count < 0) throw takeError()
  const outputs = [first]
  let at = fill(first, 0)
  for (let i = 1; i < count; i++) {
    const out = new TensorClass()
    at = fill(out, at)
    outputs.push(out)
  }
  for (let i = 1; i < count; i++) native.adopt(outputs[i]!._id, outputs[i]!)
  outputs.forEach(noteOrigin)
  if (watching.now !== null) watching.now.recorded(outputs)
  return outputs
}

/** A tensor without a value yet: an owner for handles to come. */
export function newTensor(): Tensor {
  return new TensorClass()
}

/** A tensor from a call that writes one description at 0 for the target it is given. */
export function described(call: (target: Tensor) => void): Tensor {
  const out = new TensorClass()
  call(out)
  fill(out, 0)
  noteOrigin(out)
  return out
}

/** The values that a thread made. */
export function taken(prepared: number): Tensor[] {
  return native.takePrepared(prepared).map(adopted)
}

/** The owner of a handle that has none yet. */
export function adopted(handle: number): Tensor {
  return described((target) => {
    native.adopt(handle, target)
    native.describe(handle)
  })
}
