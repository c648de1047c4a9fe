/** What a user of TypeScript writes; compiled against the package's declarations, and never run. */
import { F, nn, optim, type Tensor, tensor } from 'fovea'
import { DataLoader, TensorDataset } from 'fovea/data'
import { loadWeights } from 'fovea/formats'
import { fit, type History } from 'fovea/train'

class Net extends nn.Module {
  readonly layer = new nn.Linear(2, 2)
  forward(x: Tensor): Tensor {
    return this.layer.forward(x).relu()
  }
}

export async function run(): Promise<History> {
  const loader = new DataLoader(new TensorDataset(tensor([[1, 2]]), tensor([1], { dtype: 'i32' })), { batchSize: 1 })
  const model = new Net()
  model.loadStateDict(await loadWeights('net.safetensors'))
  // @ts-expect-error: an optimizer has no such option, and the declarations know
  const wrong = new optim.AdamW(model, { learningRate: 1 })
  return fit(model, loader, { loss: F.crossEntropy, optimizer: wrong, epochs: 1 })
}
