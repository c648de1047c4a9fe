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
    expect(shown(x)).toBe('Tensor f32 [2, 3]\n[[   1.0000,   -2.5000,    3.0000],\n [1000.0000,    0.3333,    0.0000]]')
  })

  test('scalars, booleans, big integers, infinities and nothing', () => {
    expect(shown(tensor(3))).toBe('Tensor f32 []\n3')
    expect(shown(tensor([true, false]))).toBe('Tensor bool [2]\n[ true, false]')
    expect(shown(tensor([2n ** 62n]))).toBe('Tensor i64 [1]\n[4611686018427387904]')
    expect(shown(tensor([NaN, -Infinity]))).toBe('Tensor f32 [2]\n[      NaN, -Infinity]')
    expect(shown(tensor([], { shape: [0, 2] }))).toBe('Tensor f32 [0, 2]\n[]')
    expect(shown(tensor([], { shape: [2, 0, 3] }))).toBe('Tensor f32 [2, 0, 3]\n[]')
    expect(shown(tensor([0.25, NaN, -Infinity]))).toBe('Tensor f32 [3]\n[     0.25,       NaN, -Infinity]')
  })

  test('floats have as many decimals as they need, four at most, and exponents where those tell too little', () => {
    const values = (...list: number[]) => shown(tensor(list, { dtype: 'f64' })).split('\n')[1]
    expect(values(1, 2, -3)).toBe('[ 1,  2, -3]')
    expect(values(0.5, 0.25)).toBe('[0.50, 0.25]')
    expect(values(1 / 3, 100)).toBe('[  0.3333, 100.0000]')
    expect(values(1e-8, 1, 2e8)).toBe('[1.0000e-8, 1.0000e+0, 2.0000e+8]')
    expect(values(16777217, 2)).toBe('[16777217,        2]')
    expect(values(0, -0)).toBe('[ 0, -0]')
    expect(values(Math.PI)).toBe('[3.1416]')
  })

  test('matrices stand apart, long rows go on in the next line', () => {
    const blocks = shown(
      tensor([
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ]),
    )
    expect(blocks).toBe('Tensor f32 [2, 2, 2]\n[[[1, 2],\n  [3, 4]],\n\n [[5, 6],\n  [7, 8]]]')
    const lines = shown(tensor(Array.from({ length: 60 }, (_, i) => i / 8))).split('\n')
    expect(lines.slice(1).every((line) => line.length <= 102)).toBe(true)
    expect(lines[1]).toMatch(/^\[0\.000, 0\.125, .*,$/)
    expect(lines[2]).toMatch(/^ \d/)
    expect(lines.at(-1)!.endsWith('7.375]')).toBe(true)
  })

  test('large tensors show their edges', async () => {
    const x = arange(0, 2000).reshape([40, 50])
    await materialize(x)
    const lines = shown(x).split('\n')
    expect(lines).toHaveLength(8)
    expect(lines[1]).toBe('[[   0,    1,    2, …,   47,   48,   49],')
    expect(lines[4]).toContain('…')
    const deep = arange(0, 7 ** 5).reshape([7, 7, 7, 7, 7])
    await materialize(deep)
    expect(shown(deep).split('\n').length).toBeLessThan(100)
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
    expect(shown(x)).toMatch(/^Tensor f32 \[2\]\n\[ *-?0, *-?0\]$/)
    log.mockRestore()
  })
})
