import { createHmac } from 'node:crypto'
import type { Notification } from '../../types.ts'
import { Batches } from '../batches.ts'
import { httpUrl, integration, text } from '../fields.ts'
import { post } from '../http.ts'
import { kind } from '../kind.ts'
import { isoTime } from '../words.ts'

/**
 * Any program that takes JSON by HTTP POST: `{version: 1, server, events: [{id, time, hostname, type, severity, message,
 * subject, recovers, filter}]}`, 1 to 500 events in their order, `time` in ISO 8601.
 *
 * How a receiver checks that it came from here, unchanged and recently: with the same secret it computes HMAC-SHA256 over
 * the text of the header `X-Netq-Timestamp` (seconds since the epoch), a dot, and the body's bytes as they came; in hex,
 * after `sha256=`, that is the header `X-Netq-Signature`. It compares in constant time, and refuses a time stamp that is
 * more than five minutes away. An event can come twice (after a lost answer, or from the next master): its `id` is then
 * the same, so a receiver keeps the ids that it has seen. Any status of 2xx takes all events.
 */
export const webhook = kind({
  type: 'webhook',
  secrets: ['url', 'secret'],
  schema: (zod) =>
    integration(zod, 'webhook', {
      url: httpUrl(zod, 'url'),
      /** What the signature is made with. */
      secret: text(zod, 'secret', 16),
    }),
  make({ url, secret }, { server, timeoutMs }) {
    const batches = new Batches(500)
    return {
      send: (notifications, signal) =>
        batches.send(notifications, (some) => {
          const body = JSON.stringify({ version: 1, server, events: some.map(eventOf) })
          const timestamp = String(Math.floor(Date.now() / 1000))
          const headers = {
            'x-netq-timestamp': timestamp,
            'x-netq-signature': signature(secret, timestamp, body),
          }
          return post({ url, body, headers, signal, timeoutMs })
        }),
      close: async () => {},
    }
  },
})

function eventOf({ event, filter }: Notification) {
  const { id, time, hostname, type, severity, message, subject, recovers } = event
  return { id, time: isoTime(time), hostname, type, severity, message, subject, recovers, filter }
}

function signature(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`
}
