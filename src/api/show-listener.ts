import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Log, sentenceOf } from '../platform/log.ts'
import type { ShowRequest } from './types.ts'

/** One answer of netqd. From 400 on, the body is one clear sentence in text. */
export interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string | Readable
  /** What the operator should know besides, on the standard error: whose answer it is, if not the first server's. */
  readonly note?: string
}

export const textReply = (status: number, text: string): Reply => ({
  status,
  type: 'text/plain',
  body: `${text}\n`,
})

/** The most that a question may have, in bytes. */
const QUESTION_BYTES = 64 * 1024

/**
 * netqd's side of HTTP: POST /v1/show, and POST /v1/alive, which answers `{}`. Two paths need no library: on a node,
 * where netqd should be small, fastify would be 13 MB of its 76 (measured).
 * @param show what it rejects with is answered as 503, with its message as the sentence
 */
export function showListener(show: (request: ShowRequest) => Promise<Reply>, log: Log): RequestListener {
  return (call, response) => {
    respond(call, response, show, log).catch((error: unknown) => {
      // The one who asked has hung up, or half of the answer cannot be had: nobody is left to be told.
      log.debug(sentenceOf(error))
      response.destroy()
    })
  }
}

async function respond(
  call: IncomingMessage,
  response: ServerResponse,
  show: (request: ShowRequest) => Promise<Reply>,
  log: Log,
): Promise<void> {
  const { status, type, body, note } = await replyTo(call, response, show).catch((error: unknown) => {
    log.warning(sentenceOf(error))
    return textReply(503, sentenceOf(error))
  })
  response.statusCode = status
  response.setHeader('content-type', type)
  if (note !== undefined) response.setHeader('x-netq-note', encodeURIComponent(note))
  if (typeof body === 'string') response.end(body)
  else await pipeline(body, response)
}

async function replyTo(
  call: IncomingMessage,
  response: ServerResponse,
  show: (request: ShowRequest) => Promise<Reply>,
): Promise<Reply> {
  if (call.method !== 'POST') return textReply(405, 'netqd takes only POST.')
  if (call.url === '/v1/alive') return { status: 200, type: 'application/json', body: '{}' }
  if (call.url !== '/v1/show') return textReply(404, 'There is nothing here but /v1/show.')
  const text = await wholeOf(call)
  if (text === undefined) return textReply(413, 'The question is too long.')
  const request = requestIn(text)
  if (!request) return textReply(400, 'The question is not well formed.')
  // A large answer takes seconds to make: who asked is to know that this is at work, and not to ask another server.
  response.writeProcessing()
  return show(request)
}

/** The text of a question; undefined if it is too long. */
async function wholeOf(call: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of call as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > QUESTION_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** The question in a text; undefined if it is none: everybody on the network may ask anything. */
function requestIn(text: string): ShowRequest | undefined {
  try {
    const { table, show, hostname, args } = JSON.parse(text) as Record<string, unknown>
    const values = typeof args === 'object' && args !== null ? Object.values(args) : [undefined]
    const fits =
      typeof table === 'string' &&
      Number.isSafeInteger(show) &&
      ['string', 'undefined'].includes(typeof hostname) &&
      values.every((value) => value === true || typeof value === 'string')
    return fits
      ? ({ table, show, ...(hostname === undefined ? {} : { hostname }), args } as ShowRequest)
      : undefined
  } catch {
    return undefined
  }
}
