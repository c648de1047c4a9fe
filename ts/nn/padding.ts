/** Padding of signals, images and volumes as modules. */
import { refuse } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { pad, type PadMode } from '../tensor/padding.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** How much stands on both ends of a signal, or on each; negative cuts off. */
export type Ends = number | readonly [left: number, right: number]
/** How much stands on all sides of an image, or on each; negative cuts off. */
export type Sides = number | readonly [left: number, right: number, top: number, bottom: number]
/** How much stands on all faces of a volume, or on each; negative cuts off. */
export type Faces =
  number | readonly [left: number, right: number, top: number, bottom: number, front: number, back: number]

const NAMES = ['left', 'right', 'top', 'bottom', 'front', 'back']
const SHAPES = ['[N, C, L]', '[N, C, H, W]', '[N, C, D, H, W]']

/** Something around tensors of `dims` dimensions behind batch and channel. */
abstract class Padding extends Module {
  readonly sides: readonly number[]

  constructor(
    readonly dims: 1 | 2 | 3,
    padding: number | readonly number[],
    readonly mode: PadMode,
    readonly value = 0,
  ) {
    super()
    const sides = typeof padding === 'number' ? Array.from({ length: 2 * dims }, () => padding) : padding
    if (!Array.isArray(sides) || sides.length !== 2 * dims || !sides.every(Number.isSafeInteger)) {
      const names = NAMES.slice(0, 2 * dims)
      const each = `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`
      refuse(new.target.name, 'padding', `a whole number, or one for each of ${each}`, padding)
    }
    this.sides = sides
  }

  forward(x: Tensor): Tensor {
    if (!isTensor(x) || x.rank !== this.dims + 2) {
      refuse(this.constructor.name, 'x', `a Tensor of shape ${SHAPES[this.dims - 1]!}`, x)
    }
    return pad(x, this.sides, { mode: this.mode, value: this.value })
  }
}

/** One number around signals [N, C, L]. */
export class ConstantPad1d extends Padding {
  constructor(padding: Ends, value: number) {
    super(1, padding, 'constant', value)
  }
}

/** Zeros around signals [N, C, L]. */
export class ZeroPad1d extends Padding {
  constructor(padding: Ends) {
    super(1, padding, 'constant')
  }
}

/** Signals [N, C, L] mirrored at their ends, which aren't repeated. */
export class ReflectionPad1d extends Padding {
  constructor(padding: Ends) {
    super(1, padding, 'reflect')
  }
}

/** Signals [N, C, L] with their ends repeated. */
export class ReplicationPad1d extends Padding {
  constructor(padding: Ends) {
    super(1, padding, 'replicate')
  }
}

/** Signals [N, C, L] as one tile of many. */
export class CircularPad1d extends Padding {
  constructor(padding: Ends) {
    super(1, padding, 'circular')
  }
}

/** One number around images [N, C, H, W]. */
export class ConstantPad2d extends Padding {
  constructor(padding: Sides, value: number) {
    super(2, padding, 'constant', value)
  }
}

/** Zeros around images [N, C, H, W]. */
export class ZeroPad2d extends Padding {
  constructor(padding: Sides) {
    super(2, padding, 'constant')
  }
}

/** Images [N, C, H, W] mirrored at their edges, which aren't repeated. */
export class ReflectionPad2d extends Padding {
  constructor(padding: Sides) {
    super(2, padding, 'reflect')
  }
}

/** Images [N, C, H, W] with their edges repeated. */
export class ReplicationPad2d extends Padding {
  constructor(padding: Sides) {
    super(2, padding, 'replicate')
  }
}

/** Images [N, C, H, W] as one tile of many. */
export class CircularPad2d extends Padding {
  constructor(padding: Sides) {
    super(2, padding, 'circular')
  }
}

/** One number around volumes [N, C, D, H, W]. */
export class ConstantPad3d extends Padding {
  constructor(padding: Faces, value: number) {
    super(3, padding, 'constant', value)
  }
}

/** Zeros around volumes [N, C, D, H, W]. */
export class ZeroPad3d extends Padding {
  constructor(padding: Faces) {
    super(3, padding, 'constant')
  }
}

/** Volumes [N, C, D, H, W] mirrored at their faces, which aren't repeated. */
export class ReflectionPad3d extends Padding {
  constructor(padding: Faces) {
    super(3, padding, 'reflect')
  }
}

/** Volumes [N, C, D, H, W] with their faces repeated. */
export class ReplicationPad3d extends Padding {
  constructor(padding: Faces) {
    super(3, padding, 'replicate')
  }
}

/** Volumes [N, C, D, H, W] as one tile of many. */
export class CircularPad3d extends Padding {
  constructor(padding: Faces) {
    super(3, padding, 'circular')
  }
}
