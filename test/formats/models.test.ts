/** Models in folders. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ArgumentError, DataError, FormatError, nn, randn, withSeed } from 'fovea'
import { defineModel, load, save, saveNpy } from 'fovea/formats'
import { resultOf } from '../child.ts'
import { numbers } from '../engine.ts'
import { smallNet } from '../programs/small-net.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-models-'))
afterAll(() => rmSync(dir, { recursive: true }))

const notes = { preprocessing: { size: [8, 8], mean: [0.5] }, labels: ['a', 'b', 'c'] }

describe('save and load', () => {
  test('a model predicts the same in a new process, to the bit', async () => {
    const model = withSeed(3, () => smallNet({ width: 3, classes: 3 }))
    const x = withSeed(4, () => randn([2, 1, 8, 8]))
    model.forward(x)
    const expected = numbers(model.eval().forward(x))
    await save(model, join(dir, 'net'), notes)
    await saveNpy(x, join(dir, 'x.npy'))
    const there = await resultOf<{ output: number[] }>('predict', { args: [join(dir, 'net'), join(dir, 'x.npy')] })
    expect(there).toEqual({ output: expected, training: false, config: { width: 3, classes: 3 }, ...notes })
  })

  test('saving again replaces the weights and leaves no others behind', async () => {
    const where = join(dir, 'again')
    const [a, b] = [smallNet({ width: 2, classes: 2 }), smallNet({ width: 2, classes: 2 })]
    await save(a, where)
    await save(b, where)
    expect(readdirSync(where)).toHaveLength(2)
    const { model, labels, preprocessing } = await load(where, smallNet)
    expect([labels, preprocessing]).toEqual([[], null])
    const x = randn([1, 1, 8, 8])
    expect(numbers(model.forward(x))).toEqual(numbers(b.eval().forward(x)))
  })

  test('a save that fails leaves the folder as it was', async () => {
    const where = join(dir, 'kept')
    const model = smallNet({ width: 2, classes: 2 })
    await save(model, where, { labels: ['old', 'older'] })
    // In the place of the description there is a folder, which no file can replace.
    const description = readFileSync(join(where, 'model.json'))
    rmSync(join(where, 'model.json'))
    mkdirSync(join(where, 'model.json', 'in'), { recursive: true })
    await expect(save(model, where, { labels: ['new', 'newer'] })).rejects.toThrow(DataError)
    rmSync(join(where, 'model.json'), { recursive: true })
    writeFileSync(join(where, 'model.json'), description)
    expect((await load(where)).labels).toEqual(['old', 'older'])
  })

  test('what can not be saved or loaded is refused with the reason', async () => {
    await expect(save(new nn.Linear(1, 1), dir)).rejects.toThrow(/this Linear was not built by a model definition/)
    await expect(save({} as never, dir)).rejects.toThrow(ArgumentError)
    await expect(save(smallNet({ width: 2, classes: 2 }), dir, { labels: [1] as never })).rejects.toThrow(/labels\[0\]/)
    await expect(load(join(dir, 'none'))).rejects.toThrow(DataError)
    expect(() => defineModel('small-net', () => new nn.Linear(1, 1))).toThrow(
      /there is a model called small-net already/,
    )
    expect(() => defineModel('', () => new nn.Linear(1, 1))).toThrow(ArgumentError)
    expect(() => smallNet({ width: NaN, classes: 2 })).toThrow(
      /config\.width must be a value that JSON can hold, got NaN/,
    )
    const other = defineModel('other-net', () => new nn.Linear(1, 1))
    await save(other(null), join(dir, 'other'))
    await expect(load(join(dir, 'other'), smallNet as never)).rejects.toThrow(/definition must be that of other-net/)
  })

  const spoilt: [string, (text: string) => string, RegExp][] = [
    ['no JSON', () => '{', /is not JSON/],
    ['another version', (text) => text.replace('"fovea": 1', '"fovea": 9'), /fovea must be 1.*got 9/],
    ['a model nobody defined', (text) => text.replace('small-net', 'lost-net'), /lost-net, which is not defined here/],
    ['a path to weights elsewhere', (text) => text.replace('"weights-', '"../weights-'), /weights must be the name/],
    ['no weights', (text) => text.replace('"weights-', '"weights-0'), /weights-0.*can't be read/],
    ['labels that are no strings', (text) => text.replace('"labels": []', '"labels": [1]'), /labels must be an array/],
  ]
  test.each(spoilt)('a description with %s is refused', async (_, spoil, message) => {
    const where = mkdtempSync(join(dir, 'spoilt-'))
    await save(smallNet({ width: 2, classes: 2 }), where)
    const file = join(where, 'model.json')
    writeFileSync(file, spoil(readFileSync(file, 'utf8')))
    const error = await load(where).catch((e: unknown) => e)
    expect([FormatError, DataError, ArgumentError].some((kind) => error instanceof kind)).toBe(true)
    expect((error as Error).message).toMatch(message)
    expect(existsSync(file)).toBe(true)
  })
})
