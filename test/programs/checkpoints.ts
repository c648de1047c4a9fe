/** Trains a model of 1 MiB with checkpoints in a folder, going on where it was: `checkpoints FOLDER EPOCHS`. */
import { F, FoveaError, manualSeed, nn, optim, tensor } from 'fovea'
import { fit } from 'fovea/train'

const [dir, epochs] = process.argv.slice(2)
manualSeed(1)
const model = new nn.Linear(1024, 256)
const batch = [tensor(new Float32Array(1024).fill(1)).reshape([1, 1024]), tensor([3], { dtype: 'i32' })]
try {
  const history = await fit(model, [batch], {
    loss: F.crossEntropy,
    optimizer: new optim.SGD(model, { lr: 1e-3, momentum: 0.9 }),
    epochs: Number(epochs),
    checkpoint: { dir: dir!, resume: true },
  })
  console.log(`${history.epochs.length} epochs`)
} catch (error) {
  if (!(error instanceof FoveaError)) throw error
  console.log(`${error.name} ${error.message}`)
  // Nothing of the failure stays: the same model trains on.
  const { epochs: after } = await fit(model, [batch], {
    loss: F.crossEntropy,
    optimizer: new optim.SGD(model, { lr: 1e-3 }),
    epochs: 3,
  })
  console.log(after.map(({ training }) => training.loss).every(Number.isFinite) ? 'goes on' : 'is lost')
}
