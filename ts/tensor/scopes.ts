/** Functions that run a callback under other rules. All callbacks are synchronous; a promise is an ArgumentError. */
import { native } from '../native/addon.ts'
import { eachTensor, inScope } from './structure.ts'

/** Runs `fn` without recording gradients. */
export function noGrad<T>(fn: () => T): T {
  const before = native.setGradEnabled(false)
  return inScope('noGrad', fn, () => native.setGradEnabled(before))
}

/** Runs `fn` and disposes of every tensor made in it but those that it returns (in arrays and records too). */
export function scope<T>(fn: () => T): T {
  const mark = native.handleMark()
  return inScope('scope', fn, (result) => {
    const returned: number[] = []
    eachTensor(result, (x) => {
      if (x._kind === 0) returned.push(x._id)
    })
    native.disposeSince(mark, returned)
  })
}

/**
 * Runs `fn` so that what its gradient needs is not kept but computed again when the gradient comes to it: less
 * memory for more work (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").
 */
export function checkpoint<T>(fn: () => T): T {
  const before = native.setRegion(native.newRegion())
  return inScope('checkpoint', fn, () => native.setRegion(before))
}
