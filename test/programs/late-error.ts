/** A value that is read too late: what its error says, as JSON. */
import { nn, optim, randn, type FoveaError } from 'fovea'

const model = new nn.Linear(200, 200)
const hidden = model.weight.matmul(randn([200, 200])) // made here
hidden.sum().backward()
await new optim.SGD(model, { lr: 0.1 }).step()
const error = (await hidden.data().catch((e: unknown) => e)) as FoveaError
console.log(JSON.stringify({ name: error.name, message: error.message, source: error.source ?? null }))
