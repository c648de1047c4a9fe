/** What tests see of the engine: counts of its work, the collector, small networks. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { counters, memory, nn, type Counters, type Tensor } from 'fovea'
import { native } from '../ts/native/addon.ts'

export { native }

/** What the engine did while `work` ran. */
export async function counted(work: () => unknown): Promise<Counters> {
  const before = counters()
  await work()
  const after = counters()
  const names = Object.keys(after) as (keyof Counters)[]
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Counters
}

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Collects every unreachable object and frees the handles that belonged to them. */
export async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    gc()
    await new Promise((done) => setImmediate(done)) // WeakRefs hold until the end of the turn
  }
  native.sweep()
}

/** Bytes of this thread's values, after a collection. */
export async function valueBytes(): Promise<number> {
  await collect()
  return memory().values
}

/** An element count above the 1,024 up to which values made outside modules are kept. */
export const LARGE = 2048

/** A convolution with batch norm, dropout and a linear layer on images [N, 1, 8, 8]: logits [N, 4]. */
export function convNet(options: { dropout?: number } = {}): nn.Sequential {
  return new nn.Sequential(
    new nn.Conv2d(1, 4, 3, { padding: 1, bias: false }), // [N, 4, 8, 8]
    new nn.BatchNorm2d(4),
    new nn.ReLU(),
    new nn.MaxPool2d(2), // [N, 4, 4, 4]
    new nn.Flatten(),
    new nn.Dropout(options.dropout ?? 0.25),
    new nn.Linear(64, 4),
  )
}

/** Whether two arrays are equal to the bit. */
export function sameBits(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (x: ArrayBufferView) => Buffer.from(x.buffer, x.byteOffset, x.byteLength)
  return bytes(a).equals(bytes(b))
}

/** The numbers of a tensor, read on this thread. */
export function numbers(x: Tensor): number[] {
  return Array.from(x.dataSync(), Number)
}

/** What `work` throws. */
export function failure(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
