import { refuse } from '../../native/errors.ts'

/** One number for height and width, or one for each. */
export type Pair = number | readonly [height: number, width: number]

/** One number for depth, height and width, or one for each. */
export type Triple = number | readonly [depth: number, height: number, width: number]

/** `count` whole numbers from `least` on, or an ArgumentError. */
function several(value: number | readonly number[], count: number, op: string, argument: string, least: number) {
  const list = typeof value === 'number' ? Array.from({ length: count }, () => value) : value
  const fits = Array.isArray(list) && list.length === count && list.every((v) => Number.isSafeInteger(v) && v >= least)
  return fits ? list : refuse(op, argument, `a whole number from ${least} on, or ${count} of them`, value)
}

/** Height and width; whole numbers from `least` on, or an ArgumentError. */
export function pair(value: Pair, op: string, argument: string, least = 0): [height: number, width: number] {
  const [height, width] = several(value, 2, op, argument, least)
  return [height!, width!]
}

/** Depth, height and width; whole numbers from `least` on, or an ArgumentError. */
export function triple(
  value: Triple,
  op: string,
  argument: string,
  least = 0,
): [depth: number, height: number, width: number] {
  const [depth, height, width] = several(value, 3, op, argument, least)
  return [depth!, height!, width!]
}
