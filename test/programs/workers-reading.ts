/** Workers that only ever read on their own threads, all at once: nobody has started the engine's. Prints how many reads. */
import { ones } from 'fovea'
import { isMainThread, parentPort } from 'node:worker_threads'
import { startWorker } from './training.ts'

const WORKERS = 3
const READS = 500

function read(): number {
  const x = ones([100, 100])
  let right = 0
  for (let i = 0; i < READS; i++) right += x.matmul(x).sum().itemSync() === 1e6 ? 1 : 0
  return right
}

if (isMainThread) {
  const reads = Array.from({ length: WORKERS }, () => {
    const worker = startWorker(import.meta.url)
    return new Promise<number>((done, failed) => worker.on('message', done).on('error', failed))
  })
  const right = await Promise.all(reads)
  console.log(JSON.stringify({ right: right.reduce((a, b) => a + b), wanted: WORKERS * READS }))
} else {
  parentPort!.postMessage(read())
}
