import { createServer } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type LabNetwork, whyNoNetwork } from '../../lab/netns.ts'
import { MasterWatch } from '../../src/cluster/master-watch.ts'
import { MASTER_NAME, REDIS_PORT } from '../../src/store/names.ts'
import { skip } from '../setup/skip.ts'
import { freshAddresses } from '../support/addresses.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'
import { following } from './model/reports.ts'

let ground: Ground | undefined
let network: LabNetwork

/** A cluster whose Sentinels would take a minute to hold anybody for lost: what happens sooner is the servers' doing. */
async function withSlowSentinels(): Promise<Ground> {
  const why = whyNoNetwork()
  if (why !== undefined) skip(why)
  const made = Ground.inNamespaces()
  ground = made.ground
  network = made.network
  await ground.form()
  for (const address of ground.addresses)
    await ground.sentinel(address, 'SENTINEL', 'SET', MASTER_NAME, 'down-after-milliseconds', '60000')
  return ground
}
afterEach(async () => {
  await ground?.stop()
  ground = undefined
})

test('a master that is gone is replaced by the servers: one that falls silent, and one whose processes die', async () => {
  const ground = await withSlowSentinels()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  network.isolate(a)
  const second = await ground.promoted(b, c)
  network.heal()
  expect(await ground.settled()).toBe(second)
  await ground.at(second).kill()
  const third = await ground.promoted(...ground.addresses.filter((ip) => ip !== second))
  await ground.at(second).start()
  expect(await ground.settled()).toBe(third)
  await ground.expectWhole(load)
})

test('a master that only stands still is not replaced by them, nor one that a single server cannot reach', async () => {
  const ground = await withSlowSentinels()
  const [a, b] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.pause(a, 'redis')
  const paused = Date.now()
  await until('it has stood still for long', 20_000, () => Date.now() - paused > 5000)
  await ground.resume(a, 'redis')
  expect(await ground.settled()).toBe(a)
  network.partition(a, b)
  const cut = Date.now()
  await until('it was cut off from one for long', 20_000, () => Date.now() - cut > 5000)
  network.heal()
  expect(await ground.settled()).toBe(a)
  await ground.expectWhole(load)
})

test('what refuses connections is lost once the link to it is down; what accepts them is not', async () => {
  const [master, self] = freshAddresses()
  const watch = new MasterWatch(self)
  const orphan = following(master, { linkUp: false })
  await until('it refuses', 2000, async () => (await watch.look(orphan)) === 'refuses')
  expect(watch.alarmed).toBe(true)
  // The link of before is up: that Redis lives, whatever refuses new ones.
  expect(await watch.look(following(master, { silentSeconds: 1 }))).toBeUndefined()
  const accepts = createServer().listen(REDIS_PORT, master)
  try {
    await until('it accepts', 2000, async () => (await watch.look(orphan)) === undefined && !watch.alarmed)
  } finally {
    accepts.close()
  }
  expect(await watch.look(following(master, { silentSeconds: 0 }))).toBeUndefined()
  expect(await watch.look(undefined)).toBeUndefined()
})
