import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeChannel } from '../../src/notifier/channels/index.ts'
import { contextFor, notification, receiver, some } from './receiver.ts'

const never = new AbortController().signal
let answer: { status: number; headers: Record<string, string> } | undefined
let server: Awaited<ReturnType<typeof receiver>>
beforeEach(async () => {
  answer = undefined
  server = await receiver((_received, reply) => {
    if (answer) reply.writeHead(answer.status, answer.headers).end()
    return answer !== undefined
  })
})
afterEach(() => server.close())

const slackTo = (more: { tag?: string; url?: string } = {}) =>
  makeChannel(
    { name: 's', type: 'slack', severity: 'INFO', webhook: server.url('/services/T/B/x'), ...more },
    contextFor(),
  )
const bodies = () => server.received.map(({ body }) => JSON.parse(body))

describe('Slack', () => {
  it('gets a line an event, where nothing of a message is markup, and the tag as it is', async () => {
    const events = [
      notification(1, { message: 'BGP: <!channel> & <http://x|y>\nforged', severity: 'CRITICAL' }),
      notification(2),
    ]
    expect(await slackTo({ tag: '<@netops>' }).send(events, never)).toEqual({ taken: 2 })
    expect(server.received[0]!.path).toBe('/services/T/B/x')
    expect(bodies()).toEqual([
      {
        text: [
          '2017-08-28T22:43:32Z *CRITICAL* BGP: &lt;!channel&gt; &amp; &lt;http://x|y&gt; forged [1511476000001-0.0]',
          '2017-08-28T22:43:32Z *ERROR* LINK: leaf01 swp2: state changed from up to down [1511476000002-0.0]',
          '<@netops>',
        ].join('\n'),
        link_names: true,
      },
    ])
  })

  it('gets 20 as they are, and 21 with their counts', async () => {
    await slackTo().send(some(20), never)
    await slackTo().send(
      [
        ...some(18),
        notification(18, { severity: 'INFO' }),
        ...some(2, { severity: 'CRITICAL', type: 'Agent' }),
      ],
      never,
    )
    const [few, many] = bodies()
    expect(few.text.split('\n')).toHaveLength(20)
    expect(few).not.toHaveProperty('link_names')
    const lines = many.text.split('\n')
    expect(lines[0]).toBe('*21 events*: 2 CRITICAL, 18 ERROR, 1 INFO (19 Link, 2 Agent)')
    expect(lines).toHaveLength(22)
  })

  it('gets as many lines of a burst as fit, and how many did not', async () => {
    const events = some(500, { message: `LINK: ${'x'.repeat(200)} & ${'y'.repeat(200)}` })
    expect(await slackTo({ tag: '@ops' }).send(events, never)).toEqual({ taken: 500 })
    const [{ text }] = bodies()
    expect(text.length).toBeLessThan(40_000)
    expect(text.length).toBeGreaterThan(38_000)
    const lines = text.split('\n')
    expect(lines[0]).toMatch(/^\*500 events\*: 500 ERROR/)
    const missing = 500 - (lines.length - 3)
    expect(lines.at(-2)).toBe(
      `... and ${missing} more, up to [1511476000499-0.0]: the log of the notifier has them all`,
    )
    expect(lines.at(-1)).toBe('@ops')
  })

  it('is left alone for as long as it asks', async () => {
    answer = { status: 429, headers: { 'retry-after': '30' } }
    const sent = await slackTo().send(some(3), never)
    expect(sent).toMatchObject({ taken: 0, retryAfterMs: 30_000 })
    expect(sent.problem).not.toContain('services')
  })

  it('is reached by another address where one is set', async () => {
    await slackTo({ url: server.url('/proxy') }).send(some(1), never)
    expect(server.received[0]!.path).toBe('/proxy')
  })
})
