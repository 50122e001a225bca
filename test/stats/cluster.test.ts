import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readSecrets } from '../../src/config/secrets.ts'
import { Database } from '../../src/stats/database.ts'
import { influxUrl } from '../../src/stats/names.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { Ground } from '../support/ground.ts'
import { hasInflux, needsInflux } from '../support/influx.ts'
import { SampledHosts } from '../support/sampled.ts'
import { until } from '../support/until.ts'

/** One cluster for all of these: each begins with three servers that hold everything, and ends so. */
let ground: Ground
let hosts: SampledHosts

beforeEach(needsInflux)
beforeAll(async () => {
  if (!hasInflux) return
  ground = Ground.onLoopback()
  for (const server of ground.cluster.servers) server.extras = ['netq-influxdb', 'netq-stats-pushd']
  await ground.form()
  hosts = new SampledHosts(ground.cluster.folder, ground.addresses, 50, 500)
  hosts.start()
})
afterAll(async () => {
  await hosts?.stop()
  await ground?.stop()
})

/** Every sample that a server's InfluxDB holds, in the order of the text. */
async function held(address: string): Promise<string[]> {
  const now = Date.now()
  const points = await new Database(influxUrl(address)).points({ from: now - 3_600_000, to: now + 60_000 })
  return points.sort()
}

/** Waits until everything that was sampled is in each of the three InfluxDBs, once, and nothing else is. */
async function expectEqual(ms = 30_000): Promise<void> {
  hosts.quiet()
  await until('all samples are acknowledged', 30_000, () => hosts.acknowledged())
  const made = [...hosts.made].sort()
  for (const { name, address, paths } of ground.cluster.servers) {
    let points: string[] = []
    await until(`${name} holds all samples`, ms, async () => {
      points = await held(address)
      if (points.length !== made.length) {
        const said = [paths.statsLog, paths.influxLog].map((log) => readFileSync(log, 'utf8').slice(-1500))
        throw new Error(`${points.length} of ${made.length}; it said: ${said.join('\n')}`)
      }
      return true
    })
    expect(points.join('\n') === made.join('\n'), `${name} holds what was sampled`).toBe(true)
  }
  hosts.goOn()
}

/** Waits until that many more samples were made. */
async function more(samples: number): Promise<void> {
  const enough = hosts.made.length + samples
  await until('more samples are made', 30_000, () => hosts.made.length >= enough)
}

test('the samples of 50 hosts are in all three InfluxDBs, digit for digit', async () => {
  await more(500)
  await expectEqual()
})

test('the loss of the master in the middle of it makes no difference', async () => {
  const master = ground.at(await ground.settled())
  await more(200)
  await master.kill()
  await more(500)
  await master.start()
  await ground.settled()
  await expectEqual()
})

test('an InfluxDB that is killed in the middle of writes has everything when it is back', async () => {
  const { services } = ground.cluster.servers[1]!
  await services.kill('netq-influxdb')
  await more(300)
  await services.start('netq-influxdb')
  await more(100)
  await services.kill('netq-influxdb')
  await services.start('netq-influxdb')
  await expectEqual()
})

test('a server that was down takes what it missed out of the stream', async () => {
  const ts03 = ground.cluster.servers[2]!
  await ts03.kill()
  await more(300)
  await ts03.start()
  await expectEqual()
})

test('a server that was down for longer than the stream reaches takes it from the others', async () => {
  const master = await ground.settled()
  const down = ground.cluster.servers.find(({ address }) => address !== master)!
  await down.stop()
  await more(300)
  hosts.quiet()
  await until('the others have written everything', 30_000, async () => {
    const others = ground.cluster.servers.filter((one) => one !== down)
    const counts = await Promise.all(others.map(async ({ address }) => (await held(address)).length))
    return hosts.acknowledged() && counts.every((count) => count === hosts.made.length)
  })
  const { stats } = keysUnder(readSecrets(ground.at(master).paths)!.prefix)
  await ground.redis(master, 'XTRIM', stats, 'MAXLEN', '3')
  hosts.goOn()
  await more(100)
  await down.start()
  await expectEqual(40_000)
})

test('a server whose database is lost, and with it how far it was, has everything again', async () => {
  await new Database(influxUrl(ground.addresses[1])).query('DROP DATABASE "netq"')
  await more(100)
  await expectEqual(40_000)
})

test('the screen shows rates and totals of the local InfluxDB', async () => {
  const { out } = await ground.cluster.netq('ts02', 'host7', 'show', 'interface-stats', 'swp2')
  const [title, heads, , row] = out.split('\n')
  expect(title).toBe('Matching interface-stats records:')
  expect(heads).toMatch(/^Hostname {2,}Interface {2,}RX Rate {2,}TX Rate {2,}RX Bytes {2,}TX Bytes/)
  expect(row).toMatch(/^host7 +swp2 +\d+\.\d kbit\/s +0 bit\/s +\d+ +0 +0 +0 +0 +\d/)
  const json = JSON.parse((await ground.cluster.netq('ts02', 'show', 'interface-stats', 'json')).out)
  expect(json['interface-stats']).toHaveLength(100)
})
