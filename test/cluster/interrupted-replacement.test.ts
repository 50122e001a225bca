import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TestCluster } from '../support/cluster.ts'
import { expectTrue, interrupted } from '../support/interrupted.ts'
import { sample } from '../support/thorough.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
  await cluster.load()
})
afterEach(() => cluster.end())

const three = ['ts01', 'ts02', 'ts03'] as const
/** The server of this address. */
const at = (address: string) => cluster.servers.find((server) => server.address === address)!

describe('a replacement', () => {
  /** Who logs what: m the master, f the one before it where the master itself is replaced, n the new server, r the replaced one. */
  const replica = [
    ['m', /commit: /],
    ['n', /join: /],
    ['n', /start-redis: /],
    ['n', /start-sentinel: /],
    ['r', /retire: /],
    ['m', /stop-sentinel: the Sentinel here still knows/],
  ] as const
  const master = [
    ['m', /prioritize: this server is to be the next/],
    ['r', /switch-over: /],
    ['m', /finish-switchover: /],
    ['m', /commit: /],
    ['n', /join: /],
    ['r', /retire: /],
  ] as const

  test.each([
    ['a replica', replica],
    ['the master', master],
  ] as const)(
    'of %s ends in the new state when cts-auth of who does the next step is killed',
    async (what, steps) => {
      await cluster.newServer('ts04')
      let outside = cluster.named('ts04').address
      let { master: first, order } = await cluster.agreed(three)
      let kills = 0
      for (const [who, pattern] of sample(`kills in a replacement of ${what}`, steps, 3)) {
        const others = order.split(' ').filter((ip) => ip !== first)
        const [next = '', third = ''] = others
        const [stays, goes] = what === 'a replica' ? [first, third] : [next, first]
        const wanted = what === 'a replica' ? [first, next, outside] : [next, third, outside]
        const by = { m: at(stays), n: at(outside), r: at(goes) }
        await cluster.addServers(at(outside).name, wanted)
        const { out, came } = await interrupted(by[who], pattern, by[who], () =>
          cluster.addServers(at(what === 'a replica' ? next : third).name, wanted),
        )
        expect(out).not.toContain('Now run the same command')
        const now = await cluster.agreed(wanted.map((ip) => at(ip).name))
        expectTrue(out, now)
        expect(now, `killed at ${pattern}`).toEqual({ master: stays, order: wanted.join(' ') })
        await cluster.single(at(goes).name)
        ;({ master: first, order } = now)
        outside = goes
        if (came) kills += 1
      }
      expect(kills).toBeGreaterThanOrEqual(2)
      expect(await cluster.verdict(order.split(' ').map((ip) => at(ip).name))).toBe('')
    },
  )

  test('of the master while the third server is down says which server has not learned of it yet', async () => {
    const [, b, c] = cluster.addresses as [string, string, string]
    const { address: d } = await cluster.newServer('ts04')
    await cluster.named('ts03').kill()
    await cluster.addServers('ts04', [b, c, d])
    const { out, status } = await cluster.addServers('ts02', [b, c, d])
    expect(out).toContain(
      `${b} is the master, ${d} is its replica, and both agree. ${c} cannot be reached, and learns of the change when it is back.\n`,
    )
    expect(status).toBe(0)
    await cluster.named('ts03').start()
    expect(await cluster.agreed(['ts02', 'ts03', 'ts04'])).toEqual({ master: b, order: `${b} ${c} ${d}` })
    expect(await cluster.verdict(['ts02', 'ts03', 'ts04'])).toBe('')
  })
})
