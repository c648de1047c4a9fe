import { F, manualSeed, optim, profile, randn, randint, setThreads } from 'fovea'
import { SmallResNet, ResNet18, UNet, lenet, mlp } from '/work/main/benches/models.ts'
const which = process.argv[2] ?? 'small'
setThreads(Number(process.argv[3] ?? 1))
manualSeed(1)
const [model, shape, classes]: any = {
  small: [new SmallResNet(), [64, 1, 28, 28], 10],
  r18: [new ResNet18(), [4, 3, 224, 224], 1000],
  unet: [new UNet(), [4, 3, 128, 128], 2],
  lenet: [lenet(), [128, 1, 28, 28], 10],
  mlp: [mlp(), [128, 784], 10],
}[which]
const x = randn(shape)
const t = which === 'unet' ? randint(0, 2, {shape:[4, 128, 128]}) : randint(0, classes, {shape:[shape[0]]})
const opt = new optim.SGD(model, { lr: 0.01, momentum: 0.9 })
const step = async () => {
  const loss = F.crossEntropy(model.forward(x), t)
  opt.zeroGrad(); loss.backward(); await opt.step()
}
for (let i = 0; i < 4; i++) await step()
const p = await profile(async () => { for (let i = 0; i < 5; i++) await step() })
console.log(p.toString(45))
if (process.argv[4]) {
  const rows = p.steps.filter((s) => s.name === process.argv[4]).slice(-Number(process.argv[5] ?? 30))
  for (const s of rows) console.log(s.module.padEnd(24), s.ms.toFixed(3).padStart(9), 'ms', ((s.bytesRead + s.bytesWritten) / s.ms / 1e6).toFixed(1).padStart(7), 'GB/s', (s.flops / s.ms / 1e6).toFixed(1).padStart(8), 'GFLOP/s', ((s.bytesRead+s.bytesWritten)/1e6).toFixed(2), 'MB')
}
