/** Tables in CSV files (RFC 4180). */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DataError, FormatError, refuse } from '../native/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { leaf } from '../tensor/create.ts'
import type { BatchedDataset } from './dataset.ts'

/** What a column holds. */
export type ColumnType = 'f32' | 'f64' | 'i32' | 'i64' | 'bool' | 'string'

interface ArrayOf {
  f32: Float32Array
  f64: Float64Array
  i32: Int32Array
  i64: BigInt64Array
  bool: Uint8Array
  string: string[]
}

/** How {@link csv} reads a table. */
export interface CsvOptions<Columns extends Record<string, ColumnType>> {
  /** The columns wanted and their types; all of them when left out, as f32 where every field is a number. */
  columns?: Columns
  /** Whether the first line names the columns. Default true; otherwise they are called 0, 1, …. */
  header?: boolean
  /** Default ','. */
  delimiter?: string
}

/** Typed columns of a table, and its rows as a dataset. */
export class Table<Columns extends Record<string, ColumnType> = Record<string, ColumnType>> implements BatchedDataset<
  { [K in keyof Columns]: Columns[K] extends 'string' ? string : Tensor },
  { [K in keyof Columns]: Columns[K] extends 'string' ? string[] : Tensor }
> {
  readonly columns: { readonly [K in keyof Columns]: ArrayOf[Columns[K]] }
  readonly types: Columns
  readonly length: number

  /** @internal */
  constructor(types: Columns, columns: Record<string, ArrayOf[ColumnType]>, length: number) {
    this.types = types
    this.columns = columns as Table<Columns>['columns']
    this.length = length
  }

  /** One row: strings, and numbers as scalar tensors. */
  get(index: number): { [K in keyof Columns]: Columns[K] extends 'string' ? string : Tensor } {
    return this.#rows([index], (values, code) =>
      code === null ? values[0] : leaf(values as never, code, [], {}),
    ) as never
  }

  /** The rows at `indices`, column by column: strings in a list, numbers as tensors [N]. */
  batch(indices: ArrayLike<number>): { [K in keyof Columns]: Columns[K] extends 'string' ? string[] : Tensor } {
    return this.#rows(indices, (values, code) => {
      return code === null ? values : leaf(values as never, code, [indices.length], {})
    }) as never
  }

  #rows(indices: ArrayLike<number>, make: (values: ArrayOf[ColumnType], code: number | null) => unknown): object {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!
      if (!Number.isInteger(index) || index < 0 || index >= this.length) {
        refuse('Table', 'index', `an integer from 0 to ${this.length - 1}`, index)
      }
    }
    return Object.fromEntries(
      Object.entries(this.types).map(([name, type]) => {
        const all = this.columns[name]!
        const picked = allocate(type, indices.length)
        for (let i = 0; i < indices.length; i++) picked[i] = all[indices[i]!]!
        return [name, make(picked, CODES[type])]
      }),
    )
  }
}

const CODES: Record<ColumnType, number | null> = { f32: 0, f64: 1, i32: 2, i64: 3, bool: 5, string: null }

function allocate(type: ColumnType, size: number): ArrayOf[ColumnType] {
  switch (type) {
    case 'f32':
      return new Float32Array(size)
    case 'f64':
      return new Float64Array(size)
    case 'i32':
      return new Int32Array(size)
    case 'i64':
      return new BigInt64Array(size)
    case 'bool':
      return new Uint8Array(size)
    default:
      return Array<string>(size).fill('')
  }
}

interface Row {
  line: number
  fields: string[]
}

class Reader {
  constructor(
    readonly file: string,
    readonly delimiter: string,
  ) {}

  fault(line: number, what: string, expected: string, received?: string): never {
    throw new FormatError(`csv: ${this.file}, line ${line}: ${what}`, {
      op: 'csv',
      argument: `line ${line}`,
      expected,
      ...(received !== undefined && { received }),
    })
  }

