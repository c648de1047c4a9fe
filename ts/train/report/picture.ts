/** Pictures inside a page. */
import { crc32, deflateSync } from 'node:zlib'

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}

/** A PNG of planes [C, H, W] of floats, C 1 or 3; 0 is black and 1 is white unless the values leave that range. */
export function png(planes: ArrayLike<number>, [channels, height, width]: readonly [number, number, number]): Buffer {
  let [low, high] = [0, 1]
  for (let i = 0; i < channels * height * width; i++) {
    low = Math.min(low, planes[i]!)
    high = Math.max(high, planes[i]!)
  }
  const rows = Buffer.alloc(height * (1 + width * channels))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        const v = (planes[(c * height + y) * width + x]! - low) / (high - low)
        rows[y * (1 + width * channels) + 1 + x * channels + c] = Math.round(255 * v)
      }
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width)
  header.writeUInt32BE(height, 4)
  header.set([8, channels === 1 ? 0 : 2], 8)
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
