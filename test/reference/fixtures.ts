/** What test/reference/nn.py wrote, and how numbers are compared with it. */
import { readFileSync } from 'node:fs'
import { tensor, type DType, type Tensor } from 'fovea'
import { expect } from 'vitest'

export interface Stored {
  shape: number[]
  data: number[]
}

export interface LayerCase {
  module: string
  args: unknown[]
  mode: 'train' | 'eval'
  before: Record<string, Stored>
  input: Stored
  integers: boolean
  output: Stored
  inputGradient: Stored | null
  gradients: Record<string, Stored>
  after: Record<string, Stored>
}

export interface LossCase {
  loss: string
  prediction: Stored
  target: Stored
  integers: boolean
  tensors: Record<string, Stored>
  options: Record<string, unknown>
  output: Stored
  gradient: Stored
}

export interface OptimizerCase {
  optimizer: 'SGD' | 'Adam' | 'AdamW'
  options: Record<string, unknown>
  clip: number | null
  losses: number[]
  after: Record<string, Stored>
}

export interface ScheduleCase {
  schedule: 'StepLR' | 'CosineAnnealingLR' | 'OneCycleLR'
  options: Record<string, unknown>
  optimizer: 'SGD' | 'AdamW'
  optimizerOptions: Record<string, unknown>
  rows: [lr: number, momentum: number][]
}

export interface Fixtures {
  torch: string
  seed: number
  layers: LayerCase[]
  losses: LossCase[]
  optimizers: { x: Stored; target: Stored; initial: Record<string, Stored>; cases: OptimizerCase[] }
  schedules: ScheduleCase[]
}

export const fixtures = JSON.parse(readFileSync(new URL('nn.json', import.meta.url), 'utf8')) as Fixtures

/** A stored tensor as a leaf. */
export function given({ shape, data }: Stored, dtype: DType = 'f32', requiresGrad = false): Tensor {
  return tensor(data, { shape, dtype, requiresGrad })
}

/** Checks that `x` is what was stored, within `tolerance` of the largest value. */
export function expectClose(x: Tensor, { shape, data }: Stored, what: string, tolerance = 1e-5): void {
  expect(x.shape, `shape of ${what}`).toEqual(shape)
  const values = Array.from(x.dataSync(), Number)
  const largest = Math.max(1e-30, ...data.map(Math.abs))
  const worst = values.reduce((most, v, i) => Math.max(most, Math.abs(v - data[i]!)), 0)
  expect(worst / largest, `error of ${what}`).toBeLessThanOrEqual(tolerance)
  expect(values.every(Number.isFinite), `${what} is finite`).toBe(true)
}
