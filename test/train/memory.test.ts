/** Long runs keep their memory flat. */
import { expect, test } from 'vitest'
import { F, memory, nn, optim, randn, tensor, withSeed, type Tensor } from 'fovea'
import { DataLoader, TensorDataset } from 'fovea/data'
import { Accuracy, Ema, fit } from 'fovea/train'
import { collect, valueBytes } from '../engine.ts'

test('2,000 steps with everything switched on hold no more than 500', async () => {
  const model = withSeed(1, () => new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 3)))
  const x = withSeed(2, () => randn([40, 8]))
  const labels = tensor(
    Array.from({ length: 40 }, (_, i) => i % 3),
    { dtype: 'i32' },
  )
  const data = new TensorDataset<[Tensor, Tensor]>(x, labels)
  const held: { bytes: number; handles: number; nodes: number }[] = []
  await fit(model, new DataLoader(data, { batchSize: 4, shuffle: true }), {
    loss: F.crossEntropy,
    optimizer: new optim.AdamW(model),
    epochs: 200, // of 10 steps
    validation: new DataLoader(data, { batchSize: 20 }),
    metrics: { accuracy: new Accuracy() },
    accumulate: 2,
    clip: { norm: 1, value: 1 },
    ema: new Ema(model, 0.99),
    earlyStopping: { patience: 1000 },
    callbacks: [
      async (event) => {
        if (event.type !== 'epoch' || event.epoch % 50 !== 0) return
        await collect()
        held.push({ bytes: await valueBytes(), handles: memory().handles, nodes: memory().nodes })
      },
    ],
  })
  const [first] = held
  const last = held.at(-1)!
  expect(held).toHaveLength(4)
  expect(last.bytes).toBeLessThanOrEqual(first!.bytes * 1.05)
  expect(last.handles).toBeLessThanOrEqual(first!.handles + 20)
  expect(last.nodes).toBeLessThanOrEqual(first!.nodes + 50)
})
