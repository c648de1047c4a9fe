/** Rounds of four workers that train and are terminated at any moment, beside a job of the main thread. */
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread, parentPort } from 'node:worker_threads'
import { Job, startWorker } from './training.ts'

const ROUNDS = 4

async function lossAlone(steps: number): Promise<number> {
  const job = new Job()
  let last = 0
  for (let i = 0; i < steps; i++) {
    const step = job.step()
    await step.done
    last = step.loss()
  }
  return last
}

if (isMainThread) {
  const expected = await lossAlone(20)
  let steps = 0
  let same = true
  for (let round = 0; round < ROUNDS; round++) {
    const workers = Array.from({ length: 4 }, () => startWorker(import.meta.url))
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((ready, failed) => {
            worker.on('error', failed)
            worker.on('message', () => {
              steps++
              ready()
            })
          }),
      ),
    )
    same &&= (await lossAlone(20)) === expected
    await pause(7 * round)
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
  same &&= (await lossAlone(20)) === expected
  console.log(JSON.stringify({ rounds: ROUNDS, steps, same }))
} else {
  const job = new Job(32)
  for (;;) {
    const step = job.step()
    parentPort!.postMessage('step')
    if (Math.random() < 0.5) await step.done
  }
}
