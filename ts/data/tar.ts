/** Tar archives (POSIX.1-1988, ustar). */
import { basename } from 'node:path'

/** The files called `names` of a tar archive, by the name without folders; what is cut off is left out. */
export function untar(raw: Buffer, names: readonly string[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const BLOCK = 512
  const text = (from: number, to: number) => raw.toString('latin1', from, to).replace(/\0.*$/s, '')
  for (let at = 0; at + BLOCK <= raw.length && raw[at] !== 0;) {
    const name = basename(text(at, at + 100))
    const size = Number.parseInt(text(at + 124, at + 136).trim() || '0', 8)
    if (!Number.isSafeInteger(size) || at + BLOCK + size > raw.length) break
    const isFile = raw[at + 156] === 0 || raw[at + 156] === 0x30
    if (isFile && names.includes(name)) found.set(name, raw.subarray(at + BLOCK, at + BLOCK + size))
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  return found
}
