/** Fovea: deep learning and computer vision for TypeScript. */
export * from './tensor/index.ts'
export * as nn from './nn/index.ts'
export * as optim from './optim/index.ts'
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
