import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

// A machine with other work on it needs several times as long as an idle one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let ground: Ground

beforeEach(() => {
  ground = Ground.onLoopback()
})
afterEach(() => ground.stop())

test('trap 6: after a full stop without the old master the newer copy is chosen', async () => {
  await ground.form()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.pause(b, 'redis')
  const behind = await load.acknowledged()
  await until('only ts03 has what is acknowledged', 10_000, async () => {
    return (await load.acknowledged()) > behind + 100
  })
  await Promise.all(ground.cluster.servers.map((server) => server.kill()))
  await ground.at(b).start()
  await ground.at(c).start()
  expect(await ground.promoted(b, c)).toBe(c)
  await ground.at(a).start()
  expect(await ground.settled()).toBe(c)
  await ground.expectWhole(load)
})

test('trap 21: a list that begins with an empty server is refused while another holds the data', async () => {
  await ground.cluster.start()
  const [a, b, c] = ground.addresses
  await until('a single server takes writes', 10_000, () => ground.isMaster(a))
  const load = await ground.load({ kind: 'agent', count: 2 }, [a])
  const wrong = [b, a, c]
  await ground.add('ts01', wrong)
  await ground.add('ts02', wrong)
  const { out, status } = await ground.add('ts03', wrong)
  expect(out).toContain(
    `${a} holds data and ${b} holds none: put ${a} first in the list. Nothing was changed.`,
  )
  expect(status).toBe(1)
  // What is acknowledged while the checker reads is not in what it has read: only a loss stays.
  await until('nothing is lost', 10_000, async () => (await load.check(ground.at(a))).lost === 0)
  for (const { name } of ground.cluster.servers) await ground.add(name)
  expect(await ground.settled()).toBe(a)
  await ground.expectWhole(load)
})
