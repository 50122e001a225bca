import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MASTER_NAME } from '../../src/store/names.ts'
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

/** What this server's Sentinel says of the master, with how many replicas and Sentinels it knows. */
const picture = (address: string) => ground.sentinel(address, 'INFO', 'sentinel')

test('trap 9: Sentinels that do not exist are shown and forgotten, and a failover still finds its majority', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const seen = new Set<string>()
  for (const [i, ip] of [b, c].entries()) {
    const ghost = `${a.replace(/\.5$/, `.20${i}`)},26379,${String(i).repeat(40)},0,${MASTER_NAME},${a},6379,0`
    await ground.redis(ip, 'PUBLISH', '__sentinel__:hello', ghost)
  }
  await until('the strange Sentinels are shown, and forgotten', 20_000, async () => {
    for (const line of await ground.shown('ts01')) seen.add(line.split(' ').slice(3).join(' '))
    return (
      seen.has('stale sentinel') &&
      (await Promise.all(ground.addresses.map(picture))).every((said) => /,sentinels=3\b/.test(said))
    )
  })
  await ground.settled()
  await ground.at(a).kill()
  await ground.promoted(b, c)
  await ground.at(a).start()
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 10: a RESET by hand while the master is down does not end the cluster', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.at(a).kill()
  await Promise.all([b, c].map((ip) => ground.sentinel(ip, 'SENTINEL', 'RESET', MASTER_NAME)))
  await ground.promoted(b, c)
  await ground.at(a).start()
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 11: a Sentinel that slept through a change of master does not bring the old one back', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  await ground.at(c).services.stop('cts-auth')
  await ground.at(c).services.stop('sentinel')
  const change = ground.add('ts01', [b, a, c])
  await until('the others name the new master', 20_000, async () => {
    return (await ground.named(a)) === b && (await ground.named(b)) === b
  })
  // With the file of before, as a machine that was off has it.
  await ground.at(c).services.start('sentinel')
  await until('it has learned of the change', 10_000, async () => (await ground.named(c)) === b)
  await ground.at(c).start()
  expect(await ground.settled()).toBe(b)
  expect((await change).status).toBe(0)
  expect(ground.sentinelLogs()).not.toMatch(/[-+]reset-master|-monitor/)
  await ground.expectWhole(load)
})

test('trap 12: Sentinels that were frozen say so for half a minute, and a lost master is replaced nevertheless', async () => {
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  for (const ip of [b, c]) await ground.pause(ip, 'sentinel')
  const frozen = Date.now()
  await until('longer than a Sentinel takes for normal', 10_000, () => Date.now() - frozen > 3000)
  for (const ip of [b, c]) await ground.resume(ip, 'sentinel')
  await until('they are shown so', 10_000, async () => {
    const lines = await ground.shown('ts01')
    return lines.filter((line) => line.endsWith(' tilt')).length === 2
  })
  await ground.at(a).kill()
  await ground.promoted(b, c)
  await ground.at(a).start()
  await ground.settled(60_000)
  await ground.expectWhole(load)
})
