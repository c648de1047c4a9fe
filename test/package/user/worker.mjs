import { isMainThread, parentPort, Worker } from 'node:worker_threads'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  worker.on('message', (found) => console.log(JSON.stringify(found)))
} else {
  const { losses } = await import('./mlp.mjs')
  parentPort?.postMessage(await losses())
}
