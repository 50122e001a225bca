import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Flaps } from '../../src/notifier/flaps.ts'
import { Lane, type Route } from '../../src/notifier/lane.ts'
import { NotifierStore } from '../../src/notifier/store.ts'
import type { Channel, Notification, Sent } from '../../src/notifier/types.ts'
import { makeLog } from '../../src/platform/log.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { LocalReader } from '../../src/store/reader.ts'
import { startStore } from '../support/redis.ts'
import { until } from '../support/until.ts'

let redis: Awaited<ReturnType<typeof startStore>>
let store: NotifierStore
let lanes = 0

beforeAll(async () => {
  redis = await startStore()
  store = await NotifierStore.open(redis.address!, redis.secrets, undefined)
})
afterAll(async () => {
  store.close()
  await redis.stop()
})
beforeEach(async () => {
  const keys = keysUnder(redis.secrets.prefix)
  await redis.admin.del(keys.log, keys.observed, keys.notifications)
})

/** A receiver that answers as told, and keeps what it took. */
class Receiver implements Channel {
  readonly taken: string[] = []
  readonly given: number[] = []
  answer: (notifications: readonly Notification[]) => Sent = (all) => ({ taken: all.length })

  async send(notifications: readonly Notification[]): Promise<Sent> {
    this.given.push(notifications.length)
    const sent = this.answer(notifications)
    this.taken.push(...notifications.slice(0, sent.taken).map(({ event }) => event.hostname))
    return sent
  }

  async close(): Promise<void> {}
}

const never = new AbortController().signal
const toAll: Route = () => ({ filter: 'default' })

function laneTo(receiver: Receiver, integration: string, route: Route = toAll): Lane {
  return new Lane({
    integration,
    channel: receiver,
    route,
    flaps: new Flaps(),
    log: makeLog('test', 'error'),
  })
}

/** Makes agents fall silent, an event each. */
async function rotten(...hosts: string[]): Promise<void> {
  const rows = (status: string) => hosts.map((host) => ({ table: 'agent', host, key: host, row: { status } }))
  await store.observe(rows('Fresh'))
  await store.observe(rows('Rotten'))
}

/** Steps until the receiver has been given so much. */
async function stepped(lane: Lane, what: string, done: () => boolean): Promise<void> {
  await until(what, 15_000, async () => {
    await lane.step(store, never)
    return done()
  })
}

const fresh = async () => {
  const receiver = new Receiver()
  const name = `lane${++lanes}`
  const lane = laneTo(receiver, name)
  await lane.step(store, never)
  return { receiver, name, lane }
}

const records = async () => {
  const target = {
    host: redis.address!,
    port: 6379,
    login: { username: 'netq-reader', password: redis.secrets.reader },
  }
  const reader = new LocalReader(target, redis.secrets.prefix)
  try {
    return await reader.notifications()
  } finally {
    reader.close()
  }
}

test('a new receiver is told of what happens from then on, in order', async () => {
  await rotten('before')
  const { receiver, lane } = await fresh()
  await rotten('a', 'b', 'c')
  await stepped(lane, 'three are taken', () => receiver.taken.length === 3)
  expect(receiver.taken).toEqual(['a', 'b', 'c'])
  expect(receiver.given).toEqual([3])
})

test('the next master goes on where this one stopped; a crash before the cursor moved repeats the same ids', async () => {
  const { receiver, name, lane } = await fresh()
  await rotten('a', 'b')
  await stepped(lane, 'two are taken', () => receiver.taken.length === 2)
  await rotten('c')
  const dead = laneTo(receiver, name)
  receiver.answer = () => {
    throw new Error('the process died here')
  }
  await until('it died', 15_000, async () => {
    await dead.step(store, never).catch(() => {})
    return receiver.given.length > 1
  })
  receiver.answer = (all) => ({ taken: all.length })
  await stepped(laneTo(receiver, name), 'the third is taken', () => receiver.taken.length === 3)
  expect(receiver.taken).toEqual(['a', 'b', 'c'])
})

test('what was taken of a batch is not sent again; what is refused for good is skipped and written down', async () => {
  const { receiver, name, lane } = await fresh()
  await rotten('a', 'b', 'c', 'd')
  receiver.answer = (all) =>
    all[0]!.event.hostname === 'a' ? { taken: 1, problem: 'no', refused: true } : { taken: all.length }
  await stepped(lane, 'all are given', () => receiver.taken.length === 3)
  expect(receiver.taken).toEqual(['a', 'c', 'd'])
  const mine = (await records()).filter(({ integration }) => integration === name)
  expect(
    mine.map(({ event, outcome, problem }) => `${event.hostname} ${outcome} ${problem ?? ''}`.trim()),
  ).toEqual(['d sent', 'c sent', 'b refused no', 'a sent'])
})

