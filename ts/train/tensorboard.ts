/**
 * Event files that TensorBoard opens: records framed with CRC-32C, each an `Event` message.
 *
 * Messages: tensorboard/compat/proto/event.proto and summary.proto.
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { DataError, refuse } from '../native/errors.ts'
import { globalStep } from './events.ts'
import type { Callback } from './fit.ts'

/** CRC-32C (Castagnoli), polynomial 0x1EDC6F41 reflected. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** As TFRecord files mask it. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Fields of a protocol buffer message; as in any, plain numbers that are 0 are left out. */
class Message {
  readonly #parts: Buffer[] = []

  #key(field: number, wire: number): void {
    this.#parts.push(varint(field * 8 + wire))
  }

  int(field: number, value: number): this {
    if (value === 0) return this
    this.#key(field, 0)
    this.#parts.push(varint(value))
    return this
  }

  double(field: number, value: number): this {
    if (Object.is(value, 0)) return this
    this.#key(field, 1)
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(value)
    this.#parts.push(bytes)
    return this
  }

  /** Of a choice of fields: written though it is 0. */
  float(field: number, value: number): this {
    this.#key(field, 5)
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    this.#parts.push(bytes)
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#key(field, 2)
    this.#parts.push(varint(value.length), Buffer.from(value))
    return this
  }

  text(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value))
  }

  doubles(field: number, values: readonly number[]): this {
    const packed = Buffer.alloc(8 * values.length)
    values.forEach((v, i) => packed.writeDoubleLE(v, 8 * i))
    return this.bytes(field, packed)
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A whole number below 2^53, seven bits a byte. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

function framed(data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeBigUInt64LE(BigInt(data.length))
  head.writeUInt32LE(masked(head.subarray(0, 8)), 8)
  const foot = Buffer.alloc(4)
  foot.writeUInt32LE(masked(data))
  return Buffer.concat([head, data, foot])
}

/** Buckets in a histogram. */
const BUCKETS = 30

/** One event file; every record is on its way to the disk when the call returns. */
export class TensorBoardWriter {
  readonly file: string
  readonly #out: number
  readonly #now: () => number

  /** Makes `dir` and a file in it. Throws a DataError where that can't be done. `now` gives seconds since 1970. */
  constructor(dir: string, now: () => number = () => Date.now() / 1000) {
    if (typeof dir !== 'string' || dir === '') refuse('TensorBoardWriter', 'dir', 'a path', dir)
    this.#now = now
    const began = now()
    const name = `events.out.tfevents.${Math.floor(began)}.${hostname()}.${process.pid}.${files++}`
    this.file = join(resolve(dir), name)
    try {
      mkdirSync(resolve(dir), { recursive: true })
      this.#out = openSync(this.file, 'w')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new DataError(`TensorBoardWriter: ${this.file} can't be written: ${reason}`, {
        op: 'TensorBoardWriter',
        argument: 'dir',
      })
    }
    this.#write(new Message().double(1, began).text(3, 'brain.Event:2').done())
  }

  #write(event: Buffer): void {
    writeSync(this.#out, framed(event))
  }

  #value(step: number, value: Buffer): void {
    if (!Number.isSafeInteger(step) || step < 0) refuse('TensorBoardWriter', 'step', 'a whole number from 0 on', step)
    const summary = new Message().bytes(1, value).done()
    this.#write(new Message().double(1, this.#now()).int(2, step).bytes(5, summary).done())
  }

  /** One number at a step. */
  scalar(tag: string, value: number, step: number): void {
    this.#value(step, new Message().text(1, tag).float(2, value).done())
  }

  /** How numbers are distributed at a step, in buckets of equal width. Numbers that are not finite are left out. */
  histogram(tag: string, values: ArrayLike<number>, step: number): void {
    const finite = Array.from(values).filter(Number.isFinite)
    if (finite.length === 0) return
    const low = finite.reduce((a, b) => Math.min(a, b))
    const high = finite.reduce((a, b) => Math.max(a, b))
    const buckets = low === high ? 1 : BUCKETS
    const counts = Array<number>(buckets).fill(0)
    for (const v of finite) counts[Math.min(buckets - 1, Math.floor(((v - low) / (high - low || 1)) * buckets))]!++
    const limits = counts.map((_, i) => (i + 1 === buckets ? high : low + ((high - low) * (i + 1)) / buckets))
    const histogram = new Message()
      .double(1, low)
      .double(2, high)
      .double(3, finite.length)
      .double(
        4,
        finite.reduce((a, b) => a + b, 0),
      )
      .double(
        5,
        finite.reduce((a, b) => a + b * b, 0),
      )
      .doubles(6, limits)
      .doubles(7, counts)
      .done()
    this.#value(step, new Message().text(1, tag).bytes(5, histogram).done())
  }

  /** Closes the file. */
  close(): void {
    closeSync(this.#out)
  }
}

/** Writers of one process in one second get names of their own. */
let files = 0

/**
 * A callback that writes an event file into `dir`: loss and learning rate of every step, the figures of every epoch
 * (`train/…`, `validation/…`) and, where asked, histograms of the parameters.
 */
export function tensorBoard(dir: string, options: { histograms?: boolean } = {}): Callback {
  let writer: TensorBoardWriter | undefined
  let step = 0
  return async (event, { model }) => {
    writer ??= new TensorBoardWriter(dir)
    if (event.type === 'step') {
      step = globalStep(event, step)
      writer.scalar('step/loss', event.loss, step)
      writer.scalar('step/lr', event.lr, step)
    }
    if (event.type === 'epoch') {
      for (const [name, value] of Object.entries(event.training)) writer.scalar(`train/${name}`, value, event.epoch)
      for (const [name, value] of Object.entries(event.validation ?? {})) {
        writer.scalar(`validation/${name}`, value, event.epoch)
      }
      for (const [name, parameter] of options.histograms ? model.namedParameters() : []) {
        writer.histogram(name, (await parameter.data()) as Float32Array, event.epoch)
      }
    }
    if (event.type === 'end') writer.close()
  }
}
