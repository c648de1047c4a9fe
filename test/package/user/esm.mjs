import { losses } from './mlp.mjs'

console.log(JSON.stringify(await losses()))
