/** Work whose results are known: a product and a convolution against plain loops, and training that must learn. */
import type { Device } from '../native/types.ts'
import * as F from '../nn/functional.ts'
import * as nn from '../nn/index.ts'
import { AdamW } from '../optim/index.ts'
import { randn, tensor, withSeed, type Tensor } from '../tensor/index.ts'

export interface Check {
  name: string
  passed: boolean
  /** What was found: an error, losses, or what was thrown. */
  found: string
  seconds: number
}

/** f32 sums against sums of doubles, relative to the largest value. */
const TOLERANCE = 1e-5

/** Numbers in (-1, 1) that look random. */
function numbers(count: number, salt: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + salt))
}

/** The largest difference relative to the largest value. */
function difference(found: Float32Array, wanted: Float64Array): number {
  let [most, apart] = [0, 0]
  for (let i = 0; i < wanted.length; i++) {
    most = Math.max(most, Math.abs(wanted[i]!))
    const d = Math.abs(found[i]! - wanted[i]!)
    apart = d > apart || Number.isNaN(d) ? d : apart
  }
  return apart / most
}

async function agrees(x: Tensor, wanted: Float64Array): Promise<[boolean, string]> {
  const apart = difference((await x.data()) as Float32Array, wanted)
  return [apart <= TOLERANCE, `largest difference ${apart.toExponential(1)}, allowed ${TOLERANCE}`]
}

async function matmul(device: Device): Promise<[boolean, string]> {
  const [m, k, n] = [65, 130, 67]
  const [a, b] = [numbers(m * k, 0), numbers(k * n, 1)]
  const wanted = new Float64Array(m * n)
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let l = 0; l < k; l++) wanted[i * n + j]! += a[i * k + l]! * b[l * n + j]!
    }
  }
  return agrees(tensor(a, { shape: [m, k], device }).matmul(tensor(b, { shape: [k, n], device })), wanted)
}

/** 3 × 3, padding 1, stride 2. */
async function convolution(device: Device): Promise<[boolean, string]> {
  const [batch, channels, outputs, size, half] = [2, 3, 8, 18, 9]
  const [x, w] = [numbers(batch * channels * size * size, 2), numbers(outputs * channels * 9, 3)]
  const wanted = new Float64Array(batch * outputs * half * half)
  let at = 0
  for (let b = 0; b < batch; b++) {
    for (let o = 0; o < outputs; o++) {
      for (let place = 0; place < half * half; place++, at++) {
        for (let tap = 0; tap < channels * 9; tap++) {
          const row = 2 * Math.floor(place / half) + Math.floor((tap % 9) / 3) - 1
          const column = 2 * (place % half) + (tap % 3) - 1
          if (row < 0 || column < 0 || row >= size || column >= size) continue
          const plane = b * channels + Math.floor(tap / 9)
          wanted[at]! += x[(plane * size + row) * size + column]! * w[o * channels * 9 + tap]!
        }
      }
    }
  }
  const images = tensor(x, { shape: [batch, channels, size, size], device })
  const weight = tensor(w, { shape: [outputs, channels, 3, 3], device })
  return agrees(F.conv2d(images, weight, { stride: 2, padding: 1 }), wanted)
}

/** A small network learns the sum of eight numbers: the loss must fall to a tenth. */
async function training(device: Device): Promise<[boolean, string]> {
  const { model, x } = withSeed(1, () => ({
    model: new nn.Sequential(new nn.Linear(8, 32), new nn.ReLU(), new nn.Linear(32, 1)),
    x: randn([64, 8], { device }),
  }))
  model.to(device)
  const optimizer = new AdamW(model, { lr: 0.02 })
  const target = x.sum({ dim: 1, keepDim: true })
  const losses: number[] = []
  for (let step = 0; step < 60; step++) {
    const loss = F.mseLoss(model.forward(x), target)
    optimizer.zeroGrad()
    loss.backward()
    await optimizer.step()
    losses.push(await loss.item())
  }
  const [first, last] = [losses[0]!, losses.at(-1)!]
  return [last < first / 10, `loss from ${first.toPrecision(3)} to ${last.toPrecision(3)} in ${losses.length} steps`]
}

/** Runs all checks on a device; what one throws is its result. */
export async function selfTest(device: Device): Promise<Check[]> {
  const all = { matmul, convolution, training }
  const checks: Check[] = []
  for (const [name, work] of Object.entries(all)) {
    const began = performance.now()
    let outcome: [boolean, string]
    try {
      outcome = await work(device)
    } catch (error) {
      outcome = [false, error instanceof Error ? `${error.name}: ${error.message}` : String(error)]
    }
    const [passed, found] = outcome
    checks.push({ name: `${name} on ${device}`, passed, found, seconds: (performance.now() - began) / 1000 })
  }
  return checks
}
