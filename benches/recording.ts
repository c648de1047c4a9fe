/** What recording costs: from the TypeScript call to the node, and what lookup, bookkeeping and planning add. */
import { counters, F, nn, optim, randint, randn, type Tensor } from 'fovea'
import { native } from '../ts/native/addon.ts'
import { type Case, spread } from './report.ts'

const OPS = 1_200
const ROUNDS = 60
const WARM_UP = 20
const CALLS = 100_000

/** Nanoseconds that `work` takes on this thread. */
function timed(work: () => void): number {
  const began = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - began)
}

function nativeCall(): Case {
  const samples: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const ns = timed(() => {
      for (let i = 0; i < CALLS; i++) native.inModule()
    })
    if (round >= WARM_UP) samples.push(ns / CALLS)
  }
  return { name: 'raw native call', unit: 'ns', ...spread(samples) }
}

/** A chain of ops whose nodes are all distinct and require gradients; 3 · `OPS` / 3 nodes. */
function chain(x: Tensor, b: Tensor): Tensor {
  let y = x
  for (let i = 0; i < OPS / 3; i++) y = y.add(b).relu().mul(0.999)
  return y
}

/** Recording alone, and with its share of finding the plan and binding it; what the engine's thread does is left out. */
async function recording(): Promise<Case[]> {
  const x = new nn.Parameter(randn([64]))
  const b = new nn.Parameter(randn([64]))
  const [record, bookkeeping, both]: [number[], number[], number[]] = [[], [], []]
  for (let round = 0; round < ROUNDS; round++) {
    let y: Tensor | undefined
    let done: Promise<void> | undefined
    native.enterModule('bench') // as in a model: small values within it are not made to exist
    const recorded = timed(() => (y = chain(x, b)))
    native.exitModule()
    const looked = timed(() => (done = native.evaluate([y!._id])))
    await done
    if (round < WARM_UP) continue
    record.push(recorded / OPS)
    bookkeeping.push(looked / OPS)
    both.push((recorded + looked) / OPS)
  }
  return [
    { name: 'recording an op', unit: 'ns', ...spread(record) },
    { name: 'its share of lookup and bookkeeping', unit: 'ns', ...spread(bookkeeping) },
    { name: 'both', unit: 'ns', ...spread(both) },
  ]
}

/** Planning: what the evaluation of a training step takes longer when its plan is not known, by the planned node. */
async function planning(): Promise<Case> {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 16, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(16),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Linear(16 * 49, 10),
  )
  const optimizer = new optim.AdamW(model)
  const step = async (): Promise<number> => {
    const loss = F.crossEntropy(model.forward(randn([4, 1, 14, 14])), randint(0, 10, { shape: [4] }))
    optimizer.zeroGrad()
    loss.backward()
    let done: Promise<void> | undefined
    const ns = timed(() => (done = optimizer.step()))
    await done
    return ns
  }
  for (let i = 0; i < 5; i++) await step()
  const samples: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const known = await step()
    native.setFlag('fusion', 1) // forgets the plans
    const before = counters().plannedNodes
    const unknown = await step()
    if (round >= WARM_UP) samples.push((unknown - known) / (counters().plannedNodes - before) / 1000)
  }
  return { name: 'planning a node', unit: 'µs', ...spread(samples) }
}

export async function recordingCases(): Promise<Case[]> {
  return [nativeCall(), ...(await recording()), await planning()]
}
