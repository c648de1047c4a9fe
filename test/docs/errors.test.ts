/** docs/errors.md lists every error class with its code, and every field that errors carry. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import * as fovea from 'fovea'
import { customFunction, detectAnomaly, full, gradcheck, nn, optim, randn, tensor, zeros, type Tensor } from 'fovea'
import { DataLoader } from 'fovea/data'
import { loadWeights } from 'fovea/formats'
import * as errors from '../../ts/native/errors.ts'
import { linesOf } from './snippets.ts'

type ErrorClass = { readonly name: string; readonly code: string }

const isErrorClass = (value: unknown): value is ErrorClass =>
  value === fovea.FoveaError || (typeof value === 'function' && value.prototype instanceof fovea.FoveaError)

const classes = (Object.values(errors) as unknown[]).filter(isErrorClass)

interface Row {
  code: string
  when: string
  fields: string[]
  cure: string
}

/** The rows of the table of classes, by class. */
const rows = new Map<string, Row>(
  linesOf('docs/errors.md').flatMap((line) => {
    const [, name, code, when, fields, cure] = line.split('|').map((cell) => cell.trim())
    if (!/^`\w*Error`$/.test(name ?? '')) return []
    const words = [...fields!.matchAll(/`(\w+)`/g)].map((match) => match[1]!)
    return [[name!.slice(1, -1), { code: code!.slice(1, -1), when: when!, fields: words, cure: cure! }] as const]
  }),
)

/** The fields that the first table explains. */
const explained = new Set(
  linesOf('docs/errors.md')
    .filter((line) => /^\| `[a-z]/.test(line))
    .flatMap((line) => [...line.split('|')[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!)),
)

test('the classes and codes are those that exist', () => {
  const listed = [...rows].map(([name, { code }]) => `${name} ${code}`)
  expect(listed).toEqual(classes.map(({ name, code }) => `${name} ${code}`))
  expect(new Set(classes.map(({ code }) => code)).size).toBe(classes.length)
  for (const { when, cure, fields: named } of rows.values()) {
    expect(Math.min(when.length, cure.length)).toBeGreaterThan(10)
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((field) => !explained.has(field))).toEqual([])
  }
})

test('every class is exported by fovea', () => {
  expect(new Set(Object.values(fovea).filter(isErrorClass))).toEqual(new Set(classes))
})

const dir = mkdtempSync(join(tmpdir(), 'fovea-errors-'))
afterAll(() => rmSync(dir, { recursive: true }))

class Forgetful extends nn.Module {
  override forward(x: Tensor): Tensor {
    return new nn.Linear(4, 2).forward(x)
  }
}

async function staleValue(): Promise<unknown> {
  const layer = new nn.Linear(64, 64)
  const optimizer = new optim.SGD(layer, { lr: 0.1 })
  const hidden = randn([64, 64]).matmul(layer.weight)
  hidden.square().mean().backward()
  await optimizer.step()
  return hidden.data()
}

const wrongDouble = customFunction({ forward: (x) => x.mul(2), backward: ([g]) => [g!] })
const failing = {
  length: 1,
  get(): number {
    throw new Error('no such item')
  },
}

const provoked: Record<string, () => unknown> = {
  ShapeError: () => new nn.Sequential(new nn.Linear(3, 2)).forward(zeros([2, 4])),
  DTypeError: () => zeros([2, 2], { dtype: 'i32' }).matmul(zeros([2, 2], { dtype: 'i32' })),
  DeviceError: () => zeros([2], { device: 'gpu:900' }).data(),
  ArgumentError: () => zeros([2, 3]).sum({ axis: 1 } as never),
  StaleValueError: staleValue,
  DisposedError: () => {
    const x = zeros([1])
    x.dispose()
    return x.data()
  },
  OutOfMemoryError: () =>
    full([2 ** 20, 2 ** 25], 1)
      .add(1)
      .max()
      .data(),
  FormatError: () => {
    writeFileSync(join(dir, 'text.safetensors'), 'not weights')
    return loadWeights(join(dir, 'text.safetensors'))
  },
  DataError: async () => {
    for await (const batch of new DataLoader(failing)) return batch
    return null
  },
  ModuleError: () => new nn.Sequential(new Forgetful()).forward(zeros([1, 4])),
  GradientError: () => gradcheck(wrongDouble, tensor([1, 2], { dtype: 'f64' })),
  AnomalyError: () => detectAnomaly(() => zeros([1]).log()),
}

describe('fields', () => {
  test.each(Object.entries(provoked))('%s carries no others than its row names', async (name, provoke) => {
    const error = await (async () => provoke())().then(
      () => null,
      (e: unknown) => e,
    )
    expect((error as Error).constructor.name).toBe(name)
    const carried = Object.keys(error as object).filter((key) => !['name', 'code'].includes(key))
    const listed = rows.get(name)!.fields
    expect(carried.filter((field) => !listed.includes(field))).toEqual([])
  })
})
