/** The networks of the training cases; benches/compare/models.py has the same in PyTorch. */
import { F, nn, type Tensor } from 'fovea'

/** 784 numbers through two layers of 512 to 10 classes. */
export function mlp(): nn.Sequential {
  return new nn.Sequential(
    new nn.Linear(784, 512),
    new nn.ReLU(),
    new nn.Linear(512, 512),
    new nn.ReLU(),
    new nn.Linear(512, 10),
  )
}

/** LeNet-5's layout with ReLU and max pooling. LeCun et al. 1998, "Gradient-Based Learning …", Proc. IEEE 86(11) */
export function lenet(): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }), // [N, 6, 28, 28]
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 16, 5), // [N, 16, 10, 10]
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(400, 120),
    new nn.ReLU(),
    new nn.Linear(120, 84),
    new nn.ReLU(),
    new nn.Linear(84, 10),
  )
}

/** y = relu(F(x) + s(x)): F two 3×3 convolutions, s identity or 1×1. He et al. 2016, https://arxiv.org/abs/1512.03385 */
class BasicBlock extends nn.Module {
  readonly conv1: nn.Conv2d
  readonly bn1: nn.BatchNorm2d
  readonly conv2: nn.Conv2d
  readonly bn2: nn.BatchNorm2d
  readonly downsample: nn.Sequential | null

  constructor(inChannels: number, channels: number, stride: number) {
    super()
    this.conv1 = new nn.Conv2d(inChannels, channels, 3, { stride, padding: 1, bias: false })
    this.bn1 = new nn.BatchNorm2d(channels)
    this.conv2 = new nn.Conv2d(channels, channels, 3, { padding: 1, bias: false })
    this.bn2 = new nn.BatchNorm2d(channels)
    this.downsample =
      stride === 1 && inChannels === channels
        ? null
        : new nn.Sequential(
            new nn.Conv2d(inChannels, channels, 1, { stride, bias: false }),
            new nn.BatchNorm2d(channels),
          )
  }

  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x)).relu()
    return this.bn2
      .forward(this.conv2.forward(y))
      .add(this.downsample?.forward(x) ?? x)
      .relu()
  }
}

/** Stages of two basic blocks each, the first block of all but the first stage with stride 2. */
function stages(widths: readonly number[]): nn.Sequential {
  return new nn.Sequential(
    ...widths.flatMap((width, i) => [
      new BasicBlock(widths[Math.max(0, i - 1)]!, width, i === 0 ? 1 : 2),
      new BasicBlock(width, width, 1),
    ]),
  )
}

/** For images of 28 × 28: a 3×3 stem of 16, stages of 16, 32 and 64, 10 classes. */
export class SmallResNet extends nn.Module {
  readonly conv1 = new nn.Conv2d(1, 16, 3, { padding: 1, bias: false })
  readonly bn1 = new nn.BatchNorm2d(16)
  readonly layers = stages([16, 32, 64])
  readonly fc = new nn.Linear(64, 10)

  forward(x: Tensor): Tensor {
    const y = this.layers.forward(this.bn1.forward(this.conv1.forward(x)).relu()) // [N, 64, 7, 7]
    return this.fc.forward(y.mean({ dim: [2, 3] }))
  }
}

/** ResNet-18 for images of 224 × 224 and 1,000 classes. */
export class ResNet18 extends nn.Module {
  readonly conv1 = new nn.Conv2d(3, 64, 7, { stride: 2, padding: 3, bias: false })
  readonly bn1 = new nn.BatchNorm2d(64)
  readonly maxpool = new nn.MaxPool2d(3, { stride: 2, padding: 1 })
  readonly layers = stages([64, 128, 256, 512])
  readonly fc = new nn.Linear(512, 1000)

  forward(x: Tensor): Tensor {
    const y = this.maxpool.forward(this.bn1.forward(this.conv1.forward(x)).relu()) // [N, 64, 56, 56]
    return this.fc.forward(this.layers.forward(y).mean({ dim: [2, 3] })) // [N, 512, 7, 7] in the mean
  }
}

function twice(inChannels: number, channels: number): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(inChannels, channels, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(channels),
    new nn.ReLU(),
    new nn.Conv2d(channels, channels, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(channels),
    new nn.ReLU(),
  )
}

/** Three levels of 16, 32 and 64 maps, 2 classes. Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597 */
export class UNet extends nn.Module {
  readonly down1 = twice(3, 16)
  readonly down2 = twice(16, 32)
  readonly bottom = twice(32, 64)
  readonly up2 = new nn.ConvTranspose2d(64, 32, 2, { stride: 2 })
  readonly join2 = twice(64, 32)
  readonly up1 = new nn.ConvTranspose2d(32, 16, 2, { stride: 2 })
  readonly join1 = twice(32, 16)
  readonly head = new nn.Conv2d(16, 2, 1)

  forward(x: Tensor): Tensor {
    const a = this.down1.forward(x) // [N, 16, H, W]
    const b = this.down2.forward(F.maxPool2d(a, 2)) // [N, 32, H/2, W/2]
    const c = this.bottom.forward(F.maxPool2d(b, 2)) // [N, 64, H/4, W/4]
    const d = this.join2.forward(F.concat([this.up2.forward(c), b], { dim: 1 }))
    return this.head.forward(this.join1.forward(F.concat([this.up1.forward(d), a], { dim: 1 })))
  }
}
