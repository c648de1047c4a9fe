/** Peak bytes while a variable of 4 MiB is updated, in place and otherwise: `{reuse, plain}`, above what it holds. */
import { materialize, memory, ones, Variable } from 'fovea'
import { native } from '../../ts/native/addon.ts'

const w = new Variable(ones([1 << 20]))
await materialize()

async function above(): Promise<number> {
  const held = memory().live
  const before = memory().peak
  w.assign(w.mul(2))
  await materialize() // without a tensor for the new version, which would hold it as the old one next time
  const { peak } = memory()
  return peak > before ? peak - held : 0
}

await above() // the first step, whose source was the leaf
const reuse = await above()
native.setFlag('reuse', 0)
const plain = await above()
console.log(JSON.stringify({ reuse, plain }))
