import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { MASTER_NAME, REPLICA, SENTINEL } from '../../src/store/names.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

// A machine with other work on it needs several times as long as an idle one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

/** These look at one cluster after another's work; the one that kills comes last. */
let ground: Ground

beforeAll(async () => {
  ground = Ground.onLoopback()
  await ground.form()
})
afterAll(() => ground.stop())

/** redis-cli's lines of names and values, as a map. */
function pairs(text: string): Map<string, string> {
  const lines = text.split('\n')
  return new Map(lines.flatMap((name, i) => (i % 2 === 0 ? [[name, lines[i + 1] ?? '']] : [])))
}

test('trap 16: every server refuses writes without a replica, and the check is not switched off', async () => {
  for (const address of ground.addresses) {
    const lag = pairs(await ground.redis(address, 'CONFIG', 'GET', 'min-replicas-max-lag'))
    expect(Number(lag.get('min-replicas-max-lag'))).toBeGreaterThan(0)
    const replicas = pairs(await ground.redis(address, 'CONFIG', 'GET', 'min-replicas-to-write'))
    expect(replicas.get('min-replicas-to-write')).toBe('1')
  }
})

test('trap 18: with their limited users Sentinels and replicas may do all that they try', async () => {
  for (const address of ground.addresses) {
    await until('every Sentinel hears the others', 10_000, async () => {
      const text = await ground.sentinel(address, 'SENTINEL', 'SENTINELS', MASTER_NAME)
      const ages = [...text.matchAll(/^last-hello-message\n(\d+)$/gm)].map(([, age]) => Number(age))
      return ages.length === 2 && ages.every((age) => age < 4000)
    })
    const denied = await ground.redis(address, 'ACL', 'LOG')
    for (const user of [SENTINEL, REPLICA]) expect(denied).not.toContain(user)
  }
})

test('trap 24: servers that share a machine are known by their own addresses', async () => {
  const [a, b, c] = ground.addresses
  const online = await ground.redis(a, 'INFO', 'replication')
  expect([...online.matchAll(/^slave\d+:ip=([^,]+)/gm)].map(([, ip]) => ip).sort()).toEqual([b, c])
  for (const address of ground.addresses) {
    const replicas = await ground.sentinel(address, 'SENTINEL', 'REPLICAS', MASTER_NAME)
    expect([...replicas.matchAll(/^ip\n(.*)$/gm)].map(([, ip]) => ip).sort()).toEqual([b, c])
    const sentinels = await ground.sentinel(address, 'SENTINEL', 'SENTINELS', MASTER_NAME)
    const others = ground.addresses.filter((ip) => ip !== address)
    expect([...sentinels.matchAll(/^ip\n(.*)$/gm)].map(([, ip]) => ip).sort()).toEqual(others)
  }
})

test('trap 25: Sentinel keeps its own pace, and five failovers in a row each find their replica', async () => {
  for (const address of ground.addresses) {
    const periods = pairs(await ground.sentinel(address, 'SENTINEL', 'DEBUG'))
    expect(periods.get('PING-PERIOD')).toBe('1000')
    expect(periods.get('ASK-PERIOD')).toBe('1000')
  }
  const load = await ground.load({ kind: 'agent', count: 3 })
  for (let i = 0; i < 5; i++) {
    const master = await ground.settled()
    await ground.at(master).services.kill('redis')
    await until('another is the master', 20_000, async () => (await ground.settled()) !== master)
  }
  expect(ground.sentinelLogs()).not.toMatch(/-failover-abort-no-good-slave/)
  await ground.expectWhole(load)
})
