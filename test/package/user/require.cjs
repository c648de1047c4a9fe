const { F, manualSeed, nn, optim, rand } = require('fovea')
const { fit } = require('fovea/train')

manualSeed(1)
const x = rand([64, 2])
const label = x.argmax({ dim: 1 })
const model = new nn.Sequential(new nn.Linear(2, 16), new nn.ReLU(), new nn.Linear(16, 2))
const optimizer = new optim.AdamW(model, { lr: 0.02 })
fit(model, [[x, label]], { loss: F.crossEntropy, optimizer, epochs: 30 }).then(({ epochs }) => {
  console.log(JSON.stringify([epochs[0]?.training.loss, epochs.at(-1)?.training.loss]))
})
