/** Padding of images as modules. */
import { pad } from '../generated/ops.ts'
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { cropped } from './functional/conv.ts'
import { type PaddingMode, padWith } from './functional/padding.ts'
import { Module } from './module.ts'

/** How much stands on all sides, or on each; negative cuts off. */
export type Sides = number | readonly [left: number, right: number, top: number, bottom: number]

/** Top, bottom, left and right. */
function edgesOf(op: string, sides: Sides): number[] {
  const all = typeof sides === 'number' ? [sides, sides, sides, sides] : sides
  if (!Array.isArray(all) || all.length !== 4 || !all.every(Number.isSafeInteger)) {
    refuse(op, 'padding', 'a whole number, or one for each of left, right, top and bottom', sides)
  }
  const [left, right, top, bottom] = all as [number, number, number, number]
  return [top, bottom, left, right]
}

function image(op: string, x: Tensor): Tensor {
  return isTensor(x) && x.rank === 4 ? x : refuse(op, 'x', 'a Tensor of shape [N, C, H, W]', x)
}

abstract class NumberPad2d extends Module {
  readonly edges: readonly number[]

  constructor(
    padding: Sides,
    readonly value: number,
  ) {
    super()
    this.edges = edgesOf(this.constructor.name, padding)
  }

  forward(x: Tensor): Tensor {
    const inner = cropped(image(this.constructor.name, x), this.edges, this.constructor.name)
    return pad(inner, [0, 0, 0, 0, ...this.edges.map((e) => Math.max(e, 0))], { value: this.value })
  }
}

/** One number around images [N, C, H, W]. */
export class ConstantPad2d extends NumberPad2d {}

/** Zeros around images [N, C, H, W]. */
export class ZeroPad2d extends NumberPad2d {
  constructor(padding: Sides) {
    super(padding, 0)
  }
}

/** What an image's neighbourhood is made of, by the image. */
abstract class ModePad2d extends Module {
  readonly edges: readonly number[]

  constructor(
    padding: Sides,
    readonly mode: PaddingMode,
  ) {
    super()
    this.edges = edgesOf(this.constructor.name, padding)
  }

  forward(x: Tensor): Tensor {
    return padWith(image(this.constructor.name, x), [0, 0, 0, 0, ...this.edges], this.mode)
  }
}

/** Images [N, C, H, W] mirrored at their edges, which aren't repeated. */
export class ReflectionPad2d extends ModePad2d {
  constructor(padding: Sides) {
    super(padding, 'reflect')
  }
}

/** Images [N, C, H, W] with their edges repeated. */
export class ReplicationPad2d extends ModePad2d {
  constructor(padding: Sides) {
    super(padding, 'replicate')
  }
}

/** Images [N, C, H, W] as one tile of many. */
export class CircularPad2d extends ModePad2d {
  constructor(padding: Sides) {
    super(padding, 'circular')
  }
}
