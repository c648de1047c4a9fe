/** Runs a TypeScript program in a worker; tsx does not reach workers by itself. */
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(workerData.program)
