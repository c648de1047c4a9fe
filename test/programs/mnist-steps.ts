/** The mean losses of the first steps of the main job: `{device, losses}`. Arguments: device, data, steps. */
import { trainMnist } from '../../examples/mnist-resnet.ts'

const [device, data, steps] = process.argv.slice(2)
const losses: number[] = []
for await (const event of trainMnist({ device: device as 'cpu' | 'gpu', data: data!, epochs: 1 })) {
  if (event.type === 'step') losses.push(event.loss)
  if (losses.length === Number(steps)) break
}
console.log(JSON.stringify({ device, losses }))
