/** Makes a layer as a fixture says and compares what it does. */
import { nn, type Tensor } from 'fovea'
import { expect } from 'vitest'
import { expectClose, given, type LayerCase, type Stored } from './fixtures.ts'

type Layer = nn.Module<unknown[], unknown>
const classes = nn as unknown as Record<string, new (...args: unknown[]) => Layer>

const wrappers = nn as unknown as Record<string, (layer: Layer, options: object) => Layer>

/** The cases with their titles. */
export function titled(cases: readonly LayerCase[]): [title: string, c: LayerCase][] {
  return cases.map((c, i) => {
    const args = c.args.map((a) => JSON.stringify(a)).join(', ')
    const options = c.options === null ? '' : ` with ${Object.keys(c.options).join(', ')}`
    const wrap = c.wrap === null ? '' : `${c.wrap[0]} ${JSON.stringify(c.wrap[1])} of `
    return [`${wrap}${c.module}(${args}), ${c.mode}${options} (${i})`, c]
  })
}

const isStored = (value: unknown): value is Stored => typeof value === 'object' && value !== null && 'shape' in value

/** Options of a call with the tensors in them made. */
export function optionsOf(options: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(options)
  return Object.fromEntries(entries.map(([k, v]) => [k, isStored(v) ? given(v, v.dtype ?? 'f32') : v]))
}

const flat = (nested: unknown): Tensor[] => {
  return nested === null ? [] : Array.isArray(nested) ? nested.flatMap(flat) : [nested as Tensor]
}

/** Output, gradients and state of one call; gradients are those of the sum of the outputs' cubes. */
export function checkLayer(c: LayerCase): void {
  const plain = new classes[c.module]!(...c.args)
  const layer = c.wrap === null ? plain : wrappers[c.wrap[0]]!(plain, c.wrap[1])
  const before = Object.entries(c.before).map(([key, value]) => {
    return [key, given(value, key.endsWith('num_batches_tracked') ? 'i64' : 'f32')] as const
  })
  layer.loadStateDict(Object.fromEntries(before))
  layer.train(c.mode === 'train')
  const inputs = c.inputs.map((x, i) => given(x, c.integers[i] ? 'i32' : 'f32', !c.integers[i]))
  const args = c.arguments.map((at) => (Array.isArray(at) ? at.map((i) => inputs[i]!) : inputs[at]!))
  const outputs = flat(layer.forward(...args, ...(c.options === null ? [] : [optionsOf(c.options)])))
  expect(outputs.length, 'outputs').toBe(c.outputs.length)
  outputs.forEach((y, i) => expectClose(y, c.outputs[i]!, `output ${i}`))

  // Cubes: the squares of normalised values have no gradient. Their relative error is three times that of the values,
  // hence 2e-5 below.
  const total = outputs.map((y) => y.mul(y).mul(y).sum()).reduce((a, b) => a.add(b))
  if (total.requiresGrad) total.backward()
  c.inputGradients.forEach((g, i) => {
    if (g !== null) expectClose(inputs[i]!.grad!, g, `the gradient of input ${i}`, 2e-5)
  })
  const parameters = Object.fromEntries(layer.namedParameters())
  expect(Object.keys(parameters).toSorted()).toEqual(Object.keys(c.gradients).toSorted())
  for (const [name, g] of Object.entries(c.gradients)) {
    expectClose(parameters[name]!.grad!, g, `the gradient of ${name}`, 2e-5)
  }
  const state = layer.stateDict()
  expect(Object.keys(state)).toEqual(Object.keys(c.before))
  for (const [name, value] of Object.entries(c.after ?? c.before)) expectClose(state[name]!, value, name)
}
