/** An MLP learns which of two numbers is larger; prints the first and the last loss as JSON. */
import { F, manualSeed, nn, optim, rand } from 'fovea'
import { fit } from 'fovea/train'

export async function losses() {
  manualSeed(1)
  const x = rand([64, 2])
  const label = x.argmax({ dim: 1 })
  const model = new nn.Sequential(new nn.Linear(2, 16), new nn.ReLU(), new nn.Linear(16, 2))
  const optimizer = new optim.AdamW(model, { lr: 0.02 })
  const { epochs } = await fit(model, [[x, label]], { loss: F.crossEntropy, optimizer, epochs: 30 })
  return [epochs[0]?.training.loss, epochs.at(-1)?.training.loss]
}
