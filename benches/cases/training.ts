/** Training steps: gradients to zero, forward, cross-entropy, backward, SGD with momentum. The batch is given. */
import { F, manualSeed, nn, optim, randint, randn, scope, type Tensor } from 'fovea'
import { lenet, mlp, ResNet18, SmallResNet, UNet } from '../models.ts'
import { type Case, running } from './case.ts'

interface Model {
  make: () => nn.Module
  /** Its name in benches/compare/models.py. */
  peer: string
  /** [N, ...] */
  input: number[]
  classes: number
  /** Whether each pixel has a class. */
  pixels?: boolean
}

const MODELS: Readonly<Record<string, Model>> = {
  'mlp-784-512-512-10-b128': { make: mlp, peer: 'mlp', input: [128, 784], classes: 10 },
  'lenet-b128': { make: lenet, peer: 'lenet', input: [128, 1, 28, 28], classes: 10 },
  'small-resnet-b128': { make: () => new SmallResNet(), peer: 'small-resnet', input: [128, 1, 28, 28], classes: 10 },
  'resnet18-b16-224': { make: () => new ResNet18(), peer: 'resnet18', input: [16, 3, 224, 224], classes: 1000 },
  'unet16-b8-128': { make: () => new UNet(), peer: 'unet16', input: [8, 3, 128, 128], classes: 2, pixels: true },
}

/**
 * Floating-point operations of a step in its products and convolutions: forward, and as many again for each of the two
 * gradients, of which the first layer needs one.
 */
function stepFlops({ make, input }: Model): number {
  const model = make().eval()
  let total = 0
  for (const module of model.modules()) {
    if (!(module instanceof nn.Conv2d || module instanceof nn.Linear || module instanceof nn.ConvTranspose2d)) continue
    module.onForward(({ args, output }) => {
      const [x] = args as [Tensor]
      const { weight } = module
      const small = module instanceof nn.ConvTranspose2d ? x : output
      total += (x.requiresGrad ? 3 : 2) * 2 * small.size * (weight.size / weight.shape[0]!)
    })
  }
  scope(() => void model.forward(randn([1, ...input.slice(1)]))) // recorded, never computed
  return total * input[0]!
}

function training(name: string, model: Model): Case {
  const { make, peer, input, classes, pixels = false } = model
  let flops: number | undefined
  return {
    family: 'training',
    name: `train/${name}`,
    get flops() {
      return (flops ??= stepFlops(model))
    },
    bytes: null,
    peer: { kind: 'training', model: peer, input, classes, pixels },
    forms: input.length === 4 ? ['contiguous', 'channels_last'] : ['contiguous'],
    make() {
      manualSeed(0)
      const net = make()
      const optimizer = new optim.SGD(net, { lr: 1e-3, momentum: 0.9 })
      const x = randn(input)
      const target = randint(0, classes, { shape: pixels ? [input[0]!, ...input.slice(2)] : [input[0]!] })
      return running([x, target], () => {
        const loss = F.crossEntropy(net.forward(x), target)
        optimizer.zeroGrad()
        loss.backward()
        return optimizer.step()
      })
    },
  }
}

export function trainingCases(): readonly Case[] {
  return Object.entries(MODELS).map(([name, model]) => training(name, model))
}
