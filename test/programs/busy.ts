/** Synchronous reads while another thread's steps keep the engine busy. */
import { tensor } from 'fovea'
import { isMainThread, parentPort } from 'node:worker_threads'
import { Job, startWorker } from './training.ts'

if (isMainThread) {
  const worker = startWorker(import.meta.url)
  await new Promise((ready) => worker.once('message', ready))
  let sum = 0
  for (let i = 0; i < 1000; i++) sum += tensor([i]).add(1).itemSync() - i
  await worker.terminate()
  console.log(`${sum} reads`)
} else {
  const job = new Job(16)
  for (;;) {
    const step = job.step()
    parentPort!.postMessage('step')
    await step.done
  }
}
