import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { handOver } from '../../src/cluster/hand-over.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { connect } from '../../src/store/connection.ts'
import { ADMIN, MASTER_NAME, REDIS_PORT } from '../../src/store/names.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

// A machine with other work on it needs several times as long as an idle one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let ground: Ground

beforeEach(async () => {
  ground = Ground.onLoopback()
  await ground.form()
})
afterEach(() => ground.stop())

const fullCopies = (address: string) => ground.info(address, 'stats', 'sync_full')

test('trap 1: the master is changed under load, and nothing is lost', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  expect(await ground.add('ts01', [b, a, c])).toMatchObject({ status: 0, err: '' })
  expect(await ground.settled()).toBe(b)
  await ground.expectWhole(load)
})

test('trap 1: nothing is lost either when somebody forces the Sentinels to replace a master that lives', async () => {
  const [, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.sentinel(c, 'SENTINEL', 'FAILOVER', MASTER_NAME)
  await ground.promoted(b, c)
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 1, without the protection: writers that trust WAIT lose what the live master took meanwhile', async () => {
  const [, b, c] = ground.addresses
  const load = await ground.load({ kind: 'plain', count: 10, replicas: 1 })
  await ground.sentinel(c, 'SENTINEL', 'FAILOVER', MASTER_NAME)
  await ground.promoted(b, c)
  const master = await ground.settled()
  await load.quiet()
  expect((await load.check(ground.at(master))).lost).toBeGreaterThan(0)
})

test('trap 2: a hand-over whose controllers die in the middle ends with the server that was wanted', async () => {
  const [a, b] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  for (const ip of [a, b]) await ground.at(ip).services.kill('cts-auth')
  await ground.redis(b, 'CONFIG', 'SET', 'replica-priority', '1')
  await until('every Sentinel knows which one is wanted', 10_000, async () => {
    const known = await Promise.all(
      ground.addresses.map((ip) => ground.sentinel(ip, 'SENTINEL', 'REPLICAS', MASTER_NAME)),
    )
    return known.every((replicas) => /^slave-priority\n1$/m.test(replicas))
  })
  const login = { username: ADMIN, password: readSecrets(ground.at(a).paths)!.admin }
  const [master, successor] = await Promise.all(
    [a, b].map((host) => connect({ host, port: REDIS_PORT, login, localAddress: host })),
  )
  await handOver(master!, successor!, b)
  for (const redis of [master, successor]) redis!.disconnect()
  expect(await ground.named(a)).toBe(a)
  for (const ip of [a, b]) await ground.at(ip).start()
  expect(await ground.settled()).toBe(b)
  await ground.expectWhole(load)
  await until('all priorities are equal again', 10_000, async () => {
    return /100$/.test(await ground.redis(b, 'CONFIG', 'GET', 'replica-priority'))
  })
})

test('trap 3: a change of master does not look like a loss to the Sentinels', async () => {
  const [a, b, c] = ground.addresses
  await ground.load({ kind: 'agent', count: 3 })
  for (const order of [
    [b, a, c],
    [c, b, a],
    [a, b, c],
  ]) {
    await ground.add('ts02', order)
    expect(await ground.settled()).toBe(order[0])
  }
  expect(ground.sentinelLogs()).not.toMatch(/\+odown/)
})

test('trap 3: writes that stay paused too long cost a failover at most, and no change', async () => {
  const [a] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const paused = Date.now()
  await ground.redis(a, 'CLIENT', 'PAUSE', '4000', 'WRITE')
  await until('changes are acknowledged again', 20_000, () => load.acknowledgedSince(paused + 1000))
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 19: two operators at once get one change, and the other is told', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const answers = await Promise.all([ground.add('ts02', [b, a, c]), ground.add('ts03', [c, a, b])])
  const master = await ground.settled()
  const [won, other] = master === b ? answers : answers.toReversed()
  expect(won!.out).toContain(`${master} is the master,`)
  expect(won!.status).toBe(0)
  expect(other!.out).toMatch(/changed meanwhile/)
  expect(other!.status).toBe(1)
  await ground.expectWhole(load)
})

test('trap 22: a change of master needs no full copy', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.add('ts01', [b, a, c])
  expect(await ground.settled()).toBe(b)
  expect(await fullCopies(b)).toBe('0')
  expect(await ground.info(b, 'stats', 'sync_partial_ok')).toBe('2')
  await ground.expectWhole(load)
})
