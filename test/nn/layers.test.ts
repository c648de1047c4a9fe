/** Layers against PyTorch; the cases are those of test/reference/nn.py. */
import { describe, expect, test } from 'vitest'
import { nn, type Tensor } from 'fovea'
import { expectClose, fixtures, given, type LayerCase } from '../reference/fixtures.ts'

type Layer = nn.Module<[Tensor], Tensor>
const classes = nn as unknown as Record<string, new (...args: unknown[]) => Layer>

const called = (name: string, args: unknown[]) => `${name}(${args.map((a) => JSON.stringify(a)).join(', ')})`
const title = ({ module, args, mode }: LayerCase) => `${called(module, args)}, ${mode}`

describe(`layers agree with PyTorch ${fixtures.torch}`, () => {
  test.each(fixtures.layers.map((c, i) => [`${title(c)} (${i})`, c] as const))('%s', (_, c) => {
    const layer = new classes[c.module]!(...c.args)
    const dict = Object.entries(c.before).map(([key, value]) => {
      return [key, given(value, key === 'num_batches_tracked' ? 'i64' : 'f32')] as const
    })
    layer.loadStateDict(Object.fromEntries(dict))
    layer.train(c.mode === 'train')
    const x = given(c.input, c.integers ? 'i32' : 'f32', !c.integers)
    const y = layer.forward(x)
    expectClose(y, c.output, 'the output')
    y.mul(y).mul(y).sum().backward() // cubes: the squares of normalised values have no gradient
    if (c.inputGradient) expectClose(x.grad!, c.inputGradient, "the input's gradient", 2e-5)
    const parameters = Object.fromEntries(layer.namedParameters())
    expect(Object.keys(parameters).toSorted()).toEqual(Object.keys(c.gradients).toSorted())
    for (const [name, g] of Object.entries(c.gradients)) {
      expectClose(parameters[name]!.grad!, g, `the gradient of ${name}`, 2e-5)
    }
    const state = layer.stateDict()
    expect(Object.keys(state).toSorted()).toEqual(Object.keys(c.after).toSorted())
    for (const [name, value] of Object.entries(c.after)) expectClose(state[name]!, value, name)
  })
})
