import { STATUS_CODES } from 'node:http'
import type { Delivery } from './batches.ts'

export interface Post {
  readonly url: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** However long a receiver asks to be left alone, it is asked again after an hour: it may have been its mistake. */
const longestWaitMs = 3_600_000

/**
 * Posts JSON. What the receiver says in its answer is in no sentence: receivers echo addresses and keys in their error
 * pages, and both are secrets here. Neither is more of the address than its host. Connections are kept by Node's fetch
 * for the next message, for as long as the receiver offers.
 */
export async function post({ url, body, headers, signal, timeoutMs }: Post): Promise<Delivery> {
  const { host } = new URL(url)
  const late = AbortSignal.timeout(timeoutMs)
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'user-agent': 'netq-notifier', ...headers },
      redirect: 'manual',
      signal: AbortSignal.any([signal, late]),
    })
  } catch (error) {
    if (signal.aborted) return { outcome: 'later', problem: `stopped before ${host} answered` }
    if (late.aborted) {
      return { outcome: 'later', problem: `${host} did not answer within ${timeoutMs / 1000} s` }
    }
    return { outcome: 'later', problem: `${host} could not be reached (${codeOf(error)})` }
  }
  await readToEnd(response)
  return judge(host, response)
}

/**
 * The answers that are about this message: it will never be taken. The others of 4xx are about the address or the key (a
 * revoked webhook, a proxy's 404 overnight), and what is told later is better than lost.
 */
const OF_THE_MESSAGE = [400, 413, 415, 422]

function judge(host: string, { ok, status, headers }: Response): Delivery {
  if (ok) return { outcome: 'taken' }
  const words = STATUS_CODES[status]
  const answered = `${host} answered ${status}${words === undefined ? '' : ` (${words})`}`
  if (status >= 300 && status < 400) {
    return {
      outcome: 'later',
      problem: `${answered}: redirects are not followed, as they would take the message elsewhere; write the final address into netq.yml`,
    }
  }
  if (OF_THE_MESSAGE.includes(status)) {
    return { outcome: 'refused', problem: answered }
  }
  const retryAfterMs = waitAskedFor(headers.get('retry-after'))
  return { outcome: 'later', problem: answered, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}

/** Retry-After, in seconds or as a date, as milliseconds from now. */
function waitAskedFor(header: string | null): number | undefined {
  if (header === null) return undefined
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.min(longestWaitMs, Math.max(0, wait))
}

/** A connection can be used again only when the answer was read; a long one is not worth it. */
async function readToEnd({ body }: Response): Promise<void> {
  if (!body) return
  try {
    let bytes = 0
    for await (const chunk of body) {
      bytes += chunk.length
      if (bytes > 65_536) break
    }
  } catch {
    // The status was received, and that is all that counts.
  }
}

function codeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } }
  return typeof cause?.code === 'string' ? cause.code : 'network error'
}
