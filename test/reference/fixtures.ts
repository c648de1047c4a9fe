/** What the scripts in test/reference wrote, and how numbers are compared with it. */
import { readFileSync } from 'node:fs'
import { tensor, type DType, type Tensor } from 'fovea'
import { expect } from 'vitest'

export interface Stored {
  shape: number[]
  data: number[]
  dtype?: 'bool'
}

export interface LayerCase {
  module: string
  args: unknown[]
  /** What the module is given to first, and its options. */
  wrap: [name: string, options: object] | null
  mode: 'train' | 'eval'
  before: Record<string, Stored>
  inputs: Stored[]
  integers: boolean[]
  /** The arguments of the call: inputs by their position, or several of them as one. */
  arguments: (number | number[])[]
  options: Record<string, unknown> | null
  outputs: Stored[]
  inputGradients: (Stored | null)[]
  gradients: Record<string, Stored>
  /** The state after the call; null where nothing changed. */
  after: Record<string, Stored> | null
}

export interface LossCase {
  loss: string
  module: string | null
  inputs: Stored[]
  integers: boolean[]
  tensors: Record<string, Stored>
  options: Record<string, unknown>
  output: Stored
  gradients: (Stored | null)[]
}

export interface OptimizerCase {
  optimizer: string
  options: Record<string, unknown>
  clip: [kind: 'norm' | 'value', max: number, normType: number | 'Infinity' | null] | null
  groups: Record<string, unknown>[] | null
  losses: number[]
  after: Record<string, Stored>
}

export interface ScheduleCase {
  schedule: string
  options: Record<string, unknown>
  optimizer: string
  optimizerOptions: Record<string, unknown>
  metrics: number[] | null
  schedules: [name: string, options: Record<string, unknown>][] | null
  rows: [lr: number, momentum: number][]
}

export interface Fixtures {
  torch: string
  seed: number
  layers: LayerCase[]
}

export interface SequenceFixtures extends Fixtures {
  /** Scaled dot-product attention. */
  products: { inputs: Stored[]; options: Record<string, unknown>; output: Stored; gradients: Stored[] }[]
}

export interface LossFixtures {
  torch: string
  torchvision: string
  seed: number
  losses: LossCase[]
}

export interface OptimFixtures {
  torch: string
  timm: string
  seed: number
  optimizers: { x: Stored; target: Stored; initial: Record<string, Stored>; cases: OptimizerCase[] }
  schedules: ScheduleCase[]
}

const load = <T>(name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T

export const fixtures = load<Fixtures>('nn.json')
export const lossFixtures = load<LossFixtures>('losses.json')
export const sequenceFixtures = load<SequenceFixtures>('sequence.json')
export const optimFixtures = load<OptimFixtures>('optim.json')

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
