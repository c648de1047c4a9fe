/**
 * A ConvNet with batch norm, dropout and Adam for many tiny steps, nothing disposed of.
 *
 * Arguments: how (awaiting, sync, inference), steps, steps of warm-up before them. Prints the most resident bytes of the
 * first half after the warm-up, `earlier`, and of the second, `later`: V8 lets its own garbage pile up for some twenty
 * thousand steps between two collections of everything, which at two moments would tell nothing.
 */
import { F, memory, nn, optim, randint, randn, withSeed } from 'fovea'

const [how, count = '5000', before = '2000'] = process.argv.slice(2)
const [STEPS, WARM_UP] = [Number(count), Number(before)]
const SAMPLES = 200

const model = withSeed(1, () => {
  return new nn.Sequential(
    new nn.Conv2d(1, 4, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(4),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Dropout(0.25),
    new nn.Linear(64, 4),
  )
})
const optimizer = new optim.Adam(model)
const resident: number[] = []
let loss = 0

function step(): { done: Promise<void>; read: () => number } {
  const logits = model.forward(randn([4, 1, 8, 8]))
  const y = F.crossEntropy(logits, randint(0, 4, { shape: [4] }))
  optimizer.zeroGrad()
  y.backward()
  return { done: optimizer.step(), read: () => y.itemSync() }
}

function infer(): number {
  return model
    .forward(randn([4, 1, 8, 8]))
    .argmax({ dim: 1 })
    .sum()
    .itemSync()
}

function sample(i: number): void {
  if (i >= WARM_UP && (i - WARM_UP) % (STEPS / SAMPLES) === 0) resident.push(process.memoryUsage.rss())
}

if (how === 'awaiting') {
  for (let i = 0; i < WARM_UP + STEPS; i++) {
    const { done, read } = step()
    await done
    if (i % 10 === 0) loss = read()
    sample(i)
  }
} else if (how === 'sync') {
  for (let i = 0; i < WARM_UP + STEPS; i++) {
    const { done, read } = step()
    void done
    loss = read()
    sample(i)
  }
} else {
  model.eval()
  for (let i = 0; i < WARM_UP + STEPS; i++) {
    loss = infer()
    sample(i)
  }
}

const middle = resident.length >> 1
const [earlier, later] = [resident.slice(0, middle), resident.slice(middle)].map((part) => Math.max(...part))
const { handles, nodes, values } = memory()
console.log(JSON.stringify({ earlier, later, handles, nodes, values, loss }))
