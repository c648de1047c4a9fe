/** Sums of products in Einstein's notation. */
import * as ops from '../generated/ops.ts'
import { ArgumentError, refuse, ShapeError } from '../native/errors.ts'
import { isTensor } from '../native/record.ts'
import { diagonal } from './matrices.ts'
import type { Tensor } from './tensor.ts'

/** A tensor and the letter of each of its dimensions. */
interface Term {
  x: Tensor
  letters: string[]
}

function fault(equation: string, what: string, expected: string): never {
  const fields = { op: 'einsum', argument: 'equation', expected, received: JSON.stringify(equation) }
  throw new ArgumentError(`einsum: ${what} in ${fields.received}`, fields)
}

/** The letters of a term, with a name for each of the `extra` dimensions that an ellipsis stands for. */
function lettersOf(equation: string, term: string, extra: number): string[] {
  if (!/^[A-Za-z]*(?:\.\.\.[A-Za-z]*)?$/.test(term)) {
    fault(equation, `${JSON.stringify(term)} is no term`, 'letters and at most one ellipsis')
  }
  const ellipsis = Array.from({ length: extra }, (_, i) => `.${extra - i}`)
  const [before, after] = term.split('...') as [string, string?]
  return [...before, ...(after === undefined ? [] : [...ellipsis, ...after])]
}

/** `x` with one dimension for each letter: repeated ones become the diagonal. */
function withoutRepeats({ x, letters }: Term): Term {
  for (const [i, letter] of letters.entries()) {
    const j = letters.indexOf(letter, i + 1)
    if (j < 0) continue
    const others = letters.map((_, k) => k).filter((k) => k !== i && k !== j)
    const rest = others.map((k) => letters[k]!)
    return withoutRepeats({ x: diagonal(ops.permute(x, [...others, i, j])), letters: [...rest, letter] })
  }
  return { x, letters }
}

/** Sums over the dimensions whose letters nobody else needs. */
function summed({ x, letters }: Term, needed: ReadonlySet<string>): Term {
  const dim = letters.flatMap((letter, i) => (needed.has(letter) ? [] : [i]))
  if (dim.length === 0) return { x, letters }
  // Integers stay what they are.
  return { x: ops.cast(ops.sum(x, { dim }), x.dtype), letters: letters.filter((letter) => needed.has(letter)) }
}

/** `x` with its dimensions in the order of `letters`; those it lacks are 1. */
function ordered({ x, letters: own }: Term, letters: readonly string[]): Tensor {
  const there = letters.filter((letter) => own.includes(letter))
  const moved = ops.permute(
    x,
    there.map((letter) => own.indexOf(letter)),
  )
  return ops.reshape(
    moved,
    letters.map((letter) => (own.includes(letter) ? x.shape[own.indexOf(letter)]! : 1)),
  )
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)

/** The product of two terms, summed over what is in both and not needed any more: one matrix product. */
function contracted(a: Term, b: Term, needed: ReadonlySet<string>): Term {
  const size = (letter: string) => {
    const sizes = [a, b].map(({ x, letters }) => x.shape[letters.indexOf(letter)] ?? 1)
    return sizes.find((n) => n !== 1) ?? 1
  }
  const both = a.letters.filter((letter) => b.letters.includes(letter))
  const batch = both.filter((letter) => needed.has(letter))
  const inner = both.filter((letter) => !needed.has(letter))
  const left = a.letters.filter((letter) => !both.includes(letter))
  const right = b.letters.filter((letter) => !both.includes(letter))
  const letters = [...batch, ...left, ...right]
  const float = a.x.dtype.startsWith('f') && b.x.dtype.startsWith('f')
  if (inner.length === 0 || !float) {
    const all = [...letters, ...inner]
    return summed({ x: ops.mul(ordered(a, all), ordered(b, all)), letters: all }, needed)
  }
  const wide = (term: Term, order: string[]) => {
    const x = ordered(term, order)
    return ops.expand(x, order.map(size)) // an ellipsis may broadcast
  }
  const [rows, columns, depth] = [left, right, inner].map((list) => product(list.map(size))) as [number, number, number]
  const heads = batch.map(size)
  const x = ops.reshape(wide(a, [...batch, ...left, ...inner]), [...heads, rows, depth])
  const y = ops.reshape(wide(b, [...batch, ...inner, ...right]), [...heads, depth, columns])
  return { x: ops.reshape(ops.matmul(x, y), letters.map(size)), letters }
}

