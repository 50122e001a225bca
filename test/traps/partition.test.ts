import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { AGENTS_ADDRESS, type LabNetwork, whyNoNetwork } from '../../lab/netns.ts'
import type { AgentStatus } from '../../src/api/types.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { MASTER_NAME } from '../../src/store/names.ts'
import { skip } from '../setup/skip.ts'
import { Ground } from '../support/ground.ts'
import { until } from '../support/until.ts'

// A machine with other work on it needs several times as long as an idle one.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let ground: Ground | undefined
let network: LabNetwork

async function formed(): Promise<Ground> {
  const why = whyNoNetwork()
  if (why !== undefined) skip(why)
  const made = Ground.inNamespaces()
  ground = made.ground
  network = made.network
  await ground.form()
  return ground
}
afterEach(async () => {
  await ground?.stop()
  ground = undefined
})

test('trap 4: of two replicas the one that has everything is promoted', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  network.partition(a, b)
  const behind = await load.acknowledged()
  await until('ts02 lacks changes', 10_000, async () => (await load.acknowledged()) > behind + 100)
  await ground.at(a).kill()
  network.heal()
  expect(await ground.promoted(b, c)).toBe(c)
  await ground.at(a).start()
  await ground.settled()
  await ground.expectWhole(load)
})

test('trap 4, without the protection: a priority promotes the replica that lacks what was acknowledged', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  // The control loops would give all servers the same priority again.
  for (const { services } of ground.cluster.servers) await services.stop('cts-auth')
  await ground.redis(b, 'CONFIG', 'SET', 'replica-priority', '1')
  await until('the Sentinels know the priority', 10_000, async () => {
    const known = await Promise.all(
      [b, c].map((ip) => ground.sentinel(ip, 'SENTINEL', 'REPLICAS', MASTER_NAME)),
    )
    return known.every((replicas) => /^slave-priority\n1$/m.test(replicas))
  })
  const load = await ground.load({ kind: 'plain', count: 3, replicas: 1 })
  network.partition(a, b)
  const behind = await load.acknowledged()
  await until('ts02 lacks changes', 10_000, async () => (await load.acknowledged()) > behind + 100)
  await ground.at(a).kill()
  network.heal()
  expect(await ground.promoted(b, c)).toBe(b)
  await load.quiet()
  expect((await load.check(ground.at(b))).lost).toBeGreaterThan(0)
})

test('trap 15: a master that is cut off with its agents acknowledges nothing, and nothing is lost', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  cutOff(a, b, c)
  const cut = Date.now()
  const master = await ground.promoted(b, c)
  await until('the old master is alone for long', 20_000, () => Date.now() - cut > 5000)
  // What was on its way when the network was cut may have been confirmed just before.
  expect(await load.acknowledgedSince(cut + 1000)).toBe(false)
  network.heal()
  expect(await ground.settled()).toBe(master)
  await ground.expectWhole(load)
})

test('trap 15, without the protection: writers that do not wait for a replica lose what the cut off master took', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'plain', count: 3 })
  cutOff(a, b, c)
  const master = await ground.promoted(b, c)
  network.heal()
  await ground.settled()
  await load.quiet()
  expect((await load.check(ground.at(master))).lost).toBeGreaterThan(0)
})

test('trap 23: agents notice a master that only fell silent, go to the next one, and say what they lack', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const { agentStatus } = pathsUnder(join(ground.cluster.folder, 'load', 'agent1'))
  const status = () => JSON.parse(readFileSync(agentStatus, 'utf8')) as AgentStatus

  network.partition(AGENTS_ADDRESS, a)
  await until('the agent says that it lost its master', 5000, () => {
    const { state, sentence } = status()
    return state === 'searching' && sentence.startsWith('no writable server: ') && sentence.includes(a)
  })
  expect(await ground.isMaster(a)).toBe(true)
  let since = Date.now()
  network.heal()
  await until('it is acknowledged again', 5000, () => load.acknowledgedSince(since))

  since = Date.now()
  network.isolate(a)
  await ground.promoted(b, c)
  await until('the next master acknowledges', 10_000, () => load.acknowledgedSince(since + 1000))
  expect(await load.longestGap(since, Date.now())).toBeLessThan(10_000)
  await until('the agent names it', 5000, () => [b, c].includes(status().master ?? ''))
  network.heal()
  await ground.settled()
  await ground.expectWhole(load)
  // Thousands of agents search at once: who has found the master leaves the Sentinels alone.
  for (const address of ground.addresses)
    expect(await ground.sentinel(address, 'CLIENT', 'LIST')).not.toContain(`addr=${AGENTS_ADDRESS}:`)
})

/** One side is the master with the agents, the other both replicas. */
function cutOff(master: string, ...replicas: string[]): void {
  for (const replica of replicas) {
    network.partition(master, replica)
    network.partition(AGENTS_ADDRESS, replica)
  }
}
