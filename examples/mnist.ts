/**
 * A small convolutional network learns to read the handwritten digits of MNIST (LeCun et al. 1998).
 *
 *   npm start                      with a progress bar and options
 *   npx tsx examples/mnist.ts      this file alone
 *
 * Three epochs of AdamW under a one-cycle learning rate; at least 99 % of the test images are read right.
 */
import { F, manualSeed, nn, noGrad, optim, read, setThreads, useDevice, type Device } from 'fovea'
import { DataLoader, mnist } from 'fovea/data'
import { pathToFileURL } from 'node:url'

export interface MnistOptions {
  epochs?: number
  seed?: number
  device?: 'cpu' | 'gpu' | 'auto'
  threads?: number
  data?: string // a folder with the four IDX files
  signal?: AbortSignal
}

export type MnistEvent =
  | { type: 'start'; model: nn.Module; device: Device; parameters: number; batches: number; epochs: number }
  | { type: 'step'; epoch: number; step: number; steps: number; loss: number; accuracy: number; images: number }
  | { type: 'epoch'; epoch: number; loss: number; accuracy: number; testAccuracy: number; seconds: number }
  | {
      type: 'done'
      model: nn.Module
      testAccuracy: number
      trainSeconds: number
      imagesPerSecond: number
      predictions: Prediction[]
    }

export type Prediction = { pixels: Float32Array; label: number; predicted: number }

export async function* trainMnist(options: MnistOptions = {}): AsyncGenerator<MnistEvent, void, undefined> {
  const { epochs = 3, seed = 1, signal } = options
  const device = await useDevice(options.device ?? 'cpu')
  if (options.threads !== undefined) setThreads(options.threads)
  manualSeed(seed)

  const digits = await mnist('train', { dir: options.data })
  const train = new DataLoader(digits, { batchSize: 100, shuffle: true })
  const test = new DataLoader(await mnist('test', { dir: options.data }), { batchSize: 500 })
  const batches = Math.ceil(digits.length / 100)

  const model = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1, bias: false }), // [N, 16, 28, 28]
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.MaxPool2d(2), // [N, 16, 14, 14]
    new nn.Conv2d(16, 32, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(32),
    new nn.ReLU(),
    new nn.MaxPool2d(2), // [N, 32, 7, 7]
    new nn.Conv2d(32, 64, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(64),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Linear(64 * 7 * 7, 10), // [N, 10]
  )
  const optimizer = new optim.AdamW(model, { lr: 1e-3, weightDecay: 1e-2 })
  const schedule = new optim.OneCycleLR(optimizer, { maxLr: 1e-2, totalSteps: epochs * batches })
  const parameters = model.parameters().reduce((sum, parameter) => sum + parameter.size, 0)
  yield { type: 'start', model, device, parameters, batches, epochs }

  let images = 0
  let trainSeconds = 0
  let testAccuracy = 0
  const predictions: Prediction[] = []

  for (let epoch = 1; epoch <= epochs; epoch++) {
    const began = performance.now()
    let step = 0
    let meanLoss = 0
    let meanAccuracy = 0
    for await (const [x, labels] of train) {
      // [N, 1, 28, 28], [N]
      signal?.throwIfAborted()
      const logits = model.forward(x)
      const loss = F.crossEntropy(logits, labels)
      optimizer.zeroGrad()
      loss.backward()
      await optimizer.step()
      schedule.step()

      const right = logits.argmax({ dim: 1 }).eq(labels).to('f32').mean()
      const [[lossNow], [accuracyNow]] = (await read(loss, right)) as [Float32Array, Float32Array]
      step++
      images += labels.size
      meanLoss += (lossNow - meanLoss) / step
      meanAccuracy += (accuracyNow - meanAccuracy) / step
      yield { type: 'step', epoch, step, steps: batches, loss: meanLoss, accuracy: meanAccuracy, images }
    }
    const seconds = (performance.now() - began) / 1000
    trainSeconds += seconds

    model.eval()
    let correct = 0
    let tested = 0
    for await (const [x, labels] of test) {
      signal?.throwIfAborted()
      const predicted = noGrad(() => model.forward(x).argmax({ dim: 1 })) // [N]
      correct += await predicted.eq(labels).sum().item()
      tested += labels.size
      if (epoch === epochs && predictions.length === 0) {
        const [pixels, is, reads] = await read(x, labels, predicted)
        for (let i = 0; i < 6; i++) {
          const image = (pixels as Float32Array).slice(i * 784, (i + 1) * 784)
          predictions.push({ pixels: image, label: Number(is[i]), predicted: Number(reads[i]) })
        }
      }
    }
    model.train()
    testAccuracy = correct / tested
    yield { type: 'epoch', epoch, loss: meanLoss, accuracy: meanAccuracy, testAccuracy, seconds }
  }
  yield { type: 'done', model, testAccuracy, trainSeconds, imagesPerSecond: images / trainSeconds, predictions }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for await (const event of trainMnist()) {
    if (event.type === 'epoch') console.log(`epoch ${event.epoch}: test accuracy ${event.testAccuracy}`)
    if (event.type === 'done') console.log(`${(100 * event.testAccuracy).toFixed(2)} % of the test images read right`)
  }
}
