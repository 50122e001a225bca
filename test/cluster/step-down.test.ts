import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readSecrets } from '../../src/config/secrets.ts'
import { connect } from '../../src/store/connection.ts'
import { ADMIN, SENTINEL_PORT } from '../../src/store/names.ts'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = new TestCluster()
  await cluster.form()
})
afterEach(() => cluster.end())

const ALL = ['ts01', 'ts02', 'ts03']
const stepDown = (on: string) => cluster.netq(on, 'config', 'ts', 'step-down')

/** How often the Sentinel of a server reads roles, in milliseconds, by its own word. */
async function periodOf(name: string): Promise<number> {
  const { address: host, paths } = cluster.named(name)
  const login = { username: ADMIN, password: readSecrets(paths)!.admin }
  const sentinel = await connect({ host, port: SENTINEL_PORT, login })
  try {
    const said = (await sentinel.call('SENTINEL', 'DEBUG')) as string[]
    return Number(said[said.indexOf('INFO-PERIOD') + 1])
  } finally {
    sentinel.disconnect()
  }
}

describe('stepping down', () => {
  test('hands over to the next in step, and the next time not to the one that has just stepped down', async () => {
    const [a, b, c] = cluster.addresses as [string, string, string]
    await cluster.load()
    const first = await stepDown('ts01')
    expect(first.out).toBe(`${a} hands over to ${b}.\n${b} is the master; ${a} may be stopped.\n`)
    expect(first.status).toBe(0)
    const again = await stepDown('ts01')
    expect(again).toMatchObject({
      out: `${a} is not the master: there is nothing to hand over.\n`,
      status: 0,
    })
    const second = await stepDown('ts02')
    expect(second.out).toBe(`${b} hands over to ${c}.\n${c} is the master; ${b} may be stopped.\n`)
    const { master, order } = await cluster.agreed(ALL)
    expect([master, order]).toEqual([c, [a, b, c].join(' ')])
    const { changes } = JSON.parse(
      (await cluster.netq('ts01', 'config', 'ts', 'show', 'history', 'json')).out,
    ) as { changes: { why: string }[] }
    expect(changes.slice(0, 2).map(({ why }) => why)).toEqual(['switchover', 'switchover'])
    expect(await cluster.verdict(ALL)).toBe('')
  })

  test('is refused at once where no server could take over, and the master stays it', async () => {
    const [a] = cluster.addresses
    await Promise.all(['ts02', 'ts03'].map((name) => cluster.named(name).kill()))
    await until('the replicas are gone', 20_000, async () => {
      return (await cluster.shown('ts01'))[0] === `${a} master ${a} no writes: no replica`
    })
    const asked = performance.now()
    const { out, status } = await stepDown('ts01')
    expect(out).toBe('No replica is in step with this server, so none can take over. Nothing was changed.\n')
    expect(status).toBe(1)
    expect(performance.now() - asked).toBeLessThan(5000)
  })
})

describe('what runs with the settings of another version', () => {
  test('is started anew with those of this one, one server at a time, and nothing is lost', async () => {
    const [a] = cluster.addresses
    await cluster.load()
    const before = new Map<string, string>()
    for (const { name, paths, services } of cluster.servers) {
      for (const service of ['redis', 'sentinel'] as const)
        before.set(`${name} ${service}`, JSON.stringify(await services.running(service)))
      await services.stop('cts-auth')
      for (const path of [paths.redisConfig, paths.sentinelConfig])
        writeFileSync(path, readFileSync(path, 'utf8').replace(/^# settings .*$/m, '# settings 0'))
    }
    const ends = async () => {
      const now = new Map<string, string>()
      for (const { name, services } of cluster.servers)
        for (const service of ['redis', 'sentinel'] as const)
          now.set(`${name} ${service}`, JSON.stringify(await services.running(service)))
      return [...before].filter(([key, process]) => now.get(key) === process).map(([key]) => key)
    }
    await Promise.all(cluster.servers.map(({ services }) => services.start('cts-auth')))
    await until('all but the Redis of the master are new', 60_000, async () => {
      expect(await ends()).toEqual(['ts01 redis'])
      return true
    })
    expect((await cluster.agreed(ALL)).master).toBe(a)
    expect((await stepDown('ts01')).status).toBe(0)
    await until('that one, too', 60_000, async () => {
      expect(await ends()).toEqual([])
      return true
    })
    await cluster.agreed(ALL)
    expect(await cluster.verdict(ALL)).toBe('')
  })

  test('a Sentinel that somebody else started reads the roles as often as the others', async () => {
    expect(await periodOf('ts02')).toBe(500)
    await cluster.named('ts02').services.restart('sentinel')
    await until('it does', 20_000, async () => (await periodOf('ts02')) === 500)
  })
})
