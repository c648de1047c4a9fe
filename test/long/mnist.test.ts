/** The main job in full: the small residual network of examples/mnist-resnet.ts, on the whole of MNIST. */
import { expect, test } from 'vitest'
import { trainMnist } from '../../examples/mnist-resnet.ts'

/** The share of the test images that a network trained from `seed` reads right. */
async function accuracy(seed: number): Promise<number> {
  let found = 0
  for await (const event of trainMnist({ seed })) {
    if (event.type !== 'epoch') continue
    found = event.validation!.accuracy!
    const share = (100 * found).toFixed(2)
    console.log(`seed ${seed}, epoch ${event.epoch}, ${event.seconds.toFixed(1)} s: ${share} % of the test images`)
  }
  return found
}

test('the median of seeds 0 to 2 reads at least 99.5 % of the test images', async () => {
  const found: number[] = []
  for (const seed of [0, 1, 2]) found.push(await accuracy(seed))
  expect(found.toSorted((a, b) => a - b)[1]).toBeGreaterThanOrEqual(0.995)
}, 3_600_000)