  /** The rows of `text`; empty lines are left out. */
  rows(text: string): Row[] {
    const rows: Row[] = []
    const { delimiter } = this
    let [at, line] = [text.startsWith('\ufeff') ? 1 : 0, 1]
    while (at < text.length) {
      const row: Row = { line, fields: [] }
      for (;;) {
        let field = ''
        if (text[at] === '"') {
          const opened = line
          for (at++; ; at++) {
            const end = text.indexOf('"', at)
            if (end < 0) this.fault(opened, 'a quoted field has no end', 'a closing quote')
            const piece = text.slice(at, end)
            field += piece
            line += piece.split('\n').length - 1
            at = end + 1
            if (text[at] !== '"') break
            field += '"'
          }
          if (at < text.length && !text.startsWith(delimiter, at) && !/[\r\n]/.test(text[at]!)) {
            this.fault(line, 'there is text behind the closing quote of a field', `${delimiter} or the end of the line`)
          }
        } else {
          const from = at
          while (at < text.length && text[at] !== '\n' && text[at] !== '\r' && !text.startsWith(delimiter, at)) at++
          field = text.slice(from, at)
          if (field.includes('"'))
            this.fault(line, 'a field has a quote in its middle', 'quotes around the whole field')
        }
        row.fields.push(field)
        if (!text.startsWith(delimiter, at) || at >= text.length) break
        at += delimiter.length
      }
      if (text[at] === '\r') at++
      if (text[at] === '\n') at++
      line++
      if (row.fields.length > 1 || row.fields[0] !== '') rows.push(row)
    }
    return rows
  }

  value(type: ColumnType, text: string, line: number, name: string): number | bigint | string {
    if (type === 'string') return text
    const wrong = (expected: string) =>
      this.fault(line, `column ${name} must be ${expected}, got ${JSON.stringify(text)}`, expected, text)
    const trimmed = text.trim()
    if (type === 'bool') {
      const known = ['false', 'true', '0', '1'].indexOf(trimmed.toLowerCase())
      return known < 0 ? wrong('true, false, 1 or 0') : known % 2
    }
    if (type === 'i64') {
      const whole = /^[+-]?\d{1,19}$/.test(trimmed) ? BigInt(trimmed.replace('+', '')) : null
      return whole === null || BigInt.asIntN(64, whole) !== whole ? wrong('a whole number of 64 bits') : whole
    }
    const number = isNumber(trimmed) ? Number(trimmed) : undefined
    if (number === undefined) return wrong(type === 'i32' ? 'a whole number' : 'a number')
    if (type === 'i32' && (number | 0) !== number) return wrong('a whole number of 32 bits')
    return number
  }
}

function isNumber(text: string): boolean {
  return /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|[+-]?infinity)$/i.test(text)
}

/**
 * The columns of a CSV file with typed fields; fields in quotes may hold delimiters, line breaks and doubled quotes.
 *
 *     const iris = await csv('iris.csv', { columns: { width: 'f32', species: 'string' } })
 *     iris.columns.width   // Float32Array
 *
 * Throws a DataError where the file can't be read, a FormatError with the line where a row has another number of fields
 * or a field doesn't fit its type, an ArgumentError where a column doesn't exist.
 */
export async function csv<const Columns extends Record<string, ColumnType> = Record<string, ColumnType>>(
  file: string,
  options: CsvOptions<Columns> = {},
): Promise<Table<Columns>> {
  if (typeof file !== 'string' || file === '') refuse('csv', 'file', 'a path', file)
  const { columns, header = true, delimiter = ',' } = options
  if (typeof delimiter !== 'string' || delimiter.length === 0 || /["\r\n]/.test(delimiter)) {
    refuse('csv', 'delimiter', 'a character other than quotes and line breaks', delimiter)
  }
  for (const [name, type] of Object.entries(columns ?? {})) {
    if (!(type in CODES)) refuse('csv', `columns.${name}`, `one of ${Object.keys(CODES).join(', ')}`, type)
  }
  const path = resolve(file)
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new DataError(`csv: ${path} can't be read: ${error.message}`, { op: 'csv', argument: 'file' })
  })
  const reader = new Reader(path, delimiter)
  const rows = reader.rows(text)
  const first = rows[0]
  const names = header ? (first?.fields ?? []) : (first?.fields ?? []).map((_, i) => String(i))
  if (header) rows.shift()
  for (const { line, fields } of rows) {
    if (fields.length === names.length) continue
    reader.fault(
      line,
      `the row has ${fields.length} fields, expected ${names.length}`,
      `${names.length} fields`,
      String(fields.length),
    )
  }
  const types = columns ?? inferred(names, rows)
  const filled = Object.entries(types).map(([name, type]) => {
    const at = names.indexOf(name)
    if (at < 0) refuse('csv', `columns.${name}`, `one of ${names.join(', ')}`, name)
    const values = allocate(type, rows.length)
    rows.forEach(({ line, fields }, i) => (values[i] = reader.value(type, fields[at]!, line, name)))
    return [name, values] as const
  })
  return new Table(types as Columns, Object.fromEntries(filled), rows.length)
}

function inferred(names: readonly string[], rows: readonly Row[]): Record<string, ColumnType> {
  const type = (at: number) => (rows.every(({ fields }) => isNumber(fields[at]!.trim())) ? 'f32' : 'string')
  return Object.fromEntries(names.map((name, at) => [name, type(at)]))
}
