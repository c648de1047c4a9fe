/** Workers that decode pictures, put rows together and read weights, terminated at any moment: `loading-workers FOLDER`. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { ones } from 'fovea'
import { DataLoader, ImageDataset, TensorDataset } from 'fovea/data'
import { loadWeights, saveWeights } from 'fovea/formats'

const ROUNDS = 6
const folder = isMainThread ? process.argv[2]! : (workerData as { folder: string }).folder
const weights = join(folder, 'weights.safetensors')
const files = Array<string>(64).fill(join(folder, 'picture.png'))
const labels = files.map((_, i) => i % 2)

/** The sum of everything that is read in one turn. */
async function turn(): Promise<number> {
  let sum = 0
  const pictures = new ImageDataset(files, labels, ['a', 'b'], { size: [24, 24] })
  for await (const [x] of new DataLoader(pictures, { batchSize: 16 })) sum += await x.sum().item()
  const rows = new TensorDataset({ data: new Float32Array(4096 * 64).fill(1), shape: [64] })
  for await (const [x] of new DataLoader(rows, { batchSize: 512, prefetch: 4 })) sum += await x!.sum().item()
  for (const x of Object.values(await loadWeights(weights))) sum += await x.sum().item()
  return sum
}

if (isMainThread) {
  await saveWeights({ a: ones([512, 512]), b: ones([1000]) }, weights)
  const expected = await turn()
  let same = true
  for (let round = 0; round < ROUNDS; round++) {
    const workers = Array.from({ length: 3 }, () => {
      const program = new URL('worker.mjs', import.meta.url)
      return new Worker(program, { workerData: { program: import.meta.url, folder } })
    })
    await Promise.all(
      workers.map((w) => new Promise<void>((ready, failed) => w.on('message', () => ready()).on('error', failed))),
    )
    await pause(5 * round)
    await Promise.all(workers.map((worker) => worker.terminate()))
    same &&= (await turn()) === expected
  }
  console.log(JSON.stringify({ rounds: ROUNDS, same }))
} else {
  parentPort!.postMessage('begun')
  for (;;) await turn()
}
