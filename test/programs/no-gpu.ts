/** What is said of GPUs where there is none: `{error, auto, sum, devices}`. */
import { devices, tensor, useDevice } from 'fovea'

const error = await useDevice('gpu').then(
  () => null,
  ({ name, code, message }: Error & { code: string }) => ({ name, code, message }),
)
const auto = await useDevice('auto')
const sum = await tensor([1, 2]).sum().item()
console.log(JSON.stringify({ error, auto, sum, devices: (await devices()).map(({ device }) => device) }))
