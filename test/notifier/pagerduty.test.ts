import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeChannel } from '../../src/notifier/channels/index.ts'
import type { Notification } from '../../src/notifier/types.ts'
import { contextFor, notification, receiver, some } from './receiver.ts'

const never = new AbortController().signal

interface Enqueued {
  routing_key: string
  event_action: string
  dedup_key: string
  payload?: { summary: string; severity: string; custom_details: { id?: string; events?: string[] } }
}

/** Answers 429 from the request on that this says. */
let throttledFrom: number
let server: Awaited<ReturnType<typeof receiver>>
beforeEach(async () => {
  throttledFrom = Number.POSITIVE_INFINITY
  server = await receiver((_received, reply) => {
    const throttled = server.received.length > throttledFrom
    reply.writeHead(throttled ? 429 : 202, throttled ? { 'retry-after': '2' } : {}).end('{}')
    return true
  })
})
afterEach(() => server.close())

const pagerdutyTo = () =>
  makeChannel(
    {
      name: 'pd',
      type: 'pagerduty',
      severity: 'INFO',
      api_access_key: 'ACCESS',
      api_integration_key: 'ROUTING',
      url: server.url('/v2/enqueue'),
    },
    contextFor(),
  )
const enqueued = (): Enqueued[] => server.received.map(({ body }) => JSON.parse(body))

/** The end of the trouble that `notification(of)` begins. */
const end = (of: number, n: number): Notification =>
  notification(n, { subject: `Link leaf01 swp${of}`, recovers: true, severity: 'INFO' })

describe('PagerDuty', () => {
  it('has an incident opened and closed by its subject', async () => {
    expect(await pagerdutyTo().send([notification(1), end(1, 2)], never)).toEqual({ taken: 2 })
    expect(server.received[0]!.path).toBe('/v2/enqueue')
    expect(enqueued()).toEqual([
      {
        routing_key: 'ROUTING',
        event_action: 'trigger',
        dedup_key: 'Link leaf01 swp1',
        payload: {
          summary: 'LINK: leaf01 swp1: state changed from up to down',
          source: 'leaf01',
          severity: 'error',
          timestamp: '2017-08-28T22:43:32.795Z',
          class: 'Link',
          component: 'Link leaf01 swp1',
          custom_details: {
            id: '1511476000001-0.0',
            filter: 'default',
            message: 'LINK: leaf01 swp1: state changed from up to down',
          },
        },
      },
      { routing_key: 'ROUTING', event_action: 'resolve', dedup_key: 'Link leaf01 swp1' },
    ])
    expect(JSON.stringify(server.received)).not.toContain('ACCESS')
  })

  it('gets what fits into its fields', async () => {
    const long = 'x'.repeat(3000)
    await pagerdutyTo().send([notification(1, { message: long, subject: long, hostname: '' })], never)
    const [{ dedup_key, payload }] = enqueued() as [Enqueued]
    expect(dedup_key).toMatch(/^sha256 [0-9a-f]{64}$/)
    expect(payload!.summary).toHaveLength(1024)
    expect(payload).toMatchObject({ source: 'netq', custom_details: { message: long } })
  })

  it('is left alone when it asks, and goes on with the next', async () => {
    throttledFrom = 3
    const channel = pagerdutyTo()
    const sent = await channel.send(some(10), never)
    expect(sent).toEqual({
      taken: 3,
      problem: `127.0.0.1:${server.port} answered 429 (Too Many Requests)`,
      retryAfterMs: 2000,
    })
    throttledFrom = Number.POSITIVE_INFINITY
    expect(await channel.send(some(10).slice(3), never)).toEqual({ taken: 7 })
    const ids = enqueued().map(({ payload }) => payload?.custom_details.id)
    expect(new Set(ids).size).toBe(10)
    // The one that was answered with 429 came twice.
    expect(ids).toHaveLength(11)
  })

  it('gets 50 as they are, and 51 as one incident that has them all', async () => {
    const channel = pagerdutyTo()
    expect(await channel.send(some(50), never)).toEqual({ taken: 50 })
    expect(enqueued()).toHaveLength(50)
    const events = [...some(50), notification(50, { severity: 'CRITICAL' })]
    expect(await channel.send(events, never)).toEqual({ taken: 51 })
    expect(enqueued()).toHaveLength(51)
    const { event_action, dedup_key, payload } = enqueued().at(-1)!
    expect({ event_action, dedup_key }).toEqual({
      event_action: 'trigger',
      dedup_key: 'netq burst 1511476000000-0.0',
    })
    expect(payload).toMatchObject({
      summary: '51 events: 1 CRITICAL, 50 ERROR (51 Link)',
      severity: 'critical',
      source: 'ts01',
    })
    const { events: told = [] } = payload!.custom_details
    expect(told).toHaveLength(51)
    for (const [n, { event }] of events.entries()) {
      expect(told[n]).toContain(event.id)
      expect(told[n]).toContain(event.message)
    }
  })

  it('has what ended in a burst closed first, and does not begin anew after 429', async () => {
    // 30 troubles that are over at the end, 30 that are not, and one that came back.
    const events = [...some(61), ...Array.from({ length: 31 }, (_, n) => end(n, 100 + n)), notification(30)]
    const channel = pagerdutyTo()
    const closed = () => enqueued().filter(({ event_action }) => event_action === 'resolve').length
    throttledFrom = 20
    expect(await channel.send(events, never)).toMatchObject({ taken: 0, retryAfterMs: 2000 })
    expect(closed()).toBe(21)
    throttledFrom = Number.POSITIVE_INFINITY
    expect(await channel.send(events, never)).toEqual({ taken: events.length })
    expect(closed()).toBe(31)
    const keys = new Set(enqueued().map(({ dedup_key }) => dedup_key))
    expect(keys).toContain('Link leaf01 swp29')
    expect(keys).not.toContain('Link leaf01 swp30')
    const last = enqueued().at(-1)!
    expect(last.payload!.custom_details.events).toHaveLength(events.length)
  })

  it('is told of ends alone without an incident that wakes somebody', async () => {
    const events = Array.from({ length: 60 }, (_, n) => end(n, n))
    expect(await pagerdutyTo().send(events, never)).toEqual({ taken: 60 })
    expect(enqueued().map(({ event_action }) => event_action)).toEqual(Array(60).fill('resolve'))
  })

  it('gets no more than 512 KB at once, and the rest after', async () => {
    const events = some(100, { message: 'ü'.repeat(5000) })
    expect(await pagerdutyTo().send(events, never)).toEqual({ taken: 100 })
    expect(server.received.length).toBeGreaterThan(1)
    for (const { body } of server.received) expect(Buffer.byteLength(body)).toBeLessThan(512 * 1024)
    const told = enqueued().flatMap(({ payload }) => payload!.custom_details.events ?? [])
    expect(told.map((line) => line.split(' ')[0])).toEqual(events.map(({ event }) => event.id))
  })
})
