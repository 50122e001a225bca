import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { check } from '../../lab/check.ts'
import { Progress } from '../../lab/progress.ts'
import { TestCluster } from '../support/cluster.ts'
import { until } from '../support/until.ts'

let cluster: TestCluster
beforeEach(() => {
  cluster = new TestCluster()
})
afterEach(() => cluster.end())

const shown = (name: string) => cluster.shown(name)
const addServers = (name: string, words?: readonly string[]) => cluster.addServers(name, words)
const formed = () => cluster.form()

describe('the main job', () => {
  test('kills the master under load: nothing acknowledged is lost, nothing is doubled, order is kept', async () => {
    expect(await check(cluster, new Progress(process.stdout))).toBe(0)
  })
})

describe('formation', () => {
  test.each([
    ['ts03', 'ts01', 'ts02'],
    ['ts02', 'ts03', 'ts01'],
  ])(
    'runs in the order %s, %s, %s without waiting, and ends with the first address as the master',
    async (...names) => {
      await cluster.start()
      const [a, b, c] = cluster.addresses
      await until('all answer', 10_000, async () => {
        const answers = await Promise.all(
          names.map((name) => cluster.netq(name, 'config', 'ts', 'show', 'server')),
        )
        return answers.every(({ status }) => status === 0)
      })
      const first = await addServers(names[0]!)
      expect(first.out).toContain('1 of 3 servers are configured.')
      expect((await addServers(names[1]!)).out).toContain('2 of 3 servers are configured.')
      const last = await addServers(names[2]!)
      expect(last).toMatchObject({ status: 0, err: '' })
      expect(last.out).toContain(`HA mode is on: ${a} is the master, ${b} and ${c} are its replicas.`)
      for (const name of names) {
        await until(`${name} shows the same`, 10_000, async () => {
          expect(await shown(name)).toEqual([
            `${a} master ${a} ok`,
            `${b} replica ${a} ok`,
            `${c} replica ${a} ok`,
          ])
          return true
        })
      }
    },
  )

  test('goes on by itself when servers were told different lists and the operator puts it right', async () => {
    await cluster.start()
    const [a, b, c] = cluster.addresses
    await until('ts01 answers', 10_000, async () => (await addServers('ts01')).status === 0)
    const other = await addServers('ts02', [b!, a!, c!])
    expect(other.out).toContain(`${a} was given another list: ${a} ${b} ${c}.`)
    expect(other.status).toBe(1)
    await addServers('ts02')
    expect((await addServers('ts03')).out).toContain(`HA mode is on: ${a} is the master`)
  })

  test.each([
    [
      'a name',
      ['ts01', '127.0.0.6', '127.0.0.7'],
      /ts01 is not an IPv4 address\. You cannot use DNS names here/,
    ],
    ['a duplicate', ['127.0.0.5', '127.0.0.5', '127.0.0.7'], /127\.0\.0\.5 is given twice/],
    ['two addresses', ['127.0.0.5', '127.0.0.6'], /2 addresses were given, and a cluster has exactly three/],
    ['four addresses', ['127.0.0.5', '127.0.0.6', '127.0.0.7', '127.0.0.8'], /4 addresses were given/],
    [
      'addresses of others',
      ['127.0.0.5', '127.0.0.6', '127.0.0.7'],
      /None of .* is an address of this server/,
    ],
  ])('refuses %s in one clear sentence, and changes nothing', async (_, words, sentence) => {
    await cluster.start()
    await until('ts01 is ok', 10_000, async () => (await shown('ts01'))[0]!.endsWith(' ok'))
    const before = await shown('ts01')
    const { status, err, out } = await addServers('ts01', words)
    expect(out).toBe('')
    expect(err).toMatch(sentence)
    expect(err).toMatch(/Nothing was changed/)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(1)
    expect(await shown('ts01')).toEqual(before)
  })
})

describe('after a crash', () => {
  test('the old master comes back as a replica, and all three say so', async () => {
    await formed()
    const [a, b, c] = cluster.addresses
    const old = cluster.named('ts01')
    await old.kill()
    await until('another is the master', 20_000, async () =>
      (await shown('ts02')).some((line) => /master .* ok$/.test(line)),
    )
    const [first] = await shown('ts02')
    expect(first).toMatch(`${a} replica`)
    expect(first).toMatch('unreachable: cts-auth')
    await old.start()
    await until('all are ok', 20_000, () => cluster.allOk(old))
    const now = (await shown('ts01')).find((line) => / master /.test(line))!.split(' ')[0]!
    expect([b, c]).toContain(now)
    for (const { name } of cluster.servers) {
      await until(`${name} shows the same`, 20_000, async () => {
        const lines = cluster.addresses.map((ip) => `${ip} ${ip === now ? 'master' : 'replica'} ${now} ok`)
        expect(await shown(name)).toEqual(lines)
        return true
      })
    }
  })

  test('a master whose Redis alone is killed is replaced, and follows the new one', async () => {
    await formed()
    await cluster.named('ts01').services.kill('redis')
    await until('another is the master and all are ok', 20_000, async () => {
      const lines = await shown('ts01')
      return (
        lines[0]!.startsWith(`${cluster.addresses[0]} replica`) && lines.every((line) => line.endsWith(' ok'))
      )
    })
  })

  test('a master that is killed and started again at once never comes back as the master of an older copy', async () => {
    await formed()
    const server = cluster.named('ts01')
    await server.kill()
    await server.start()
    await until('all are ok', 30_000, () => cluster.allOk(cluster.named('ts02')))
    const masters = (await shown('ts02')).filter((line) => / master /.test(line))
    expect(masters).toHaveLength(1)
  })

  test('all three come back after a power loss, with what they held', async () => {
    await formed()
    await cluster.netq(undefined, 'config', 'add', 'server', ...cluster.addresses)
    await cluster.netq(undefined, 'config', 'restart', 'agent')
    const count = async () => (await cluster.netq('ts03', 'show', 'interfaces', 'count')).out
    await until('the agent is shown', 20_000, async () => /records: [1-9]/.test(await count()))
    const before = await count()
    await cluster.nodeServices.stop('netq-agent')
    await Promise.all(cluster.servers.map((server) => server.kill()))
    await Promise.all(cluster.servers.map((server) => server.start()))
    await until('all are ok', 40_000, () => cluster.allOk(cluster.named('ts03')))
    expect(await count()).toBe(before)
  })
})
