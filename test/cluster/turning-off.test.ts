import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LabServer } from '../../lab/server.ts'
import { REDIS_PORT, SENTINEL_PORT } from '../../src/store/names.ts'
import { adminOf } from '../support/admin.ts'
import { TestCluster } from '../support/cluster.ts'
import { interrupted } from '../support/interrupted.ts'
import { killer, whenLogged } from '../support/moments.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
let a: string
let b: string
let c: string
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
  ;[a, b, c] = cluster.addresses as [string, string, string]
  await cluster.load()
})
afterEach(() => cluster.end())

const turnOff = (on: string) => cluster.netq(on, 'config', 'ts', 'del', 'server', 'yes')

async function signal(server: LabServer, name: 'redis' | 'sentinel', kind: 'SIGSTOP' | 'SIGCONT') {
  process.kill((await server.services.running(name))!.pid, kind)
}

/** All three are single servers, and the first has every change once. */
async function expectOff(...names: readonly string[]): Promise<void> {
  for (const name of names) await cluster.single(name)
  expect(await cluster.verdict(['ts01'])).toBe('')
}

describe('HA is turned off', () => {
  test('while a Sentinel is frozen, and cts-auth of the master is killed in the middle of it', async () => {
    const [one, two] = [cluster.named('ts01'), cluster.named('ts02')]
    await signal(two, 'sentinel', 'SIGSTOP')
    let answer: ReturnType<typeof turnOff> | undefined
    const { came } = await interrupted(one, /commit: /, one, () => {
      answer = turnOff('ts03')
      return answer
    })
    expect(came).toBe(true)
    expect(await answer).toMatchObject({ status: 0, out: expect.stringMatching(/HA mode is off\.\n$/) })
    await expectOff('ts01', 'ts02', 'ts03')
  })

  test('while no replica can confirm it: the master waits, and goes on alone when one has', async () => {
    const one = cluster.named('ts01')
    for (const name of ['ts02', 'ts03']) await signal(cluster.named(name), 'redis', 'SIGSTOP')
    const waits = new Promise<void>((resolve) => {
      whenLogged(one, /commit: no replica/, resolve)
    })
    const answer = turnOff('ts01')
    await waits
    // It must not go on alone yet: the others may be alive behind a cut, with a master of their own.
    expect(await cluster.listOf('ts01')).toBe(`${a} ${b} ${c}`)
    for (const name of ['ts02', 'ts03']) await signal(cluster.named(name), 'redis', 'SIGCONT')
    expect(await answer).toMatchObject({ status: 0, out: expect.stringMatching(/HA mode is off\.\n$/) })
    await expectOff('ts01', 'ts02', 'ts03')
  })

  test('and the Redis of the master dies before it has the settings of a single server', async () => {
    const one = cluster.named('ts01')
    const kill = await killer(one, 'redis')
    whenLogged(one, /stop-sentinel: HA is off/, kill)
    expect((await turnOff('ts02')).status).toBe(0)
    await expectOff('ts01', 'ts02', 'ts03')
  })

  test('and a member that was away returns to a cluster of others, or of the same, that was formed since', async () => {
    await cluster.named('ts03').kill()
    expect((await turnOff('ts01')).status).toBe(0)
    await cluster.single('ts02')
    const fourth = await cluster.newServer('ts04')
    await cluster.named('ts03').kill()
    const others = [a, b, fourth.address]
    for (const name of ['ts01', 'ts02', 'ts04'])
      expect((await cluster.addServers(name, others)).status).toBe(0)
    await cluster.agreed(['ts01', 'ts02', 'ts04'])
    await cluster.named('ts03').start()
    await cluster.single('ts03')
    expect(await cluster.agreed(['ts01', 'ts02', 'ts04'])).toEqual({ master: a, order: others.join(' ') })

    await fourth.kill()
    expect((await turnOff('ts02')).status).toBe(0)
    // The list is taken back before it comes true, and given again: what ended here before is not forgotten.
    await cluster.addServers('ts01', others)
    expect((await turnOff('ts01')).out).toMatch(/It waits for no other server any more/)
    await cluster.single('ts01')
    for (const name of ['ts01', 'ts02']) expect((await cluster.addServers(name, others)).status).toBe(0)
    await fourth.start()
    await cluster.single('ts04')
    expect((await cluster.addServers('ts04', others)).out).toContain(`HA mode is on: ${a} is the master`)
    expect(await cluster.agreed(['ts01', 'ts02', 'ts04'])).toEqual({ master: a, order: others.join(' ') })
    expect(await cluster.verdict(['ts01', 'ts02', 'ts04'])).toBe('')
  })
})

test('a replaced server whose cts-auth is dead is sent away by the members, and is never the master', async () => {
  const [one, three] = [cluster.named('ts01'), cluster.named('ts03')]
  const fourth = await cluster.newServer('ts04')
  await three.services.kill('cts-auth')
  const order = [a, b, fourth.address]
  await cluster.addServers('ts04', order)
  const { out, status } = await cluster.addServers('ts01', order)
  expect(out).not.toContain('Now run the same command')
  expect(status).toBe(0)
  await cluster.agreed(['ts01', 'ts02', 'ts04'])
  await until('its Sentinel watches nothing, and its Redis follows nobody', 10_000, async () => {
    const masters = await adminOf(three, SENTINEL_PORT, 'SENTINEL', 'MASTERS')
    const [, followed] = (await adminOf(three, REDIS_PORT, 'ROLE')) as string[]
    return (masters as unknown[]).length === 0 && followed === '127.0.0.1'
  })
  await one.kill()
  await until('another member is the master', 20_000, async () =>
    (await cluster.shown('ts02')).some((line) => / master .* ok$/.test(line)),
  )
  await one.start()
  await three.services.start('cts-auth')
  await cluster.single('ts03')
  expect((await cluster.agreed(['ts01', 'ts02', 'ts04'])).order).toBe(order.join(' '))
  expect(await cluster.verdict(['ts01', 'ts02', 'ts04'])).toBe('')
})
