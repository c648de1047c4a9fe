/** The losses after five steps of one job in four threads at once. */
import { isMainThread, parentPort } from 'node:worker_threads'
import { Job, startWorker } from './training.ts'

async function lossOf(): Promise<number> {
  const job = new Job()
  for (let i = 0; i < 4; i++) await job.step().done
  return job.step().loss()
}

if (isMainThread) {
  const workers = Array.from({ length: 3 }, () => startWorker(import.meta.url))
  const others = workers.map((w) => new Promise<number>((got, failed) => w.on('message', got).on('error', failed)))
  console.log(JSON.stringify({ losses: await Promise.all([lossOf(), ...others]) }))
} else {
  parentPort!.postMessage(await lossOf())
}
