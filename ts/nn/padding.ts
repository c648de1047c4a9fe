/** Padding of images as modules. */
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { pad, type PadMode } from '../tensor/padding.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** How much stands on all sides, or on each; negative cuts off. */
export type Sides = number | readonly [left: number, right: number, top: number, bottom: number]

/** Something around images [N, C, H, W]. */
abstract class Pad2d extends Module {
  readonly sides: readonly number[]

  constructor(
    padding: Sides,
    readonly mode: PadMode,
    readonly value = 0,
  ) {
    super()
    const sides = typeof padding === 'number' ? [padding, padding, padding, padding] : padding
    if (!Array.isArray(sides) || sides.length !== 4 || !sides.every(Number.isSafeInteger)) {
      refuse(new.target.name, 'padding', 'a whole number, or one for each of left, right, top and bottom', padding)
    }
    this.sides = sides
  }

  forward(x: Tensor): Tensor {
    if (!isTensor(x) || x.rank !== 4) refuse(this.constructor.name, 'x', 'a Tensor of shape [N, C, H, W]', x)
    return pad(x, this.sides, { mode: this.mode, value: this.value })
  }
}

/** One number around images [N, C, H, W]. */
export class ConstantPad2d extends Pad2d {
  constructor(padding: Sides, value: number) {
    super(padding, 'constant', value)
  }
}

/** Zeros around images [N, C, H, W]. */
export class ZeroPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, 'constant')
  }
}

/** Images [N, C, H, W] mirrored at their edges, which aren't repeated. */
export class ReflectionPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, 'reflect')
  }
}

/** Images [N, C, H, W] with their edges repeated. */
export class ReplicationPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, 'replicate')
  }
}

/** Images [N, C, H, W] as one tile of many. */
export class CircularPad2d extends Pad2d {
  constructor(padding: Sides) {
    super(padding, 'circular')
  }
}
