/** Downloads from servers that do what servers do: break off, fall silent, send something else. */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ArgumentError, DataError } from 'fovea'
import { cifar10, download, fashionMnist, mnist } from 'fovea/data'

const dir = mkdtempSync(join(tmpdir(), 'fovea-downloads-'))
const content = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 7) % 251))
const checksum = { algorithm: 'sha256', digest: createHash('sha256').update(content).digest('hex') } as const

/** What the server was asked for, with the range. */
const asked: string[] = []
const times = (path: string) => asked.filter((line) => line.startsWith(path)).length

/** Sends the beginning of `part`, then ends the connection. */
function tear(response: ServerResponse, part: Buffer, status = 200, head: Record<string, string> = {}): void {
  response.writeHead(status, { ...head, 'content-length': part.length })
  response.write(part.subarray(0, 10_000), () => setTimeout(() => response.destroy(), 20))
}

const pages: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/file': (_, response) => response.end(content),
  '/moved': (_, response) => response.writeHead(302, { location: '/file' }).end(),
  '/round': (_, response) => response.writeHead(302, { location: '/round' }).end(),
  '/gone': (_, response) => response.writeHead(404).end(),
  '/silent': () => {},
  '/stalls': (_, response) =>
    response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 99)),
  '/torn': (_, response) => tear(response, content),
  '/busy': (_, response) => (times('/busy') < 3 ? response.writeHead(503).end() : response.end(content)),
  // Goes on where it broke, as most servers do.
  '/resumes': ({ headers }, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }
    const rest = content.subarray(from)
    if (times('/resumes') < 3) tear(response, rest, from > 0 ? 206 : 200, range)
    else response.writeHead(206, range).end(rest)
  },
  // Knows no ranges, and sends all of it again.
  '/again': (_, response) => (times('/again') < 2 ? tear(response, content) : response.end(content)),
}
const server = createServer((request, response) => {
  const path = request.url!
  asked.push([path, request.headers.range].filter(Boolean).join(' '))
  ;(pages[path] ?? pages['/file']!)(request, response)
})
let address: string
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  rmSync(dir, { recursive: true })
})
beforeEach(() => void (asked.length = 0))

const fresh = () => join(mkdtempSync(join(dir, 'to-')), 'below', 'file')

describe('downloads', () => {
  test('a file comes once and is kept', async () => {
    const file = fresh()
    expect(await download(`${address}/file`, file, { checksum })).toBe(file)
    expect(await download(`${address}/file`, file, { checksum })).toBe(file)
    expect([readFileSync(file).equals(content), asked]).toEqual([true, ['/file']])
  })

  test('a redirection is followed', async () => {
    const file = await download(`${address}/moved`, fresh(), { checksum })
    expect([readFileSync(file).equals(content), asked]).toEqual([true, ['/moved', '/file']])
  })

  test('a connection that breaks is taken up where it broke', async () => {
    const seen: [number, number | null][] = []
    const progress = (bytes: number, total: number | null) => void seen.push([bytes, total])
    const file = await download(`${address}/resumes`, fresh(), { checksum, progress })
    expect(readFileSync(file).equals(content)).toBe(true)
    expect(asked).toEqual(['/resumes', '/resumes bytes=10000-', '/resumes bytes=20000-'])
    expect(seen.map(([bytes]) => bytes)).toEqual(seen.map(([bytes]) => bytes).toSorted((a, b) => a - b))
    expect(seen.at(-1)).toEqual([30_000, 30_000])
  })

  test.each(['/again', '/busy'])('of a source that cannot go on all is fetched again: %s', async (path) => {
    const file = await download(address + path, fresh(), { checksum })
    expect(readFileSync(file).equals(content)).toBe(true)
  })

  const wrong = { algorithm: 'md5', digest: '0'.repeat(32) } as const
  const bad: [string, string, object, RegExp, number][] = [
    ['another checksum', '/file', { checksum: wrong }, /has the md5 \w+, expected 0000/, 1],
    ['an answer that is none', '/gone', {}, /\/gone can't be had: the answer is 404/, 1],
    ['a connection that always breaks', '/torn', {}, /\/torn can't be had: /, 4],
    ['a source that never answers', '/silent', { patience: 0.05 }, /it sent nothing for 0\.05 s/, 4],
    ['a source that stops sending', '/stalls', { patience: 0.05 }, /it sent nothing for 0\.05 s/, 4],
    ['a redirection in a circle', '/round', {}, /\/round can't be had: redirect count exceeded/, 84],
    ['more bytes than allowed', '/file', { maxBytes: 3 }, /more than 3 bytes/, 1],
  ]
  test.each(bad)('%s is a DataError, and no file stays', async (_, path, options, message, requests) => {
    const file = fresh()
    const error = await download(address + path, file, { checksum, ...options }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DataError)
    expect((error as Error).message).toMatch(message)
    expect(readdirSync(join(file, '..'))).toEqual([])
    expect(asked).toHaveLength(requests)
  })

  test('nobody listens', async () => {
    const error = await download('http://127.0.0.1:1/file', fresh(), { checksum }).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(DataError)
    expect((error as Error).message).toMatch(/:1\/file can't be had: .*(ECONNREFUSED|bad port)/)
  })

  test('an abort ends it within 100 ms with its reason', async () => {
    const [file, reason, stop] = [fresh(), new Error('enough'), new AbortController()]
    const running = download(`${address}/stalls`, file, { checksum, signal: stop.signal }).catch((e: unknown) => e)
    await new Promise((done) => setTimeout(done, 50))
    const began = performance.now()
    stop.abort(reason)
    expect(await running).toBe(reason)
    expect(performance.now() - began).toBeLessThan(100)
    expect(readdirSync(join(file, '..'))).toEqual([])
    await expect(download(`${address}/file`, file, { checksum, signal: stop.signal })).rejects.toBe(reason)
  })

  test('a place that can not be written to is an error of the file, not of the address', async () => {
    const file = fresh()
    writeFileSync(join(file, '..', '..', 'below'), 'a file where the folder should be')
    const error = await download(`${address}/file`, file, { checksum }).catch((e: unknown) => e)
    expect(error).toMatchObject({ name: 'DataError', argument: 'file' })
    expect((error as Error).message).toContain(`${file} can't be written: `)
  })

  test('arguments that are none', async () => {
    await expect(download('file:///etc/passwd', 'x', { checksum })).rejects.toThrow(/url must be an http/)
    await expect(download(address, '', { checksum })).rejects.toThrow(/file must be a path/)
    await expect(download(address, 'x', { checksum: { algorithm: 'crc' } as never })).rejects.toThrow(/checksum/)
    await expect(download(address, 'x', { checksum, patience: 0 })).rejects.toThrow(ArgumentError)
  })

  test('data sets refuse a mirror with other files', async () => {
    process.env.FOVEA_CACHE = join(dir, 'cache')
    delete process.env.FOVEA_DATA
    await expect(fashionMnist('train', { url: address })).rejects.toThrow(/has the md5 .*expected 8d4fb7e6/)
    await expect(mnist('test', { url: address })).rejects.toThrow(/has the md5 .*expected f68b3c2d/)
    await expect(cifar10('train', { url: address })).rejects.toThrow(/has the md5 .*expected c32a1d4a/)
    expect(existsSync(join(dir, 'cache', 'cifar10'))).toBe(false)
  })
})
