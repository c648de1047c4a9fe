/** Leaves in the middle of a step, in the way that the first argument says. */
import { isMainThread } from 'node:worker_threads'
import { Job, startWorker } from './training.ts'

const way = isMainThread ? process.argv[2] : 'in-worker'
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
  case 'exit-in-worker': {
    const worker = startWorker(import.meta.url)
    worker.on('message', () => process.exit(5))
    worker.on('exit', () => process.exit(5))
    break
  }
  case 'in-worker':
    void job.step()
    process.exit(0) // ends the worker only
  case 'uncaught':
    throw new Error('mine')
  case 'await':
    await step.done
    console.log('done')
    break
  case 'end':
  default:
}
