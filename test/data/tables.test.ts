/** Tables, arrays in files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ArgumentError, DataError, FormatError } from 'fovea'
import { cifar10, csv, DataLoader, idx, npz } from 'fovea/data'
import { root } from '../child.ts'
import { bits } from '../../ts/tensor/random.ts'
import { numbers } from '../engine.ts'

const dir = mkdtempSync(join(tmpdir(), 'fovea-tables-'))
afterAll(() => rmSync(dir, { recursive: true }))

let files = 0
function table(text: string): string {
  const file = join(dir, `${files++}.csv`)
  writeFileSync(file, text)
  return file
}

describe('csv', () => {
  test('quotes, line breaks in fields, doubled quotes, CRLF and empty lines', async () => {
    const { columns, length } = await csv(table('\ufeffname,note\r\n"a, b","x ""y"" z"\r\n\r\n"two\nlines",\r\n'))
    expect(length).toBe(2)
    expect(columns).toEqual({ name: ['a, b', 'two\nlines'], note: ['x "y" z', ''] })
  })

  test('typed columns, as arrays and in batches', async () => {
    const file = table('w;n;big;ok;kind\n1.5;-2;9223372036854775807;true;a\n-1e3; 7 ;-1;0;b\n')
    const types = { kind: 'string', w: 'f32', n: 'i32', big: 'i64', ok: 'bool' } as const
    const read = await csv(file, { delimiter: ';', columns: types })
    expect(read.columns).toEqual({
      kind: ['a', 'b'],
      w: Float32Array.of(1.5, -1000),
      n: Int32Array.of(-2, 7),
      big: BigInt64Array.of(2n ** 63n - 1n, -1n),
      ok: Uint8Array.of(1, 0),
    })
    for await (const batch of new DataLoader(read, { batchSize: 2 })) {
      expect(batch.kind).toEqual(['a', 'b'])
      expect([batch.w, batch.n, batch.big, batch.ok].map((x) => (x as { dtype: string }).dtype)).toEqual([
        'f32',
        'i32',
        'i64',
        'bool',
      ])
    }
    expect(read.get(1).kind).toBe('b')
    expect(() => read.get(2)).toThrow(ArgumentError)
  })

  test('without types numbers are f32 and all else is text; without a header columns are counted', async () => {
    const { types } = await csv(table('a,b\n1,x\n2,3\n'))
    expect(types).toEqual({ a: 'f32', b: 'string' })
    expect((await csv(table('1,2\n3,4\n'), { header: false })).columns).toEqual({
      0: Float32Array.of(1, 3),
      1: Float32Array.of(2, 4),
    })
    expect((await csv(table(''))).length).toBe(0)
  })

  const bad: [string, string, Record<string, 'f32' | 'i32' | 'i64' | 'bool'> | undefined, RegExp][] = [
    ['a row with another number of fields', 'a,b\n1,2\n3\n', undefined, /line 3: the row has 1 fields, expected 2/],
    ['a quote without an end', 'a\n1\n"open\n\n', undefined, /line 3: a quoted field has no end/],
    ['text behind a quote', 'a\n"x"y\n', undefined, /line 2: there is text behind the closing quote/],
    ['a quote in a field', 'a\nx"y\n', undefined, /line 2: a field has a quote in its middle/],
    ['a field that is no number', 'a\n"1\n"\n2\nx\n', { a: 'f32' }, /line 5: column a must be a number, got "x"/],
    ['an empty number', 'a,b\n1,\n', { b: 'f32' }, /line 2: column b must be a number, got ""/],
    ['an integer too large', 'a\n3000000000\n', { a: 'i32' }, /line 2: column a must be a whole number of 32 bits/],
    ['an i64 too large', 'a\n9223372036854775808\n', { a: 'i64' }, /whole number of 64 bits/],
    ['a boolean that is none', 'a\nyes\n', { a: 'bool' }, /must be true, false, 1 or 0, got "yes"/],
  ]
  test.each(bad)('%s is a FormatError with its line', async (_, text, columns, message) => {
    const error = await csv(table(text), columns ? { columns } : {}).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(FormatError)
    expect((error as Error).message).toMatch(message)
  })

  test('damaged files are read or refused as such, never anything else', async () => {
    const seed = 'name,n,ok\n"a, ""b""",1.5,true\r\nc,-2e3,0\n"two\nlines",7,FALSE\n'
    const next = bits([20260103])
    const pieces = ['"', ',', '\n', '\r', '\ufeff', '""', 'x', '9'.repeat(30), '\0', 'é']
    const columns = { name: 'string', n: 'f64', ok: 'bool' } as const
    let read = 0
    for (let round = 0; round < 2_000; round++) {
      let text = seed
      for (let edits = 1 + (next() % 4); edits > 0; edits--) {
        const at = next() % (text.length + 1)
        const cut = next() % 3 === 0 ? next() % 12 : 0
        text = text.slice(0, at) + pieces[next() % pieces.length]! + text.slice(at + cut)
      }
      const file = join(dir, 'damaged.csv')
      writeFileSync(file, text)
      const outcome: unknown = await csv(file, { columns }).catch((e: unknown) => e)
      if (!(outcome instanceof Error)) read++
      else if (!(outcome instanceof FormatError || outcome instanceof ArgumentError)) throw outcome
    }
    expect(read).toBeGreaterThan(100)
    expect(read).toBeLessThan(1_900)
  })

  test('columns that are not there, types that are none, files that can not be read', async () => {
    await expect(csv(table('a\n1\n'), { columns: { b: 'f32' } })).rejects.toThrow(/columns.b must be one of a/)
    await expect(csv(table('a\n1\n'), { columns: { a: 'int' as never } })).rejects.toThrow(ArgumentError)
    await expect(csv(join(dir, 'none.csv'))).rejects.toThrow(DataError)
  })
})

describe('arrays in files', () => {
  const folder = join(root, 'test', 'reference', 'formats')

  test('idx and npz give datasets', async () => {
    const labels = await idx(join(folder, 'labels.idx'), join(folder, 'labels.idx.gz'))
    expect([labels.length, numbers(labels.get(1)[1]!)]).toEqual([4, [5, 6, 7, 8, 9]])
    const both = await npz(join(folder, 'stored.npz'), ['f2', 'fortran'])
    expect([both.length, both.get(1)[1]!.shape]).toEqual([2, [3, 4]])
    await expect(npz(join(folder, 'stored.npz'), ['no'])).rejects.toThrow(/has no array called no; it has b1, big/)
    await expect(idx(join(folder, 'rgb.png'))).rejects.toThrow(FormatError)
  })
})

describe('cifar10', () => {
  const record = (label: number, value: number) => Buffer.concat([Buffer.from([label]), Buffer.alloc(3072, value)])
  const folderOf = (train: Buffer, tested = record(3, 255)): string => {
    const folder = mkdtempSync(join(dir, 'cifar-'))
    for (let i = 1; i <= 5; i++) writeFileSync(join(folder, `data_batch_${i}.bin`), train)
    writeFileSync(join(folder, 'test_batch.bin'), tested)
    return folder
  }

  test('the binary files are read', async () => {
    const folder = folderOf(Buffer.concat([record(1, 0), record(9, 51)]))
    const train = await cifar10('train', { dir: folder })
    expect(train.length).toBe(10)
    const [x, y] = await train.batch([1, 2])
    expect([x.shape, numbers(y)]).toEqual([
      [2, 3, 32, 32],
      [9, 1],
    ])
    expect(numbers(x)[0]).toBeCloseTo(0.2, 6)
    expect((await cifar10('test', { dir: folder })).length).toBe(1)
  })

  test('damaged files are refused by name', async () => {
    await expect(cifar10('train', { dir: folderOf(record(1, 0).subarray(1)) })).rejects.toThrow(
      /data_batch_1.*3072 bytes/,
    )
    await expect(cifar10('train', { dir: folderOf(record(10, 0)) })).rejects.toThrow(/the label 10 at byte 0/)
    await expect(cifar10('test', { dir: join(dir, 'none') })).rejects.toThrow(/test_batch.bin does not exist/)
    await expect(cifar10('all' as never)).rejects.toThrow(/split/)
  })
})
