import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { makeChannel } from '../../src/notifier/channels/index.ts'
import type { Notification } from '../../src/notifier/types.ts'
import { until } from '../support/until.ts'
import { contextFor, notification, type Received, receiver, some } from './receiver.ts'

const secret = 'a secret of many characters'
const never = new AbortController().signal

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function listening(behave?: Parameters<typeof receiver>[0]) {
  const server = await receiver(behave)
  closing.push(server.close)
  return server
}

function webhookTo(url: string, timeoutMs = 5000) {
  return makeChannel(
    { name: 'chat', type: 'webhook', severity: 'INFO', url, secret },
    contextFor({ timeoutMs }),
  )
}

const idsIn = (received: readonly Received[]) =>
  received.flatMap(({ body }) => (JSON.parse(body).events as { id: string }[]).map(({ id }) => id))
const idsOf = (notifications: readonly Notification[]) => notifications.map(({ event }) => event.id)

describe('a webhook', () => {
  it('gets all events in one request, in order, signed', async () => {
    const server = await listening()
    const channel = webhookTo(server.url('/hook?x=1'))
    const events = some(500)
    expect(await channel.send(events, never)).toEqual({ taken: 500 })
    expect(server.received).toHaveLength(1)
    const { headers, body, path, method } = server.received[0]!
    expect([method, path, headers['content-type']]).toEqual(['POST', '/hook?x=1', 'application/json'])
    const timestamp = String(headers['x-netq-timestamp'])
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
    const expected = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')
    expect(headers['x-netq-signature']).toBe(`sha256=${expected}`)
    const told = JSON.parse(body)
    expect(told).toMatchObject({ version: 1, server: 'ts01' })
    expect(told.events[1]).toEqual({
      id: '1511476000001-0.0',
      time: '2017-08-28T22:43:32.795Z',
      hostname: 'leaf01',
      type: 'Link',
      severity: 'ERROR',
      message: 'LINK: leaf01 swp1: state changed from up to down',
      subject: 'Link leaf01 swp1',
      recovers: false,
      filter: 'default',
    })
    expect(idsIn(server.received)).toEqual(idsOf(events))
  })

  it('is asked over a connection that is kept', async () => {
    const server = await listening()
    const channel = webhookTo(server.url('/'))
    for (let n = 0; n < 5; n++) await channel.send([notification(n)], never)
    expect(server.received).toHaveLength(5)
    // Node's fetch opens a second one when the first is not free yet, in the moment after its answer.
    expect(server.connections()).toBeLessThanOrEqual(2)
  })

  it('that answers 500 half the time gets everything, each event once more at most for every 500', async () => {
    let answers = 0
    const server = await listening((_received, reply) => {
      if (answers++ % 2 === 1) return false
      reply.writeHead(500).end()
      return true
    })
    const channel = webhookTo(server.url('/'))
    const events = some(40)
    let attempts = 0
    for (let done = 0; done < events.length; attempts++) {
      done += (await channel.send(events.slice(done, done + 10), never)).taken
    }
    expect(attempts).toBe(8)
    const taken = server.received.filter((_, n) => n % 2 === 1)
    expect(idsIn(taken)).toEqual(idsOf(events))
    expect(idsIn(server.received)).toHaveLength(80)
  })

  it.each<[string, number, Record<string, string>, object]>([
    ['500', 500, {}, { taken: 0, problem: 'HOST answered 500 (Internal Server Error)' }],
    [
      '429',
      429,
      { 'retry-after': '7' },
      { taken: 0, problem: 'HOST answered 429 (Too Many Requests)', retryAfterMs: 7000 },
    ],
    ['503', 503, { 'retry-after': 'soon' }, { taken: 0, problem: 'HOST answered 503 (Service Unavailable)' }],
    [
      '429 for a year',
      429,
      { 'retry-after': '31536000' },
      { taken: 0, problem: 'HOST answered 429 (Too Many Requests)', retryAfterMs: 3_600_000 },
    ],
    ['408', 408, {}, { taken: 0, problem: 'HOST answered 408 (Request Timeout)' }],
    ['404', 404, {}, { taken: 0, problem: 'HOST answered 404 (Not Found)' }],
    ['410', 410, {}, { taken: 0, problem: 'HOST answered 410 (Gone)' }],
    ['422', 422, {}, { taken: 0, problem: 'HOST answered 422 (Unprocessable Entity)', refused: true }],
    ['204', 204, {}, { taken: 1 }],
  ])('that answers %s', async (_what, status, headers, sent) => {
    const server = await listening(({ path }, reply) => {
      reply.writeHead(status, headers)
      // As many frameworks do: the address is a secret, and must not come back in a sentence.
      reply.end(status === 204 ? undefined : `Cannot POST ${path}`)
      return true
    })
    const answer = await webhookTo(server.url('/SECRET')).send([notification(0)], never)
    const host = `127.0.0.1:${server.port}`
    expect(JSON.parse(JSON.stringify(answer).replace(host, 'HOST'))).toEqual(sent)
  })

  it('is tried again at the date that it names', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString()
    const server = await listening((_received, reply) => {
      reply.writeHead(503, { 'retry-after': date }).end()
      return true
    })
    const { retryAfterMs } = await webhookTo(server.url('/')).send([notification(0)], never)
    expect(retryAfterMs).toBeGreaterThan(30_000)
    expect(retryAfterMs).toBeLessThanOrEqual(60_000)
  })

  it('that refuses one event gets all the others', async () => {
    const server = await listening(({ body }, reply) => {
      if (!body.includes('swp33:')) return false
      reply.writeHead(400).end()
      return true
    })
    const channel = webhookTo(server.url('/'))
    const events = some(100)
    expect(await channel.send(events, never)).toMatchObject({ taken: 33, refused: true })
    const before = server.received.length
    expect(before).toBeLessThan(20)
    expect(await channel.send(events.slice(34), never)).toEqual({ taken: 66 })
    // 1, 2, 4, 8, 16, 32 and the rest.
    expect(server.received.length - before).toBe(7)
    const taken = server.received.filter(({ body }) => !body.includes('swp33:'))
    expect(idsIn(taken)).toEqual(idsOf(events.filter((_, n) => n !== 33)))
  })

  it('that refuses everything is asked about once for each event', async () => {
    const server = await listening((_received, reply) => {
      reply.writeHead(422).end()
      return true
    })
    const channel = webhookTo(server.url('/'))
    const events = some(50)
    for (let n = 0; n < events.length; n++) {
      expect(await channel.send(events.slice(n), never)).toMatchObject({ taken: 0, refused: true })
    }
    expect(server.received.length).toBeLessThan(60)
  })

  it('that hangs is left after the time-out', async () => {
    const server = await listening(() => true)
    const channel = webhookTo(server.url('/'), 300)
    expect(await channel.send([notification(0)], never)).toEqual({
      taken: 0,
      problem: `127.0.0.1:${server.port} did not answer within 0.3 s`,
    })
  })

  it('that hangs is left at once when the notifier stops', async () => {
    const server = await listening(() => true)
    const stop = new AbortController()
    const sending = webhookTo(server.url('/'), 60_000).send([notification(0)], stop.signal)
    await until('the request is there', 5000, () => server.received.length === 1)
    stop.abort()
    expect(await sending).toEqual({
      taken: 0,
      problem: `stopped before 127.0.0.1:${server.port} answered`,
    })
  })

  it('that answers its head and hangs in its body has taken it', async () => {
    const server = await listening((_received, reply) => {
      reply.writeHead(200, { 'content-length': '100' })
      reply.write('ok')
      return true
    })
    expect(await webhookTo(server.url('/'), 300).send([notification(0)], never)).toEqual({ taken: 1 })
  })

  it('that closes the connection is tried again, and is then over a new one', async () => {
    let requests = 0
    const server = await listening((_received, _reply, request) => {
      if (requests++ > 0) return false
      request.socket.destroy()
      return true
    })
    const channel = webhookTo(server.url('/SECRET'))
    const { taken, problem, refused } = await channel.send([notification(0)], never)
    expect({ taken, refused }).toEqual({ taken: 0, refused: undefined })
    expect(problem).toMatch(new RegExp(`^127.0.0.1:${server.port} could not be reached \\([A-Z_]+\\)$`))
    expect(await channel.send([notification(0)], never)).toEqual({ taken: 1 })
  })

  it('that sends us elsewhere is not followed', async () => {
    const elsewhere = await listening()
    const server = await listening((_received, reply) => {
      reply.writeHead(307, { location: elsewhere.url('/stolen') }).end()
      return true
    })
    const { taken, problem, refused } = await webhookTo(server.url('/')).send([notification(0)], never)
    expect({ taken, refused }).toEqual({ taken: 0, refused: undefined })
    expect(problem).toContain('answered 307 (Temporary Redirect): redirects are not followed')
    expect(problem).not.toContain('stolen')
    expect(elsewhere.received).toEqual([])
  })

  it('that is gone and comes back gets what was pending', async () => {
    const first = await receiver()
    const channel = webhookTo(first.url('/'))
    expect(await channel.send([notification(0)], never)).toEqual({ taken: 1 })
    await first.close()
    const gone = await channel.send([notification(1)], never)
    expect(gone).toMatchObject({ taken: 0, problem: expect.stringContaining('could not be reached') })
    const bodies: string[] = []
    const back = createServer((request, reply) => {
      request.setEncoding('utf8').on('data', (text) => bodies.push(text))
      request.on('end', () => reply.end())
    })
    await new Promise<void>((resolve) => back.listen(first.port, '127.0.0.1', resolve))
    closing.push(async () => {
      back.closeAllConnections()
      await new Promise((resolve) => back.close(resolve))
    })
    expect(await channel.send([notification(1)], never)).toEqual({ taken: 1 })
    expect(bodies.join('')).toContain('1511476000001-0.0')
  })
})
