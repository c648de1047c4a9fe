/** How tensors look in a console. */
import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { arange, materialize, nn, print, randn, tensor, zeros } from 'fovea'
import { counted } from './engine.ts'

const shown = (x: unknown) => inspect(x)

describe('printing', () => {
  test('a value that has not been computed is pending, and stays so', async () => {
    const x = zeros([2, 3]).add(1)
    expect((await counted(() => shown(x))).evaluations).toBe(0)
    expect(shown(x)).toBe('Tensor f32 [2, 3] pending')
  })

  test('values stand in aligned columns', async () => {
    const x = tensor([
      [1, -2.5, 3],
      [1000, 1 / 3, 0],
    ])
    expect(shown(x)).toBe('Tensor f32 [2, 3]\n[[      1,    -2.5,       3],\n [   1000, 0.33333,       0]]')
  })

  test('scalars, booleans, big integers, infinities and nothing', () => {
    expect(shown(tensor(3))).toBe('Tensor f32 []\n3')
    expect(shown(tensor([true, false]))).toBe('Tensor bool [2]\n[ true, false]')
    expect(shown(tensor([2n ** 62n]))).toBe('Tensor i64 [1]\n[4611686018427387904]')
    expect(shown(tensor([NaN, -Infinity]))).toBe('Tensor f32 [2]\n[      NaN, -Infinity]')
    expect(shown(tensor([], { shape: [0, 2] }))).toBe('Tensor f32 [0, 2]\n[]')
  })

  test('large tensors show their edges', async () => {
    const x = arange(0, 2000).reshape([40, 50])
    await materialize(x)
    const lines = shown(x).split('\n')
    expect(lines).toHaveLength(8)
    expect(lines[1]).toBe('[[   0,    1,    2, …,   47,   48,   49],')
    expect(lines[4]).toContain('…')
    expect(shown(tensor(new Float32Array(1 << 21)))).toBe('Tensor f32 [2097152] (2097152 elements)')
  })

  test('parameters tell that they require gradients; a disposed tensor that it has gone', async () => {
    const p = new nn.Parameter([1, 2])
    await materialize(p)
    expect(shown(p)).toMatch(/^Parameter f32 \[2\] requiresGrad/)
    const x = tensor([1])
    x.dispose()
    expect(shown(x)).toBe('Tensor f32 [1] (DisposedError)')
  })

  test('print computes and shows', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    const x = randn([2]).mul(0)
    await print(x)
    expect(log.mock.calls.map(([y]) => shown(y))).toEqual([shown(x)])
    expect(shown(x)).toMatch(/^Tensor f32 \[2\]\n\[-?0, -?0\]$/)
    log.mockRestore()
  })
})
