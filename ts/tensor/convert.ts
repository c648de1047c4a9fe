/** Other dtypes and other devices. */
import { cast } from '../generated/ops.ts'
import { native } from '../native/addon.ts'
import { refuse } from '../native/errors.ts'
import { described } from '../native/record.ts'
import { deviceCode, DTYPES, isDevice, isDType, type Device, type DType } from '../native/types.ts'
import type { Tensor } from './tensor.ts'

/** `x` as dtype or on device `target`; differentiable both ways. */
export function convert(x: Tensor, target: DType | Device): Tensor {
  if (isDType(target)) return cast(x, target)
  if (!isDevice(target)) refuse('to', 'target', `a device or one of ${DTYPES.join(', ')}`, target)
  const from = x._now()
  return described((owner) => native.toDevice(from._id, deviceCode(target, 'to'), owner))
}
