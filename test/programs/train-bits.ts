/** Five training steps of a small ConvNet: `{hash, loss}` of all its weights and statistics. Arguments: seed, reading. */
import { createHash } from 'node:crypto'
import { F, manualSeed, nn, optim, randint, randn } from 'fovea'

const [seed = '1', reading] = process.argv.slice(2)
manualSeed(Number(seed))
const model = new nn.Sequential(
  new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(8),
  new nn.GELU(),
  new nn.MaxPool2d(2),
  new nn.Conv2d(8, 16, 3, { stride: 2, padding: 1 }),
  new nn.ReLU(),
  new nn.Flatten(),
  new nn.Dropout(0.25),
  new nn.Linear(16 * 8 * 8, 10),
)
const optimizer = new optim.AdamW(model, { lr: 1e-2 })
let last = 0
for (let i = 0; i < 5; i++) {
  const logits = model.forward(randn([16, 3, 32, 32]))
  if (reading) await logits.data()
  const loss = F.crossEntropy(logits, randint(0, 10, { shape: [16] }))
  if (reading) loss.itemSync()
  optimizer.zeroGrad()
  loss.backward()
  if (reading) for (const p of model.parameters()) p.grad!.dataSync()
  await optimizer.step()
  last = await loss.item()
}
const hash = createHash('sha256')
for (const value of Object.values(model.stateDict())) hash.update(new Uint8Array((await value.data()).buffer))
console.log(JSON.stringify({ hash: hash.digest('hex'), loss: last }))
