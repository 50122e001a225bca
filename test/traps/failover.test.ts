import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connect } from '../../src/store/connection.ts'
import { REDIS_PORT } from '../../src/store/names.ts'
import { Session } from '../../src/store/session.ts'
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

test('trap 5: a master that was frozen and goes on when another is the master loses nothing', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.pause(a, 'redis')
  await ground.promoted(b, c)
  await ground.resume(a, 'redis')
  expect(await ground.settled()).not.toBe(a)
  await ground.expectWhole(load)
})

test('trap 5, without the protection: writers that believe an answer lose what the frozen master took', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'plain', count: 10 })
  await ground.pause(a, 'redis')
  await ground.promoted(b, c)
  await ground.resume(a, 'redis')
  const master = await ground.settled()
  await load.quiet()
  expect((await load.check(ground.at(master))).lost).toBeGreaterThan(0)
})

test('trap 7: a master that dies and comes back empty at once does not empty the others', async () => {
  const [a] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const { paths, services } = ground.at(a)
  await services.kill('redis')
  rmSync(paths.redisData, { recursive: true, force: true })
  expect(await ground.settled()).not.toBe(a)
  await ground.expectWhole(load)
})

test('trap 7, without the protection: an empty Redis that starts as a master empties its replicas', async () => {
  const [a, b] = ground.addresses
  const load = await ground.load({ kind: 'plain', count: 2, replicas: 1 })
  await load.quiet()
  // Nor may the Sentinels see it: it is back before they do, here however busy the machine is.
  for (const server of ground.cluster.servers) await server.services.stop('cts-auth')
  for (const server of ground.cluster.servers) await server.services.stop('sentinel')
  const { paths, services } = ground.at(a)
  await services.kill('redis')
  rmSync(paths.redisData, { recursive: true, force: true })
  mkdirSync(paths.redisData)
  writeFileSync(paths.redisConfig, readFileSync(paths.redisConfig, 'utf8').replace(/^replicaof .*$/m, ''))
  await services.start('redis')
  await until('the replica has lost what was acknowledged', 10_000, async () => {
    return (await load.check(ground.at(b))).lost > 0
  })
})

test('trap 8: the old master takes no write when it comes back, also from one who writes to it alone', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.at(a).kill()
  await ground.promoted(b, c)
  let [taken, over] = [0, false]
  const refusals = new Set<string>()
  const writer = (async () => {
    while (!over) {
      try {
        const redis = await connect({ host: a, port: REDIS_PORT })
        try {
          await redis.call('FCALL', 'netq_hello', 0, 'direct', 'aa', 'bb', 1)
          taken += 1
        } finally {
          redis.disconnect()
        }
      } catch (error) {
        refusals.add((error as Error).message.split(' ')[0]!)
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })()
  await ground.at(a).start()
  expect(await ground.settled()).not.toBe(a)
  over = true
  await writer
  expect(taken).toBe(0)
  expect(refusals).toContain('READONLY')
  await ground.expectWhole(load)
})

test('trap 13: after an attempt that found no replica the next one comes in seconds, not minutes', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.pause(b, 'redis')
  await ground.pause(c, 'redis')
  await ground.at(a).kill()
  await until('the first attempt is given up', 20_000, () => /-failover-abort/.test(ground.sentinelLogs()))
  await ground.resume(b, 'redis')
  await ground.resume(c, 'redis')
  const start = Date.now()
  await ground.promoted(b, c)
  expect(Date.now() - start).toBeLessThan(30_000)
  await ground.at(a).start()
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 14: what no replica has is not acknowledged, though a WAIT alone would say so', async () => {
  const [a, b, c] = ground.addresses
  await until('the master counts both replicas', 10_000, async () => {
    return (await ground.redis(a, 'INFO', 'replication')).match(/state=online/g)?.length === 2
  })
  await ground.pause(b, 'redis')
  await ground.pause(c, 'redis')
  const [writer, agent] = await Promise.all([1, 2].map(() => connect({ host: a, port: REDIS_PORT })))
  await writer!.call('FCALL', 'netq_hello', 0, 'sw1', 'aa', 'bb', 1)
  expect(await firstAnswer(a, 'WAIT 2 600')).toBe(':2')
  await expect(new Session(a, agent!, 'sw2', 'aa').hello(Date.now())).rejects.toThrow(
    `no replica of ${a} confirmed within 600 ms`,
  )
  for (const redis of [writer, agent]) redis!.disconnect()
})

/** What Redis answers to the very first command of a connection. */
function firstAnswer(host: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: REDIS_PORT }, () => socket.write(`${command}\r\n`))
    socket.once('error', reject)
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString().trim())
    })
  })
}

test('trap 17: a configuration that could not be written does not bring a master back as a master', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const asMaster = readFileSync(ground.at(a).paths.redisConfig, 'utf8').replace(/^replicaof .*$/m, '')
  // Without its folder, what Redis and Sentinel write of themselves fails, on all three.
  for (const { paths } of ground.cluster.servers) rmSync(dirname(paths.redisConfig), { recursive: true })
  await ground.at(a).kill()
  const master = await ground.promoted(b, c)
  mkdirSync(dirname(ground.at(a).paths.redisConfig))
  writeFileSync(ground.at(a).paths.redisConfig, asMaster)
  writeFileSync(ground.at(a).paths.sentinelConfig, 'sentinel monitor netq 127.0.0.1 1 half a li')
  await ground.at(a).start()
  expect(await ground.settled()).toBe(master)
  await ground.expectWhole(load)
})

test('trap 20: the list of before, run again after a failover, does not undo it', async () => {
  const [a] = ground.addresses
  await ground.at(a).kill()
  await ground.promoted(...ground.addresses.slice(1))
  await ground.at(a).start()
  const master = await ground.settled()
  for (const { name } of ground.cluster.servers) {
    const { out, status } = await ground.add(name)
    expect(status).toBe(0)
    expect(out).toContain(`already; ${master} is the master. Nothing was changed.`)
  }
  expect(await ground.settled()).toBe(master)
  expect(await ground.isMaster(a)).toBe(false)
})
