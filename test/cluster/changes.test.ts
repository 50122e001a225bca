import { rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
})
afterEach(() => cluster.end())

/** All that the three say when it is in order: this master, in this order. */
function inOrder(master: string, order: readonly string[]): string[] {
  return [...order].sort().map((ip) => `${ip} ${ip === master ? 'master' : 'replica'} ${master} ok`)
}

describe('changing the master by a new order', () => {
  test('loses and doubles nothing under load, and every server says the same', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.load()
    for (const [on, ...order] of [
      ['ts01', b, a, c],
      ['ts01', c, a, b],
      ['ts02', a, b, c],
    ] as [string, string, string, string][]) {
      const { out, status } = await cluster.addServers(on, order)
      expect(out).toContain(
        `${order[0]} is the master, ${order[1]} and ${order[2]} are its replicas; all three agree.`,
      )
      expect(status).toBe(0)
      for (const name of ['ts01', 'ts02', 'ts03']) {
        await until(`${name} shows it`, 10_000, async () => {
          expect(await cluster.shown(name)).toEqual(inOrder(order[0]!, order))
          return true
        })
      }
    }
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })

  test('is harmless on every server, as the page has it, and says what is so', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    expect((await cluster.addServers('ts01', [b, a, c])).status).toBe(0)
    for (const name of ['ts02', 'ts03']) {
      const again = await cluster.addServers(name, [b, a, c])
      expect(again).toMatchObject({ status: 0, err: '' })
      expect(again.out).toContain(`${b} is the master. Nothing was changed.`)
    }
  })

  test('an old list that is run again does not undo a failover', async () => {
    const [a] = cluster.addresses
    await cluster.named('ts01').kill()
    await until('another is the master', 20_000, async () =>
      (await cluster.shown('ts02')).some((l) => / master .* ok$/.test(l)),
    )
    await cluster.named('ts01').start()
    await cluster.settled('ts01')
    const before = await cluster.shown('ts01')
    expect((await cluster.addServers('ts01')).out).toMatch(/already; .* is the master. Nothing was changed./)
    await cluster.settled('ts01')
    await until('it is as it was', 15_000, async () => {
      expect(await cluster.shown('ts01')).toEqual(before)
      return true
    })
    expect(before[0]).toMatch(`${a} replica`)
  })

  test('two operators at once: one change is made, the other is refused or follows, and all agree', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.load()
    const answers = await Promise.all([
      cluster.addServers('ts02', [b, a, c]),
      cluster.addServers('ts03', [c, b, a]),
    ])
    const done = answers.filter(({ status }) => status === 0)
    expect(done.length).toBeGreaterThanOrEqual(1)
    for (const { out } of answers.filter(({ status }) => status !== 0))
      expect(out).toMatch(/changed meanwhile/)
    await cluster.settled('ts01')
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })

  test('to a server that is down is refused, and nothing changes', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.named('ts02').kill()
    await until('it is seen', 10_000, async () => /unreachable/.test((await cluster.shown('ts01'))[1]!))
    const { status, out } = await cluster.addServers('ts01', [b, a, c])
    expect(out).toMatch(
      `${b} is not a replica that is online, so it cannot be the master. Nothing was changed.`,
    )
    expect(status).toBe(1)
    await until('nothing has changed', 15_000, async () => {
      const lines = await cluster.shown('ts01')
      return lines[0] === `${a} master ${a} ok` && lines[2] === `${c} replica ${a} ok`
    })
  })
})

describe('replacing a server', () => {
  test('a replica, as the page has it: off, then the command on every server; what was replaced stays out', async () => {
    const [a, b] = cluster.addresses as [string, string, string]
    await cluster.load()
    const fresh = await cluster.newServer('ts04')
    await cluster.named('ts03').kill()
    const order = [a, b, fresh.address]
    expect((await cluster.addServers('ts01', order)).out).toContain(
      `Now run the same command on ${fresh.address}`,
    )
    expect((await cluster.addServers('ts02', order)).status).toBe(0)
    expect((await cluster.addServers('ts04', order)).status).toBe(0)
    for (const name of ['ts01', 'ts02', 'ts04']) {
      await cluster.settled(name)
      expect(await cluster.shown(name)).toEqual(inOrder(a, order))
    }
    await cluster.named('ts03').start()
    await until('ts03 knows that it was replaced', 15_000, async () => {
      expect(await cluster.shown('ts03')).toEqual([
        `${cluster.addresses[2]} master ${cluster.addresses[2]} ok`,
      ])
      return true
    })
    await cluster.settled('ts01')
    expect(await cluster.verdict(['ts01', 'ts02', 'ts04'])).toBe('')
  })

  test('the master itself, in one command: it hands over first', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.load()
    const fresh = await cluster.newServer('ts04')
    const order = [b, c, fresh.address]
    await cluster.addServers('ts04', order)
    const { status, out } = await cluster.addServers('ts02', order)
    expect(out).toContain(`${a} is the master now; ${b} is to be the master`)
    expect(out).toContain(`${fresh.address} takes the place of ${a}.`)
    expect(status).toBe(0)
    await cluster.settled('ts02')
    expect(await cluster.shown('ts02')).toEqual(inOrder(b, order))
    expect(await cluster.verdict(['ts02', 'ts03', 'ts04'])).toBe('')
  })

  test.each(['ts03', 'ts01'])('%s, whose disk was lost, comes back under its old address', async (name) => {
    await cluster.load()
    const lost = cluster.named(name)
    await lost.kill()
    const other = name === 'ts01' ? 'ts02' : 'ts01'
    await until('the others go on', 20_000, async () =>
      (await cluster.shown(other)).some((l) => / master .* ok$/.test(l)),
    )
    rmSync(lost.paths.root, { recursive: true, force: true })
    await lost.start()
    await until('it answers', 10_000, async () => (await cluster.addServers(name)).status === 0)
    for (const { name: peer } of cluster.servers.filter((one) => one !== lost)) {
      await until(`${peer} sees the new certificate`, 10_000, async () => {
        return (await cluster.addServers(peer)).out.includes(
          `The new certificate of ${lost.address} is believed`,
        )
      })
    }
    await cluster.settled(name)
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })
})
