/** What a classifier confuses, and what it was most wrongly sure of. */
import { refuse } from '../../native/errors.ts'
import { isTensor } from '../../native/record.ts'
import { softmax } from '../../nn/functional.ts'
import { read } from '../../tensor/read.ts'
import { noGrad } from '../../tensor/scopes.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Batches, Model } from '../events.ts'
import { png } from './picture.ts'

/** One input that was taken for another class. */
export interface Mistake {
  target: number
  predicted: number
  /** Probability given to `predicted` and to `target`. */
  sure: number
  right: number
  /** The input as a PNG, where it is one [1 or 3, H, W]. */
  picture: Buffer | null
}

/** What {@link judge} found. */
export interface Judgement {
  /** Items by target and prediction: [target][predicted]. */
  confusion: number[][]
  /** The worst first. */
  mistakes: Mistake[]
}

/** Options of {@link judge}. */
export interface JudgeOptions {
  /** How many mistakes are kept. Default 24. */
  worst?: number
  /** What was taken from and divided by in each channel of the pictures. */
  mean?: readonly number[]
  std?: readonly number[]
}

/** The picture that a normalised input [C, H, W] was. */
function pictureOf(values: Float32Array, shape: readonly number[], { mean, std }: JudgeOptions): Buffer | null {
  const [channels, height, width] = shape as [number, number, number]
  if (shape.length !== 3 || (channels !== 1 && channels !== 3)) return null
  const plane = height * width
  const plain = values.map((v, i) => {
    const c = Math.floor(i / plane)
    return v * (std?.[c] ?? 1) + (mean?.[c] ?? 0)
  })
  return png(plain, [channels, height, width])
}

/**
 * Runs a classifier of logits [N, C] over all batches of inputs and labels [N], in evaluation mode.
 *
 * Throws an ArgumentError where the model gives no logits for labels.
 */
export async function judge(model: Model, loader: Batches, options: JudgeOptions = {}): Promise<Judgement> {
  const { worst = 24 } = options
  const modes = model.modules().map((module) => [module, module.training] as const)
  const confusion: number[][] = []
  let mistakes: Mistake[] = []
  model.eval()
  try {
    for await (const [x, target] of loader) {
      if (!isTensor(x) || !isTensor(target)) refuse('judge', 'loader', 'batches [inputs, labels]', [x, target])
      const output: Tensor = noGrad(() => softmax(model.forward(x), { dim: 1 }))
      const [items, classes] = output.shape as [number, number]
      if (output.rank !== 2 || target.rank !== 1 || target.shape[0] !== items) {
        refuse('judge', 'model', 'a classifier of logits [N, C] for labels [N]', output)
      }
      const [inputs, shares, labels] = (await read(x, output, target)) as [
        Float32Array,
        Float32Array,
        ArrayLike<number>,
      ]
      while (confusion.length < classes) confusion.push(Array<number>(classes).fill(0))
      for (let i = 0; i < items; i++) {
        const row = shares.subarray(i * classes, (i + 1) * classes)
        const predicted = row.reduce((best, v, k) => (v > row[best]! ? k : best), 0)
        const label = Number(labels[i])
        if (!(label >= 0 && label < classes)) continue // such as the index that a loss ignores
        confusion[label]![predicted]!++
        if (predicted === label) continue
        const size = inputs.length / items
        const found: Mistake = { target: label, predicted, sure: row[predicted]!, right: row[label]!, picture: null }
        const last = mistakes[worst - 1]
        if (last && last.sure - last.right >= found.sure - found.right) continue
        found.picture = pictureOf(inputs.slice(i * size, (i + 1) * size), x.shape.slice(1), options)
        mistakes = [...mistakes, found].toSorted((a, b) => b.sure - b.right - (a.sure - a.right)).slice(0, worst)
      }
    }
  } finally {
    for (const [module, mode] of modes) (module as { training: boolean }).training = mode
  }
  return { confusion, mistakes }
}
