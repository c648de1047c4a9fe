/** What test/reference/tensor.py wrote, and how functions are compared with it. */
import { readFileSync } from 'node:fs'
import { read, tensor, type Device, type DType, type Tensor } from 'fovea'
import { describe, expect, test } from 'vitest'
import { gpuFor } from '../gpu.ts'

interface Stored {
  shape: number[]
  dtype: DType
  data: (number | string)[]
}

interface Case {
  name: string
  inputs: Stored[]
  outputs: Stored[]
  gradients: (Stored | null)[]
}

interface Fixtures {
  torch: string
  /** The dtype of a sum by the dtype on the left, and the dtype or number on the right; 'scalar' is without dimensions. */
  promotion: Record<DType, Record<string, DType>>
  groups: Record<string, Case[]>
}

export const fixtures = JSON.parse(
  readFileSync(new URL('../reference/tensor.json', import.meta.url), 'utf8'),
) as Fixtures

/** Numbers that JSON lacks are written as Python does. */
const number = (v: number | string) =>
  typeof v === 'number' ? v : v === 'nan' ? NaN : v === 'inf' ? Infinity : -Infinity

/** How a case is run: with which floats, where, and how far from PyTorch's f64 it may be, relative to the largest value. */
interface Mode {
  float: 'f32' | 'f64'
  device: Device
  tolerance: number
}

const EXACT: Mode = { float: 'f64', device: 'cpu', tolerance: 1e-10 }
const GPU: Mode = { float: 'f32', device: 'gpu', tolerance: 1e-5 }

const typed = (dtype: DType, { float }: Mode) => (dtype === 'f64' ? float : dtype)

function given({ shape, dtype, data }: Stored, mode: Mode): Tensor {
  const options = { shape, dtype: typed(dtype, mode), device: mode.device, requiresGrad: dtype === 'f64' }
  return tensor(Float64Array.from(data, number), options)
}

/** Checks `x` against what was stored. */
async function expectStored(x: Tensor, { shape, dtype, data }: Stored, what: string, mode: Mode): Promise<void> {
  expect([x.shape, x.dtype, x.device], what).toEqual([shape, typed(dtype, mode), mode.device])
  const [values] = await read(x)
  const wanted = data.map(number)
  const largest = Math.max(1e-30, ...wanted.filter(Number.isFinite).map(Math.abs))
  const apart = Array.from(values!, Number).flatMap((v, i) => {
    const same = Object.is(v, wanted[i]) || v === wanted[i] || Math.abs(v - wanted[i]!) <= mode.tolerance * largest
    return same ? [] : [`${v} for ${wanted[i]} at ${i}`]
  })
  expect(apart, what).toEqual([])
}

/** Gradients of Σ cos(i) · output[i], as the script takes them. */
function backward(outputs: Tensor[], { float, device }: Mode): void {
  const live = outputs.filter((y) => y.requiresGrad)
  const weighted = live.map((y) => {
    const cotangent = Float64Array.from({ length: y.size }, (_, i) => Math.cos(i))
    return y.mul(tensor(cotangent, { shape: y.shape, dtype: float, device })).sum()
  })
  if (weighted.length > 0) weighted.reduce((a, b) => a.add(b)).backward()
}

export type Call = (...inputs: Tensor[]) => Tensor | Tensor[] | Promise<Tensor | Tensor[]>

async function expectClose(c: Case, call: Call, mode: Mode): Promise<void> {
  const inputs = c.inputs.map((x) => given(x, mode))
  const result = await call(...inputs)
  const outputs = Array.isArray(result) ? result : [result]
  expect(outputs.length, c.name).toBe(c.outputs.length)
  for (const [i, y] of outputs.entries()) await expectStored(y, c.outputs[i]!, `${c.name}, output ${i}`, mode)
  backward(outputs, mode)
  for (const [i, g] of c.gradients.entries()) {
    if (g !== null) await expectStored(inputs[i]!.grad!, g, `${c.name}, gradient ${i}`, mode)
  }
}

const gpu = await gpuFor('functions made of ops, on the GPU')

/**
 * A test for each case of a group, and one that runs all of them on the GPU while new tensors lie on the CPU; every case
 * must have its call, and every call its case. `gpu: false` leaves the GPU out.
 */
export function agrees(group: string, calls: Record<string, Call>, options: { gpu?: boolean } = {}): void {
  describe(`${group} agree with PyTorch ${fixtures.torch}`, () => {
    const cases = fixtures.groups[group]!
    test('every call has its case', () => {
      expect(Object.keys(calls).toSorted()).toEqual(cases.map((c) => c.name).toSorted())
    })
    test.each(cases.map((c) => [c.name, c] as const))('%s', (name, c) => expectClose(c, calls[name]!, EXACT))
    test.skipIf(!gpu || options.gpu === false)('on the GPU', async () => {
      for (const c of cases) await expectClose(c, calls[c.name]!, GPU)
    })
  })
}
