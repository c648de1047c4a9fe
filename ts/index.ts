/** Fovea: deep learning and computer vision for TypeScript. */
export * from './tensor/index.ts'
/** Modules, layers, starting values: `fovea/nn`. */
export * as nn from './nn/index.ts'
/** Optimizers, schedules, clipping: `fovea/optim`. */
export * as optim from './optim/index.ts'
/** Everything as functions: every op, the losses, and what layers compute. */
export * as F from './nn/functional.ts'
export {
  AnomalyError,
  ArgumentError,
  DataError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  DTypeError,
  type ErrorFields,
  FormatError,
  FoveaError,
  GradientError,
  InternalError,
  ModuleError,
  NativeError,
  OutOfMemoryError,
  ShapeError,
  StaleValueError,
} from './native/errors.ts'