test('a receiver that fails is left alone for a while, and counts its tries', async () => {
  const { receiver, lane } = await fresh()
  await rotten('a')
  receiver.answer = () => ({ taken: 0, problem: 'status 503', retryAfterMs: 1500 })
  await stepped(lane, 'it is given', () => receiver.given.length === 1)
  const at = performance.now()
  expect(lane.status.trouble?.problem).toBe('status 503')
  receiver.answer = (all) => ({ taken: all.length })
  await stepped(lane, 'it is taken', () => receiver.taken.length === 1)
  expect(performance.now() - at).toBeGreaterThan(1400)
  expect(lane.status.trouble).toBeUndefined()
  expect((await records())[0]).toMatchObject({ outcome: 'sent', tries: 2 })
})

test('what is silenced goes nowhere and is written down', async () => {
  const receiver = new Receiver()
  const lane = laneTo(receiver, 'quiet', ({ hostname }) =>
    hostname === 'a' ? { filter: 'default', silenced: true } : { filter: 'default' },
  )
  await lane.step(store, never)
  await rotten('a', 'b')
  await stepped(lane, 'the other is taken', () => receiver.taken.length === 1)
  expect(receiver.taken).toEqual(['b'])
  expect((await records()).map(({ event, outcome }) => `${event.hostname} ${outcome}`)).toEqual([
    'b sent',
    'a silenced',
  ])
})

test('a log with much that is nothing to this receiver is gone through', async () => {
  const { receiver, lane } = await fresh()
  const rows = Array.from({ length: 2000 }, (_, i) => ({
    table: 'agent',
    host: `h${i}`,
    key: `h${i}`,
    row: { status: 'Fresh' },
  }))
  await store.observe(rows)
  await rotten('last')
  await stepped(lane, 'the last is taken', () => receiver.taken.length === 1)
})

test('a receiver that was gone for longer than the log is kept is told so; one that missed nothing is not', async () => {
  const old = Date.now() - 7_200_000
  const { log, cursors, cluster } = keysUnder(redis.secrets.prefix)
  const entry = (id: string) =>
    redis.admin.xadd(log, id, 'h', 'x', 'p', '1', 'q', '2', 't', '1', 'd', 'D\tlink\tswp1')
  await entry(`${old}-0`)
  await redis.admin.hset(cursors, 'away', `${old - 60_000}-0`, 'quiet2', `${old}-0`)
  await redis.admin.call('FCALL', 'netq_marker', 0, 1, Date.now() - 3_600_000, Date.now() - 3_600_000, 'x')
  await redis.admin.xtrim(log, 'MAXLEN', 0)
  expect(await redis.admin.hget(cluster, 'log-lost')).toBe(`${old}-0`)
  for (const [name, messages] of [
    ['away', ['CLUSTER: away could not be told of everything since']],
    ['quiet2', []],
  ] as const) {
    const receiver = new Receiver()
    const told: string[] = []
    receiver.answer = (all) => {
      told.push(...all.map(({ event }) => event.message.slice(0, 51)))
      return { taken: all.length }
    }
    const lane = laneTo(receiver, name)
    for (let i = 0; i < 3; i++) {
      await lane.step(store, never)
      await lane.sendUrgent(never)
    }
    expect(told).toEqual(messages)
  }
})

test('what somebody on the network sends under the names that only the servers use is nothing', async () => {
  const { receiver, lane } = await fresh()
  const network = await redis.as()
  await network.call('FCALL', 'netq_hello', 0, 'evil', 'aa', 'bb', 1000)
  const push = (prev: number, text: string) =>
    network.call('FCALL', 'netq_apply', 0, 'evil', 'bb', prev, prev + 1, 2000, text)
  await push(0, 'P\tcluster\tmaster\t{"master":"10.0.0.5","why":"x"}\nP\tagent\tevil\t{"status":"Fresh"}')
  await push(1, 'P\tcluster\tmaster\t{"master":"10.0.0.66","why":"x"}\nP\tagent\tevil\t{"status":"Rotten"}')
  await rotten('a')
  await stepped(lane, 'the real one is taken', () => receiver.taken.length === 1)
  expect(receiver.taken).toEqual(['a'])
})
