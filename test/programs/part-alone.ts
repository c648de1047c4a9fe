/** Uses one part of the library without the main module: `part-alone data|formats FILE`. */
const [part, file] = process.argv.slice(2)
const { shape } =
  part === 'data'
    ? await (await import('fovea/data')).readImage(file!)
    : await (await import('fovea/formats')).loadNpy(file!)
console.log(JSON.stringify(shape))
