/** Leaves in the middle of a step, in the way that the first argument says, on the device that the second one names. */
import { useDevice, type Device } from 'fovea'
import { parentPort } from 'node:worker_threads'
import { Job, startWorker } from './training.ts'

const [way, device = 'cpu'] = process.argv.slice(2)
await useDevice(device as Device)
const job = new Job(64)
job.step().loss()
const step = job.step()
switch (way) {
  case 'exit':
    process.exit(3)
  case 'exit-in-loop':
    for (let i = 0; ; i++) {
      void job.step()
      if (i === 5) process.exit(4)
    }
  case 'exit-in-worker':
    startWorker(import.meta.url, 'in-worker', device).on('exit', () => process.exit(5))
    break
  case 'in-worker':
    void job.step()
    process.exit(0) // ends the worker only
  case 'terminate': {
    const worker = startWorker(import.meta.url, 'steps', device)
    worker.on('message', () => void worker.terminate()) // this thread ends with it
    break
  }
  case 'steps':
    for (;;) {
      const next = job.step()
      parentPort!.postMessage('step')
      await next.done
    }
  case 'uncaught':
    throw new Error('mine')
  case 'await':
    await step.done
    console.log('done')
    break
  case 'end':
  default:
}
