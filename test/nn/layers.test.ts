/** Layers against PyTorch; the cases are those of test/reference/nn.py. */
import { describe, test } from 'vitest'
import { fixtures } from '../reference/fixtures.ts'
import { checkLayer, titled } from '../reference/layers.ts'

describe(`layers agree with PyTorch ${fixtures.torch}`, () => {
  test.each(titled(fixtures.layers))('%s', (_, c) => checkLayer(c))
})
