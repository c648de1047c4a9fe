/** Steps that fail and are awaited, not awaited, awaited late; any unhandled rejection ends the process. */
import { nn, optim, randn, tensor } from 'fovea'
import { native } from '../../ts/native/addon.ts'

const w = new nn.Parameter(randn([4, 4]))
const optimizer = new optim.SGD([w], { lr: 0.1 })
const pause = () => new Promise((done) => setTimeout(done, 100))

function failingStep(): Promise<void> {
  optimizer.zeroGrad()
  w.assign(randn([4, 4])) // whatever became of it in the failure before
  w.matmul(w).sum().backward()
  native.setFlag('failAfter', 0)
  return optimizer.step()
}

const message = (error: unknown) => (error as Error).message.replace(/ \(.*/, '').replace(/^.*?(?=injected)/, '')

await failingStep().catch((error: unknown) => console.log(`awaited: ${message(error)}`))

void failingStep()
await pause()
try {
  tensor([1])
} catch (error) {
  console.log(`unawaited: the next call threw ${message(error)}`)
}

const late = failingStep()
await pause()
await late.catch((error: unknown) => console.log(`caught late: ${message(error)}`))

native.setFlag('failAfter', 0)
await randn([10])
  .exp()
  .data()
  .catch((error: unknown) => console.log(`read: ${message(error)}`))
void tensor([1, 2]).sum().item() // a read that nobody waits for
await pause()
console.log(`usable: ${await tensor([1, 2]).sum().item()}`)
