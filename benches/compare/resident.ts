/** A process of its own: the most memory that some steps of the training case named on the command line take. */
import { readFileSync, writeFileSync } from 'node:fs'
import { trainingCases } from '../cases/training.ts'
import { STEPS } from './steps.ts'

/** MiB; the most since the last reset where `what` is VmHWM. Elsewhere than on Linux the most since the start. */
function resident(what: 'VmRSS' | 'VmHWM'): number {
  if (process.platform !== 'linux') {
    return what === 'VmRSS' ? process.memoryUsage.rss() / 2 ** 20 : process.resourceUsage().maxRSS / 1024
  }
  const found = new RegExp(`${what}:\\s*(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(found?.[1]) / 1024
}

const one = trainingCases().find(({ name }) => name === process.argv[2])
if (!one) throw new Error(`there is no training case ${process.argv[2]}`)
const before = resident('VmRSS')
if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5') // resets VmHWM
const running = await one.make()
for (let i = 0; i < STEPS; i++) await running.call()
console.log(JSON.stringify({ mib: resident('VmHWM') - before }))
