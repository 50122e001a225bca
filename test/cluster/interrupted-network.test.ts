import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type LabNetwork, SPARE_ADDRESS, whyNoNetwork } from '../../lab/netns.ts'
import { LabServer } from '../../lab/server.ts'
import { skip } from '../setup/skip.ts'
import { Ground } from '../support/ground.ts'
import { expectTrue } from '../support/interrupted.ts'
import { whenLogged } from '../support/moments.ts'
import { until } from '../support/until.ts'

/** For how long the network is cut, in milliseconds. */
const CUT_MS = 15_000

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

/** Cuts two off from each other when this is logged, and heals that after a while; resolves when it is healed. */
function cutWhen(on: LabServer, pattern: RegExp, a: string, b: string): Promise<void> {
  let cut = 0
  const forget = whenLogged(on, pattern, () => {
    network.partition(a, b)
    cut = Date.now()
  })
  return until(
    `${pattern} is logged, and the cut is over`,
    60_000,
    () => cut > 0 && Date.now() - cut > CUT_MS,
  )
    .then(() => network.heal())
    .finally(forget)
}

/** The list that a server has, and that nothing is asked for there any more. */
function listOn(ground: Ground, address: string): string {
  const { desired, proposal } = JSON.parse(readFileSync(ground.at(address).paths.clusterState, 'utf8')) as {
    desired?: { order: string[] }
    proposal?: object
  }
  return proposal ? 'a change is under way' : (desired?.order.join(' ') ?? '')
}

test.each([
  ['the successor prepares', /mark: \S+ prepares/],
  ['the master hands over', /switch-over: /],
])(
  'a change of master whose two servers are cut off from each other when %s ends in one of two states',
  async (_, moment) => {
    const ground = await formed()
    const [a, b, c] = ground.addresses
    const load = await ground.load({ kind: 'agent', count: 3 })
    const healed = cutWhen(ground.at(a), moment, a, b)
    const change = ground.add('ts03', [b, a, c])
    await healed
    const { out } = await change
    const master = await ground.settled()
    await until('all three have one list', 20_000, () => {
      return new Set(ground.addresses.map((ip) => listOn(ground, ip))).size === 1
    })
    const order = listOn(ground, a)
    expect([`${a} ${b} ${c}`, `${b} ${a} ${c}`]).toContain(order)
    expectTrue(out, { master, order })
    if (/Nothing was changed/.test(out)) expect(order).toBe(`${a} ${b} ${c}`)
    await ground.expectWhole(load)
  },
)

test('a replacement whose new server is cut off from the master is made once the network is whole', async () => {
  const ground = await formed()
  const [a, b, c] = ground.addresses
  const load = await ground.load({ kind: 'agent', count: 3 })
  const { cluster } = ground
  cluster.add(
    new LabServer('ts04', SPARE_ADDRESS, join(cluster.folder, 'ts04'), network.inside(SPARE_ADDRESS)),
  )
  await cluster.start()
  const wanted = [a, b, SPARE_ADDRESS]
  await until('the new server is told', 15_000, async () => (await ground.add('ts04', wanted)).status === 0)
  const healed = cutWhen(ground.at(a), /commit: /, a, SPARE_ADDRESS)
  const change = ground.add('ts02', wanted)
  await healed
  const { out, status } = await change
  expect(out).toContain(`${a} is the master, ${b} and ${SPARE_ADDRESS} are its replicas; all three agree.`)
  expect(status).toBe(0)
  await until('the replaced server is a single one', 20_000, async () => {
    return (await ground.shown('ts03')).join() === `${c} master ${c} ok`
  })
  const [replaced] = cluster.servers.splice(2, 1)
  expect(await ground.settled()).toBe(a)
  await ground.expectWhole(load)
  cluster.add(replaced!)
})
