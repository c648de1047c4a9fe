/** What a timed case is, for us and for the libraries that we are compared with. */
import { materialize, type Tensor } from 'fovea'
import { native } from '../../ts/native/addon.ts'

export type Family = 'gemm' | 'convolution' | 'elementwise' | 'training'

/** What benches/compare/peer.py makes the same case of. */
export type PeerSpec = { kind: string } & Record<string, unknown>

/** Bytes that must be moved at least if nothing is in a cache: operands once, results once. */
export interface Bytes {
  read: number
  written: number
}

/** A case that is ready to run. */
export interface Running {
  /** One call to completion. Whatever it computes is new: nothing of a call before is found again. */
  call(): void | Promise<void>
  /** Ends the values that the calls read. */
  end(): void
}

export interface Case {
  family: Family
  /** The same for every library. */
  name: string
  /** A way that a user of ours may take, such as images kept channels-last; none is what comes by itself. */
  variant?: string
  /** Floating-point operations, a multiply-add being two; null where they say nothing. */
  flops: number | null
  bytes: Bytes | null
  peer: PeerSpec
  /** The peer's ways of doing it; the first is what its user gets without asking. */
  forms: readonly string[]
  make(): Promise<Running>
}

/** A case that is not run, and why. */
export interface Missing {
  name: string
  reason: string
}

/** Computes `values` on this thread, as eager libraries do, and lets go of them. */
export function compute(...values: Tensor[]): void {
  native.evaluateSync(values.map((x) => x._id))
  for (const x of values) x.dispose()
}

/** The case that `call` is, whose `inputs` exist from then on. */
export async function running(inputs: readonly Tensor[], call: Running['call']): Promise<Running> {
  await materialize(...inputs)
  return { call, end: () => inputs.forEach((x) => x.dispose()) }
}

/** Bytes of f32 values. */
export const floats = (...counts: number[]): number => 4 * counts.reduce((a, b) => a + b, 0)

export const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
