/** What test/reference/tensor.py wrote, and how functions are compared with it. */
import { readFileSync } from 'node:fs'
import { read, tensor, type DType, type Tensor } from 'fovea'
import { describe, expect, test } from 'vitest'

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
  /** The dtype of a sum by the dtype on the left, and the dtype or number on the right. */
  promotion: Record<DType, Record<string, DType>>
  groups: Record<string, Case[]>
}

export const fixtures = JSON.parse(
  readFileSync(new URL('../reference/tensor.json', import.meta.url), 'utf8'),
) as Fixtures

/** Numbers that JSON lacks are written as Python does. */
const number = (v: number | string) =>
  typeof v === 'number' ? v : v === 'nan' ? NaN : v === 'inf' ? Infinity : -Infinity

const given = ({ shape, dtype, data }: Stored): Tensor =>
  tensor(Float64Array.from(data, number), { shape, dtype, requiresGrad: dtype === 'f64' })

/** Checks `x` against what was stored: equal for integers, within 1e-10 of the largest value for floats. */
async function expectStored(x: Tensor, { shape, dtype, data }: Stored, what: string): Promise<void> {
  expect(x.shape, `shape of ${what}`).toEqual(shape)
  expect(x.dtype, `dtype of ${what}`).toBe(dtype)
  const [values] = await read(x)
  const wanted = data.map(number)
  const largest = Math.max(1e-30, ...wanted.filter(Number.isFinite).map(Math.abs))
  const apart = Array.from(values!, Number).flatMap((v, i) => {
    const same = Object.is(v, wanted[i]) || v === wanted[i] || Math.abs(v - wanted[i]!) <= 1e-10 * largest
    return same ? [] : [`${v} for ${wanted[i]} at ${i}`]
  })
  expect(apart, what).toEqual([])
}

/** Gradients of Σ cos(i) · output[i], as the script takes them. */
function backward(outputs: Tensor[]): void {
  const live = outputs.filter((y) => y.requiresGrad)
  const weighted = live.map((y) => {
    const cotangent = tensor(
      Float64Array.from({ length: y.size }, (_, i) => Math.cos(i)),
      { shape: y.shape },
    )
    return y.mul(cotangent).sum()
  })
  if (weighted.length > 0) weighted.reduce((a, b) => a.add(b)).backward()
}

export type Call = (...inputs: Tensor[]) => Tensor | Tensor[]

/** A test for each case of a group; every case must have its call, and every call its case. */
export function agrees(group: string, calls: Record<string, Call>): void {
  describe(`${group} agree with PyTorch ${fixtures.torch}`, () => {
    const cases = fixtures.groups[group]!
    test('every call has its case', () => {
      expect(Object.keys(calls).toSorted()).toEqual(cases.map((c) => c.name).toSorted())
    })
    test.each(cases.map((c) => [c.name, c] as const))('%s', async (name, c) => {
      const inputs = c.inputs.map(given)
      const result = calls[name]!(...inputs)
      const outputs = Array.isArray(result) ? result : [result]
      expect(outputs.length).toBe(c.outputs.length)
      for (const [i, y] of outputs.entries()) await expectStored(y, c.outputs[i]!, `output ${i}`)
      backward(outputs)
      for (const [i, g] of c.gradients.entries()) {
        if (g !== null) await expectStored(inputs[i]!.grad!, g, `gradient ${i}`)
      }
    })
  })
}
