import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Flaps } from '../../src/notifier/flaps.ts'
import { Lane, type Route } from '../../src/notifier/lane.ts'
import { settingsOf } from '../../src/notifier/settings.ts'
import { NotifierStore } from '../../src/notifier/store.ts'
import type { Channel, Event, Notification, Sent } from '../../src/notifier/types.ts'
import { settingsText } from '../../src/notifier/view.ts'
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

test('a receiver that refuses is shown with it until it takes one again', async () => {
  const { receiver, lane } = await fresh()
  receiver.answer = () => ({ taken: 0, problem: 'hooks.example.net answered 404 (Not Found)', refused: true })
  await rotten('a')
  await stepped(lane, 'it was given one', () => receiver.given.length === 1)
  const status = {
    pid: 1,
    updated: 0,
    sends: true,
    mistakes: [],
    lanes: { syslog: lane.status },
  }
  const settings = await settingsOf('')
  const shown = () => settingsText({ running: true, status, settings }, '/log', Date.now())
  expect(shown()).toMatch(/^syslog .* the last one refused \d+s ago: hooks\.example\.net answered 404/m)
  receiver.answer = (all) => ({ taken: all.length })
  await rotten('b')
  await stepped(lane, 'it took one', () => receiver.taken.length === 1)
  status.lanes.syslog = lane.status
  expect(shown()).toMatch(/^syslog .* ok, last sent \d+s ago/m)
})

test('entries of a thousand events each are not looked at anew for every batch', async () => {
  const { receiver, name } = await fresh()
  let asked = 0
  const lane = laneTo(receiver, name, () => {
    asked += 1
    return { filter: 'default' }
  })
  const row = (state: string) => JSON.stringify({ interface: 'swp1', type: 'swp', state, adminState: 'up' })
  const lines = Array.from({ length: 1000 }, () => `P\tlink\tswp1\t${row('down')}`).join('\n')
  const before = Array.from({ length: 1000 }, () => row('up')).join('\n')
  const { log } = keysUnder(redis.secrets.prefix)
  for (let i = 0; i < 20; i++)
    await redis.admin.xadd(log, '*', 'h', 'leaf01', 'p', i, 'q', i + 1, 't', 1, 'd', lines, 'o', before)
  await stepped(lane, 'all is taken', () => receiver.taken.length === 20_000)
  expect(asked).toBeLessThan(100_000)
})

test('who was deleted and comes back under the same name begins with what is new', async () => {
  const { receiver, name, lane } = await fresh()
  await rotten('a')
  await stepped(lane, 'it was told', () => receiver.taken.length === 1)
  await store.forgetOthers(['syslog', name])
  expect(await store.cursor(name)).toBeDefined()
  await store.forgetOthers(['syslog'])
  await rotten('b')
  const again = laneTo(receiver, name)
  await again.step(store, never)
  await rotten('c')
  await stepped(again, 'it was told again', () => receiver.taken.length > 1)
  expect(receiver.taken).toEqual(['a', 'c'])
})

test('what flaps thousands of times is told with a bound, and holds nobody up', () => {
  const one = (n: number) => ({
    line: n,
    event: { id: `1-0.${n}`, time: 60_000, subject: 'Link leaf01 swp1', message: 'LINK' } as Event,
  })
  const begun = performance.now()
  const marked = new Flaps().marked(Array.from({ length: 50_000 }, (_, n) => one(n)))
  expect(marked[5]!.event.message).toBe('LINK (flapping: 6 changes within 60 s)')
  expect(marked.at(-1)!.event.message).toBe('LINK (flapping: 100 changes or more within 60 s)')
  expect(performance.now() - begun).toBeLessThan(10_000)
})
