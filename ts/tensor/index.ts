/** The core: tensors, gradients, scopes, devices. */
export { Tensor } from './tensor.ts'
export { Variable, type VariableOptions } from './variable.ts'
export {
  arange,
  type RangeOptions,
  type CreateOptions,
  type DataArray,
  empty,
  eye,
  full,
  fullLike,
  linspace,
  type Nested,
  ones,
  onesLike,
  tensor,
  type TensorData,
  zeros,
  zerosLike,
} from './create.ts'
export {
  bernoulli,
  type DrawOptions,
  manualSeed,
  permutation,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  withSeed,
} from './random.ts'
export { materialize, print, read } from './read.ts'
export { type BackwardOptions, grad, type GradOptions, jvp, valueAndGrad, vjp } from './autograd.ts'
export { detectAnomaly } from './anomaly.ts'
export { hessian, jacobian } from './jacobian.ts'
export { customFunction, type CustomContext, type CustomFunction } from './custom.ts'
export { gradcheck, type GradcheckOptions, gradgradcheck } from './gradcheck.ts'
export { checkpoint, noGrad, scope } from './scopes.ts'
export {
  type Counters,
  counters,
  type DeviceInfo,
  devices,
  type MachinePeak,
  machinePeak,
  memory,
  type MemoryReport,
  setThreads,
  threads,
  useDevice,
} from './devices.ts'
export { Profile, profile, type ProfileRow, type ProfileStep } from './profile.ts'
export type { Index, Range } from './indexing.ts'
export { concat, where } from '../generated/ops.ts'
export { stack, type ReduceOptions } from './compose.ts'
export { einsum } from './einsum.ts'
export { meshgrid } from './movement.ts'
export { bincount, type BincountOptions, nonzero, unique, type Unique } from './sized.ts'
export type { Device, DType, NumberArray, TypedArray, TypedArrayOf } from '../native/types.ts'
export type { TensorLike } from '../native/write.ts'
