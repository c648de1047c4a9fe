/** Loads a model from a folder and predicts for the tensor in an npy file: `predict FOLDER FILE`. */
import { load, loadNpy } from 'fovea/formats'
import { predict } from 'fovea/train'
import { smallNet } from './small-net.ts'

const [folder, file] = process.argv.slice(2)
const { model, ...notes } = await load(folder!, smallNet)
const output = await predict(model, await loadNpy(file!))
console.log(JSON.stringify({ output: Array.from(await output.data()), training: model.training, ...notes }))
