/** One number for height and width, or one for each. */
export type Pair = number | readonly [height: number, width: number]

/** Height and width. */
export function pair(value: Pair): [height: number, width: number] {
  return typeof value === 'number' ? [value, value] : [value[0], value[1]]
}
