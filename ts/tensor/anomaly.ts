/** Finding where a NaN or an infinity comes from. */
import { reshape } from '../generated/ops.ts'
import { native, scratch } from '../native/addon.ts'
import { AnomalyError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { allocate } from '../native/types.ts'
import { callingLine } from '../native/trace.ts'
import { location, watching } from '../native/watch.ts'
import type { TensorLike } from '../native/write.ts'
import { computed, gradientsWatch } from './autograd.ts'
import { inScope } from './structure.ts'
import type { Tensor } from './tensor.ts'

/** A tensor on its way into an op: of the same value, and nobody else's, so that its gradient is what the op gave. */
interface Edge {
  name: string
  x: Tensor
  edge: Tensor
}

/** An op that was recorded. */
interface Call {
  op: string
  edges: Edge[]
  /** Numbers among the inputs that are no finite ones. */
  numbers: number[]
  outputs: readonly Tensor[]
  path: string
  source: string
}

/** What of a value is not a finite number; the place is that of the first NaN, or else of the first infinity. */
interface Findings {
  nan: boolean
  infinite: boolean
  place: number
  value: number
}

const FINITE: Findings = { nan: false, infinite: false, place: -1, value: 0 }
const isFloat = (x: Tensor) => x.dtype === 'f32' || x.dtype === 'f64'

/** What of the values of `x`, which exist, is not finite. */
function findings(x: Tensor): Findings {
  if (!isFloat(x) || x.size === 0) return FINITE
  const data = allocate(x._dtype, x.size) as Float32Array | Float64Array
  native.copyOut(x._now()._id, data)
  const nan = data.findIndex(Number.isNaN)
  const infinite = data.findIndex((v) => v === Infinity || v === -Infinity)
  const place = nan >= 0 ? nan : infinite
  return place < 0 ? FINITE : { nan: nan >= 0, infinite: infinite >= 0, place, value: data[place]! }
}

/** Whether something that gave `before` and became `after` made a NaN, or an infinity from finite numbers. */
function makes(before: readonly Findings[], after: Findings): boolean {
  if (after.nan) return !before.some((f) => f.nan)
  return after.infinite && !before.some((f) => f.nan || f.infinite)
}

function where(place: number, shape: readonly number[]): string {
  const index: number[] = []
  let rest = place
  for (let d = shape.length - 1; d >= 0; d--) {
    index.unshift(rest % shape[d]!)
    rest = Math.floor(rest / shape[d]!)
  }
  return shape.length === 0 ? '' : ` at [${index.join(', ')}] of shape [${shape.join(', ')}]`
}

function fail(call: Call, what: string, { value, place }: Findings, shape: readonly number[]): never {
  const lines = call.source === '' ? '' : `, called from ${call.source}`
  throw new AnomalyError(`${call.op} ${what} ${value}${where(place, shape)}${lines}`, {
    op: call.op,
    expected: 'finite numbers',
    received: String(value),
    ...(call.path === '' ? {} : { modulePath: call.path }),
    ...(call.source === '' ? {} : { source: call.source }),
  })
}

/** Looks on for one call of {@link detectAnomaly}. */
class Anomalies {
  readonly calls: Call[] = []
  private checked = 0
  private edges: Edge[] = []
  private numbers: number[] = []
  private op = ''

  input(x: TensorLike, at: number, op: string, name: string): TensorLike {
    if (at === 1) [this.edges, this.numbers] = [[], []]
    this.op = op
    if (typeof x === 'number' && !Number.isFinite(x)) this.numbers.push(x)
    if (!isTensor(x) || !isFloat(x)) return x
    // Recording the edge writes over what stands in scratch already.
    const before = scratch.slice(0, at)
    const edge = aside(() => reshape(x, x.shape))
    scratch.set(before)
    this.edges.push({ name, x, edge })
    return edge
  }

  recorded(outputs: readonly Tensor[]): void {
    const { op, edges, numbers } = this
    this.calls.push({ op, edges, numbers, outputs, path: location.path(), source: callingLine() })
    ;[this.edges, this.numbers, this.op] = [[], [], 'a creation op']
  }

  /** Checks the values of all calls that haven't been checked, in the order in which they were made. */
  values(): void {
    const fresh = this.calls.slice(this.checked)
    this.checked = this.calls.length
    const wanted = fresh.flatMap((c) => [...c.edges.map((e) => e.edge), ...c.outputs]).filter(isFloat)
    if (wanted.length > 0) native.evaluateSync(wanted.map((x) => x._id))
    const made = new Set(this.calls.flatMap((c) => c.outputs))
    for (const call of fresh) {
      const inputs = call.edges.map((e) => findings(e.edge))
      const given = call.numbers.map((v) => ({ ...FINITE, nan: Number.isNaN(v), infinite: !Number.isNaN(v) }))
      call.edges.forEach(({ x, name }, i) => {
        if (inputs[i]!.nan && !made.has(x)) fail(call, `is given ${name} with`, inputs[i]!, x.shape)
      })
      for (const y of call.outputs) {
        const found = findings(y)
        if (makes([...inputs, ...given], found)) fail(call, 'makes', found, y.shape)
      }
    }
  }

  /** Checks the gradients that the calls will give to their inputs, from the last call to the first. */
  gradients(outputs: readonly Tensor[], cotangents: readonly (Tensor | null)[]): void {
    this.values()
    const calls = this.calls.filter((c) => c.edges.some((e) => e.edge.requiresGrad))
    const wanted = [...new Set(calls.flatMap((c) => [...c.edges.map((e) => e.edge), ...c.outputs]))].filter(
      (x) => x.requiresGrad,
    )
    if (wanted.length === 0) return
    const roots = outputs.map((y, i) => [y, cotangents[i] ?? null] as const)
    const found = new Map<Tensor, Tensor>()
    // As many at a time as fit the boundary.
    const most = scratch.length - 16
    for (let i = 0; i < wanted.length; i += most) {
      const part = wanted.slice(i, i + most)
      computed(roots, part, false).forEach((g, k) => void (g && found.set(part[k]!, g)))
    }
    native.evaluateSync([...found.values()].map((g) => g._id))
    const of = (x: Tensor) => (found.has(x) ? findings(found.get(x)!) : FINITE)
    for (const call of calls.toReversed()) {
      const incoming = call.outputs.map(of)
      for (const { name, edge } of call.edges) {
        const g = of(edge)
        if (makes(incoming, g)) fail(call, `makes a gradient towards ${name} of`, g, edge.shape)
      }
    }
  }
}

/** Runs `work` while nobody looks on. */
function aside<T>(work: () => T): T {
  const [watcher, before] = [watching.now, gradientsWatch.before]
  watching.now = null
  gradientsWatch.before = null
  try {
    return work()
  } finally {
    watching.now = watcher
    gradientsWatch.before = before
  }
}

/**
 * Runs `fn` and computes everything that it records, to find the first op that makes a NaN, or an infinity from finite
 * numbers, as a value or in `backward` and `grad`. It throws an AnomalyError with the op, the module's path in the model
 * and the line that called it. An infinity that is given to an op as a number (as in masks) is taken as meant.
 *
 * For looking for faults: it is slow, and keeps every value until it is done.
 */
export function detectAnomaly<T>(fn: () => T): T {
  const anomalies = new Anomalies()
  const [watcher, before] = [watching.now, gradientsWatch.before]
  watching.now = anomalies
  gradientsWatch.before = (outputs, cotangents) => aside(() => anomalies.gradients(outputs, cotangents))
  const result = inScope('detectAnomaly', fn, () => {
    watching.now = watcher
    gradientsWatch.before = before
  })
  anomalies.values()
  return result
}
