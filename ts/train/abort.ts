/** Waiting that a signal ends. */
import { ArgumentError, describeValue } from '../native/errors.ts'

/** Throws an ArgumentError for anything but an AbortSignal, and the signal's reason where it is aborted. */
export function checkSignal(op: string, signal: AbortSignal | undefined): void {
  if (signal === undefined) return
  if (!(signal instanceof AbortSignal)) {
    const received = describeValue(signal)
    throw new ArgumentError(`${op}: signal must be an AbortSignal, got ${received}`, {
      op,
      argument: 'signal',
      received,
    })
  }
  signal.throwIfAborted()
}

/** What `work` gives, or a rejection with the signal's reason as soon as it is aborted; the work itself goes on. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise<T>((done, failed) => {
    const stop = () => failed(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(done, failed).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** The batches of `source`, without waiting for one when the signal is aborted. */
export async function* batchesOf<T>(
  source: AsyncIterable<T> | Iterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let ended = false
  try {
    for (;;) {
      signal?.throwIfAborted()
      const next = await unlessAborted(Promise.resolve(iterator.next()), signal)
      if (next.done) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    // Not awaited: a source that is still making a batch ends after it.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}
