import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
})
afterEach(() => cluster.end())

const ts = (on: string, ...words: string[]) => cluster.netq(on, 'config', 'ts', ...words)

describe('netq config ts', () => {
  test('show history names every change of master with its reason and its write gap', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.load()
    await cluster.addServers('ts01', [b, a, c])
    await cluster.named('ts02').kill()
    await until('another is the master', 20_000, async () =>
      (await cluster.shown('ts01')).some((l) => / master .* ok$/.test(l)),
    )
    await until('three changes are in the history', 10_000, async () => {
      const { changes } = JSON.parse((await ts('ts03', 'show', 'history', 'json')).out) as {
        changes: { from: string; to: string; why: string; gap?: number }[]
      }
      const [crash, switchover, formation] = changes
      expect(formation).toMatchObject({ from: '', to: a, why: 'started as a single server' })
      expect(switchover).toMatchObject({ from: a, to: b, why: 'switchover' })
      expect(crash).toMatchObject({ from: b, why: 'failover: the master was lost' })
      expect(switchover!.gap).toBeLessThan(crash!.gap!)
      return true
    })
    const { out } = await ts('ts01', 'show', 'history')
    expect(out).toMatch(/^When \(UTC\) +From +To +Why +Epoch +Write Gap +Batches Sent Again\n/)
  })

  test('add server dry-run says what would be done, and does nothing', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    const { out, status } = await ts('ts01', 'add', 'server', b, a, c, 'dry-run')
    expect(out).toBe(
      `${a} is the master now; ${b} is to be the master.\nThis was a dry run: nothing was changed.\n`,
    )
    expect(status).toBe(0)
    await until('nothing has changed', 15_000, async () => {
      return (await cluster.shown('ts01'))[0] === `${a} master ${a} ok`
    })
  })

  test('show server config shows what was configured against what is', async () => {
    const [a, b] = cluster.addresses as [string, string, string]
    const { out } = await ts('ts02', 'show', 'server', 'config')
    expect(out).toMatch(/^Server +Configured +Generation +Actual +Sentinel +Doing\n/)
    expect(out).toMatch(new RegExp(`\n${b} .* 1 +replica of ${a} +watches ${a} +a replica of ${a}`))
  })

  test('reset-cluster says what it would do, asks, and makes damaged Sentinels new without touching data', async () => {
    const [a] = cluster.addresses
    await cluster.load()
    const asked = await ts('ts02', 'reset-cluster')
    expect(asked.out).toContain(`${a} is the master and stays it; no data are touched.`)
    expect(asked.err).toBe('Nothing was changed. To do it, add the word: yes\n')
    expect(asked.status).toBe(1)
    const { out, status } = await ts('ts02', 'reset-cluster', 'yes')
    expect(out).toContain('The cluster is reset.')
    expect(status).toBe(0)
    await cluster.settled('ts01')
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })

  test('del server turns HA off: the master goes on alone with everything, and can form a cluster again', async () => {
    const [a, b] = cluster.addresses as [string, string, string]
    await cluster.load()
    expect((await ts('ts02', 'del', 'server')).status).toBe(1)
    await until('nothing has changed', 15_000, async () => {
      return (await cluster.shown('ts02'))[0] === `${a} master ${a} ok`
    })
    const { out, status } = await ts('ts02', 'del', 'server', 'yes')
    expect(out).toContain('HA mode is off.')
    expect(status).toBe(0)
    await until('both are single servers', 10_000, async () => {
      expect(await cluster.shown('ts01')).toEqual([`${a} master ${a} ok`])
      expect(await cluster.shown('ts02')).toEqual([`${b} master ${b} ok`])
      return true
    })
    expect(await cluster.verdict(['ts01'])).toBe('')
    for (const name of ['ts01', 'ts02', 'ts03']) expect((await cluster.addServers(name)).status).toBe(0)
    await cluster.settled('ts03')
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })

  test('with both replicas gone the master takes no writes and says so; with one back everything arrives', async () => {
    const [a] = cluster.addresses
    await cluster.load()
    await Promise.all([cluster.named('ts02').kill(), cluster.named('ts03').kill()])
    await until(
      'the screen says so',
      15_000,
      async () => (await cluster.shown('ts01'))[0] === `${a} master ${a} no writes: no replica`,
    )
    await until('agents are called waiting, not rotten', 15_000, async () => {
      const { out } = await cluster.netq('ts01', 'show', 'agents')
      return /load1 +Waiting/.test(out) && !/Rotten/.test(out)
    })
    await cluster.named('ts02').start()
    await until(
      'writes are taken again',
      20_000,
      async () => (await cluster.shown('ts01'))[0] === `${a} master ${a} ok`,
    )
    await cluster.named('ts03').start()
    await cluster.settled('ts01')
    expect(await cluster.verdict(['ts01', 'ts02', 'ts03'])).toBe('')
  })
})
