import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HealthStore, type StatusOf } from '../../src/health/store.ts'
import { READER, REDIS_PORT } from '../../src/store/names.ts'
import { startStore } from '../support/redis.ts'
import { until } from '../support/until.ts'

let redis: Awaited<ReturnType<typeof startStore>>
let store: HealthStore
let prefix: string

beforeEach(async () => {
  redis = await startStore()
  prefix = redis.secrets.prefix
  const login = { username: READER, password: redis.secrets.reader }
  store = new HealthStore(() => ({ host: redis.address, port: REDIS_PORT, login, prefix }), byVersion)
})
afterEach(async () => {
  store.close()
  await redis.stop()
})

/** Calls an agent by what it says of its version. */
const byVersion: StatusOf = ({ info }) => ({ status: info.version as 'Fresh' | 'Waiting' | 'Rotten' })

async function agent(host: string, info: object): Promise<void> {
  const call = (...words: (string | number)[]) => redis.admin.call('FCALL', ...words.map(String))
  await call('netq_hello', 0, host, 'ab', 'cd', Date.now())
  await call('netq_beat', 0, host, 'cd', Date.now(), JSON.stringify(info))
}

/** How many connections the reading user has. */
async function connections(): Promise<number> {
  return String(await redis.admin.call('CLIENT', 'LIST')).split(`user=${READER} `).length - 1
}

describe('the figures', () => {
  test('are those of the store', async () => {
    await agent('leaf01', { version: 'Fresh', spooledBatches: 5 })
    await agent('leaf02', { version: 'Rotten', spooledBatches: 7 })
    await agent('leaf03', { version: 'Rotten', spooledBatches: -3 })
    await agent('leaf04', { version: 'Waiting', spooledBatches: 'many' })
    await redis.admin.call('FCALL', 'netq_apply', 0, 'leaf01', 'cd', 0, 1, 1, 'P\tlink\tswp1\t{"a":1}')
    const memory = await redis.admin.info('memory')
    expect(await store.figures()).toEqual({
      memoryUsedBytes: expect.any(Number),
      memoryMaxBytes: Number(/^maxmemory:(\d+)/m.exec(memory)?.[1]),
      logEntries: 1,
      agents: { fresh: 1, waiting: 1, rotten: 2 },
      spooledSum: 12,
      spooledMax: 7,
    })
    expect((await store.figures()).memoryUsedBytes).toBeGreaterThan(100_000)
  })

  test('cost nothing until somebody asks, and one reading however many ask', async () => {
    expect(await connections()).toBe(0)
    await Promise.all(Array.from({ length: 50 }, () => store.figures()))
    await store.figures()
    expect(await redis.admin.info('commandstats')).toMatch(/^cmdstat_xlen:calls=1,/m)
    expect(await connections()).toBe(2)
    store.close()
    await until('the connections are closed', 2000, async () => (await connections()) === 0)
  })
})

describe('since', () => {
  test('is when the server took the role; unknown while the store has another role or none', async () => {
    expect(await store.since('10.0.0.5', 'master', 1)).toBeUndefined()
    await redis.admin.call('FCALL', 'netq_marker', 0, '1', '0', '0', 'formation', '10.0.0.5', 'replica')
    expect(await store.since('10.0.0.5', 'master', 1)).toBeUndefined()
    await redis.admin.call('FCALL', 'netq_marker', 0, '2', '0', '0', 'failover', '10.0.0.5', 'master')
    const since = await store.since('10.0.0.5', 'master', 2)
    expect(Math.abs(since! - Date.now())).toBeLessThan(10_000)
  })

  test('is read once in a role and epoch', async () => {
    await redis.admin.call('FCALL', 'netq_marker', 0, '2', '0', '0', 'failover', '10.0.0.5', 'master')
    await redis.admin.config('RESETSTAT')
    for (let i = 0; i < 5; i++) await store.since('10.0.0.5', 'master', 2)
    expect(await redis.admin.info('commandstats')).toMatch(/^cmdstat_hget:calls=1,/m)
    await store.since('10.0.0.5', 'master', 3)
    expect(await redis.admin.info('commandstats')).toMatch(/^cmdstat_hget:calls=2,/m)
  })
})

test.each([
  ['with its connections open', true],
  ['before the first question', false],
])(
  'a Redis that hangs, %s, is given up in a second, and is read again when it goes on',
  async (_, before) => {
    if (before) await store.figures()
    const pid = Number(/^process_id:(\d+)/m.exec(await redis.admin.info('server'))?.[1])
    process.kill(pid, 'SIGSTOP')
    try {
      // What was read a moment ago is good for a second: the question is put after it.
      await until('the figures are refused', 5000, () =>
        store.figures().then(
          () => false,
          () => true,
        ),
      )
      // 0.9 s, and what a busy machine adds.
      for (const ask of [() => store.figures(), () => store.since('10.0.0.5', 'master', 9)]) {
        const asked = performance.now()
        expect(await ask().catch(() => undefined)).toBeUndefined()
        expect(performance.now() - asked).toBeLessThan(1500)
      }
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await until('it is read again', 5000, async () => (await store.figures()).logEntries === 0)
    await until('no connection is left over', 5000, async () => (await connections()) === 2)
  },
)

test('a server that joins a cluster is read with the keys of that from then on', async () => {
  await agent('leaf01', { version: 'Fresh' })
  expect((await store.figures()).agents.fresh).toBe(1)
  const own = prefix
  prefix = 'nq:other:'
  await until('the reader may not read these', 5000, () =>
    store.figures().then(
      () => false,
      (error: Error) => /NOPERM|permission/.test(error.message),
    ),
  )
  prefix = own
  expect((await store.figures()).agents.fresh).toBe(1)
})
