/** A few ops and a training step, computed and waited for. */
import { F, materialize, nn, optim, randint, randn, type Tensor } from 'fovea'
import { Bench } from 'tinybench'
import type { Case } from './report.ts'

const MILLISECONDS = 400

function step(): () => Promise<void> {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(16 * 196, 10),
  )
  const optimizer = new optim.AdamW(model)
  const x = randn([100, 1, 28, 28])
  const target = randint(0, 10, { shape: [100] })
  return () => {
    const loss = F.crossEntropy(model.forward(x), target)
    optimizer.zeroGrad()
    loss.backward()
    return optimizer.step()
  }
}

export async function opCases(): Promise<Case[]> {
  const a = randn([512, 512])
  const v = randn([1 << 20])
  const images = randn([32, 16, 28, 28])
  const weight = randn([32, 16, 3, 3])
  const logits = randn([256, 1000])
  await materialize(a, v, images, weight, logits)
  const compute = (make: () => Tensor) => async () => {
    const y = make()
    await materialize(y)
    y.dispose()
  }
  const bench = new Bench({ time: MILLISECONDS, warmupTime: MILLISECONDS / 4 })
  bench.add(
    'add, 1 Mi',
    compute(() => v.add(v)),
  )
  bench.add(
    'sum, 1 Mi',
    compute(() => v.sum()),
  )
  bench.add(
    'gelu, 1 Mi',
    compute(() => v.gelu()),
  )
  bench.add(
    'matmul, 512 by 512 by 512',
    compute(() => a.matmul(a)),
  )
  bench.add(
    'conv2d, 32 × 16 × 28 × 28, 32 of 3 × 3',
    compute(() => F.conv2d(images, weight, { padding: 1 })),
  )
  bench.add(
    'softmax, 256 by 1,000',
    compute(() => logits.softmax({ dim: 1 })),
  )
  bench.add('training step of a small ConvNet, 100 images', step())
  await bench.run()
  return bench.tasks.map(({ name, result }) => {
    if (result.state !== 'completed') throw new Error(`${name} did not complete`)
    const { p50, p75, min } = result.latency
    return { name, unit: 'ms', median: p50, low: min, high: p75 }
  })
}
