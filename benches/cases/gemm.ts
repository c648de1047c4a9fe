/** Products of matrices: squares, those that convolutions amount to, batches, and few rows by a square. */
import { randn } from 'fovea'
import { type Case, compute, floats, running } from './case.ts'

const SIZES: readonly (readonly [m: number, n: number, k: number])[] = [
  ...[128, 256, 512, 1024, 2048].map((n) => [n, n, n] as const),
  [64, 3136, 576],
  [256, 196, 2304],
  [512, 49, 4608],
  [1, 1024, 1024],
  [32, 1024, 1024],
]

const BATCHED: readonly (readonly [batch: number, m: number, n: number, k: number])[] = [
  [12, 128, 64, 128],
  [96, 128, 128, 64],
]

function gemm(name: string, batch: readonly number[], m: number, n: number, k: number): Case {
  const count = batch[0] ?? 1
  return {
    family: 'gemm',
    name,
    flops: 2 * count * m * n * k,
    bytes: { read: floats(count * m * k, count * k * n), written: floats(count * m * n) },
    peer: { kind: 'gemm', a: [...batch, m, k], b: [...batch, k, n], out: [...batch, m, n] },
    forms: ['contiguous', 'numpy'],
    make() {
      const a = randn([...batch, m, k])
      const b = randn([...batch, k, n])
      return running([a, b], () => compute(a.matmul(b)))
    },
  }
}

export const gemmCases: readonly Case[] = [
  ...SIZES.map(([m, n, k]) => gemm(`gemm/${m}x${n}x${k}`, [], m, n, k)),
  ...BATCHED.map(([batch, m, n, k]) => gemm(`gemm-batched/${batch}x[${m}x${n}x${k}]`, [batch], m, n, k)),
]