/** Checks that a letter has one size throughout (1 broadcasts within ellipses). */
function checkSizes(equation: string, terms: readonly Term[]): void {
  const sizes = new Map<string, number>()
  for (const [i, { x, letters }] of terms.entries()) {
    for (const [d, letter] of letters.entries()) {
      const [now, before] = [x.shape[d]!, sizes.get(letter)]
      const broadcasts = letter.startsWith('.') && (now === 1 || before === 1)
      if (before !== undefined && before !== now && !broadcasts) {
        const name = letter.startsWith('.') ? 'a dimension of the ellipsis' : letter
        throw new ShapeError(
          `einsum: ${name} is ${before} and, in operands[${i}], ${now} in ${JSON.stringify(equation)}`,
          {
            op: 'einsum',
            argument: `operands[${i}]`,
            expected: `${name} of ${before}`,
            received: `[${x.shape.join(', ')}]`,
          },
        )
      }
      if (before === undefined || before === 1) sizes.set(letter, now)
    }
  }
}

/**
 * Products of tensors, summed over every letter that is not behind the arrow: `einsum('bhid,bhjd->bhij', q, k)`.
 *
 * A letter names a dimension; a letter twice in one term takes the diagonal; `...` stands for leading dimensions that
 * broadcast. Without an arrow the result has the letters that come once, in alphabetical order, behind the ellipsis.
 * Operands are multiplied from left to right, two at a time, as matrix products. Throws an ArgumentError where the
 * equation is none, a ShapeError where it doesn't fit the operands.
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  if (typeof equation !== 'string') refuse('einsum', 'equation', 'a string', equation)
  const [inputs, output, ...more] = equation.replaceAll(/\s/g, '').split('->') as [string, ...string[]]
  if (more.length > 0) fault(equation, 'there are two arrows', 'one arrow')
  const parts = inputs.split(',')
  if (parts.length !== operands.length) {
    fault(equation, `there are ${operands.length} operands for ${parts.length} terms`, 'a term for each operand')
  }
  let broadcast = 0
  const terms = parts.map((part, i): Term => {
    const x = operands[i]
    if (!isTensor(x)) refuse('einsum', `operands[${i}]`, 'a Tensor', x)
    const extra = x.rank - part.replace('...', '').length
    const letters = lettersOf(equation, part, Math.max(0, extra))
    if (letters.length !== x.rank) {
      throw new ShapeError(`einsum: operands[${i}] has shape [${x.shape.join(', ')}], its term is ${part}`, {
        op: 'einsum',
        argument: `operands[${i}]`,
        expected: `${letters.length} dimensions`,
        received: `[${x.shape.join(', ')}]`,
      })
    }
    if (part.includes('...')) broadcast = Math.max(broadcast, extra)
    return { x, letters }
  })
  checkSizes(equation, terms)
  const all = terms.flatMap(({ letters }) => letters)
  const dots = Array.from({ length: broadcast }, (_, i) => `.${broadcast - i}`)
  const once = [...new Set(all)].filter((l) => /[A-Za-z]/.test(l) && all.indexOf(l) === all.lastIndexOf(l)).toSorted()
  const wanted = output === undefined ? [...dots, ...once] : lettersOf(equation, output, broadcast)
  const unknown = wanted.find((letter) => !all.includes(letter))
  if (unknown !== undefined) fault(equation, `${unknown} is behind the arrow only`, 'letters of the operands')
  if (new Set(wanted).size !== wanted.length) fault(equation, 'a letter stands twice behind the arrow', 'each once')
  return evaluated(terms.map(withoutRepeats), wanted)
}

/** The terms multiplied from left to right, with the dimensions `wanted` in that order. */
function evaluated(terms: readonly Term[], wanted: readonly string[]): Tensor {
  const later = (i: number) => new Set([...wanted, ...terms.slice(i).flatMap(({ letters }) => letters)])
  const alone = (i: number) => new Set([...wanted, ...terms.flatMap(({ letters }, j) => (i === j ? [] : letters))])
  const [first, ...rest] = terms.map((term, i) => summed(term, alone(i)))
  const result = rest.reduce((done, term, i) => contracted(done, term, later(i + 2)), first!)
  return ordered(summed(result, new Set(wanted)), wanted)
}
