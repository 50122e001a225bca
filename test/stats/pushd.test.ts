import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { writeSecrets } from '../../src/config/secrets.ts'
import { Loop } from '../../src/platform/loop.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { Database } from '../../src/stats/database.ts'
import { rangesToFetch } from '../../src/stats/fill.ts'
import { pointsOf, pointsOfCsv } from '../../src/stats/points.ts'
import { Pushd } from '../../src/stats/pushd.ts'
import { StatsStream } from '../../src/stats/stream.ts'
import { keysUnder } from '../../src/store/keys.ts'
import { hasInflux, needsInflux, TestInflux } from '../support/influx.ts'
import { startStore } from '../support/redis.ts'
import { until } from '../support/until.ts'

describe('points', () => {
  it('have every counter, digit for digit', () => {
    const [point] = pointsOf({
      id: '1-0',
      host: 'leaf01',
      time: '1795458337000',
      lines: 'swp1\t{"rx_bytes":9007199254740993,"tx_drop":2}',
    })
    expect(point).toBe(
      'interface_stats,hostname=leaf01,interface=swp1 rx_bytes=9007199254740993i,rx_packets=0i,rx_errs=0i,rx_drop=0i,' +
        'rx_frame=0i,rx_multicast=0i,tx_bytes=0i,tx_packets=0i,tx_errs=0i,tx_drop=2i,tx_colls=0i,tx_carrier=0i 1795458337000',
    )
  })

  it('have nothing that InfluxDB would refuse', () => {
    const lines = 'swp1\t{"rx_bytes":18446744073709551615,"rx_drop":"many","other":5}'
    const [point] = pointsOf({ id: '1-0', host: 'leaf01', time: '1', lines })
    expect(point).toContain('rx_bytes=9223372036854775807i,')
    expect(point).toContain('rx_drop=0i,')
    expect(point).not.toContain('other')
  })

  it('come from CSV as they went in', () => {
    const csv =
      'name,tags,time,hostname,interface,...\ninterface_stats,,5,leaf01,swp1,9007199254740993,2,3,4,5,6,7,8,9,10,11,12\n'
    expect(pointsOfCsv(csv)).toEqual([
      expect.stringMatching(
        /^interface_stats,hostname=leaf01,interface=swp1 rx_bytes=9007199254740993i,.*tx_carrier=12i 5$/,
      ),
    ])
    expect(pointsOfCsv('')).toEqual([])
  })
})

test('minutes in which another server has another number of samples are fetched, joined while they are few', () => {
  const minute = (n: number) => n * 60_000
  const theirs = [1, 2, 3, 5, 6, 9].map((n) => [minute(n), 4] as const)
  const mine = [
    [minute(1), 4],
    [minute(5), 3],
    [minute(9), 5],
  ] as const
  const ranges = rangesToFetch(mine, theirs, 8).map(({ from, to }) => `${from / 60_000}-${to / 60_000}`)
  expect(ranges).toEqual(['2-4', '5-7', '9-10'])
  expect(rangesToFetch([], theirs, 3)).toHaveLength(6)
})

describe('netq-stats-pushd', () => {
  let store: Awaited<ReturnType<typeof startStore>>
  let influx: TestInflux
  let database: Database
  let stream: StatsStream
  let root: string
  const said: string[] = []
  const say = (sentence: string) => void said.push(sentence)
  const log = { debug() {}, info: say, warning: say, error: say }

  beforeEach(async () => {
    needsInflux()
    said.length = 0
    store = await startStore()
    influx = new TestInflux()
    root = mkdtempSync(join(tmpdir(), 'ps-'))
    const paths = pathsUnder(root)
    mkdirSync(join(root, 'etc/cts'), { recursive: true })
    writeSecrets(paths, store.secrets.key)
    stream = new StatsStream(paths, store.address)
    database = new Database(influx.url)
  })
  afterEach(async () => {
    if (!hasInflux) return
    stream.close()
    await influx.remove()
    await store.stop()
    rmSync(root, { recursive: true, force: true })
  })

  const pushd = () => new Pushd({ stream, database, retentionDays: 30, log })
  const key = () => keysUnder(store.secrets.prefix).stats
  const add = (id: string, time: number, port = 'swp1') =>
    store.admin.xadd(key(), id, 'h', 'leaf01', 't', String(time), 'd', `${port}\t{"rx_bytes":${time}}`)
  const times = async () => {
    const points = await database.points({ from: 0, to: Date.now() + 3_600_000 })
    return points.map((point) => Number(point.split(' ').at(-1))).sort()
  }

  it('goes on where this InfluxDB ends, and back by ten minutes when the master is another', async () => {
    await influx.start()
    const now = Date.now() - 100_000
    await add(`${now}-0`, now)
    await pushd().step()
    expect(await database.progress()).toMatchObject({ id: `${now}-0` })
    // The next master never had that entry, and its clock is 5 s behind.
    await store.admin.call('REPLICAOF', '127.0.0.1', '1')
    await store.admin.call('REPLICAOF', 'NO', 'ONE')
    await store.admin.del(key())
    await add(`${now - 5000}-0`, now - 4000)
    await add(`${now - 4000}-0`, now)
    await pushd().step()
    expect(await times()).toEqual([now - 4000, now])
    expect(await database.progress()).toMatchObject({ id: `${now - 4000}-0` })
    expect(await database.gaps()).toEqual([])
  })

  it('takes the largest batches that the store takes, though together they are more than InfluxDB takes at once', async () => {
    await influx.start()
    const now = Date.now() - 100_000
    const most =
      '"rx_bytes","rx_packets","rx_errs","rx_drop","rx_frame","tx_bytes","tx_packets","tx_errs","tx_drop","tx_colls"'
    const counters = most.replaceAll('",', '":9223372036854775807,').replace(/$/, ':9223372036854775807')
    const lines = Array.from({ length: 1000 }, (_, i) => `${'p'.repeat(60)}${i}\t{${counters}}`).join('\n')
    for (let i = 0; i < 50; i++)
      await store.admin.xadd(key(), `${now + i}-0`, 'h', 'h'.repeat(200), 't', now + i, 'd', lines)
    await pushd().step()
    expect(await database.progress()).toMatchObject({ id: `${now + 49}-0` })
    expect(await database.counts({ from: now - 60_000, to: now + 60_000 })).toHaveLength(1)
    expect(said).toEqual([])
  }, 60_000)

  it('notes the time up to which the stream no longer reaches back, until it is filled', async () => {
    await influx.start()
    const now = Date.now() - 100_000
    for (let i = 0; i < 3; i++) await add(`${now + i}-0`, now + i)
    await pushd().step()
    expect(await database.gaps()).toEqual([])
    for (let i = 10; i < 20; i++) await add(`${now + i}-0`, now + i)
    await store.admin.xtrim(key(), 'MAXLEN', 2)
    await pushd().step()
    expect(await database.gaps()).toEqual([now + 18])
    expect((await times()).slice(3)).toEqual([now + 18, now + 19])
    await database.close(now + 18)
    await pushd().step()
    expect(await database.gaps()).toEqual([])
  })

  it('leaves out what is older than what is kept, says so once, and writes the rest', async () => {
    await influx.start()
    const now = Date.now() - 1000
    const one = pushd()
    for (let i = 0; i < 3; i++) {
      await add(`${now + 2 * i}-0`, now - 31 * 86_400_000 - i, 'swp2')
      await add(`${now + 2 * i + 1}-0`, now + i)
      await one.step()
    }
    expect(await times()).toEqual([now, now + 1, now + 2])
    expect(said.filter((sentence) => sentence.includes('points beyond retention policy'))).toHaveLength(1)
  })

  it('waits for an InfluxDB that does not run, says so once, and loses nothing', async () => {
    const now = Date.now() - 1000
    await add(`${now}-0`, now)
    const one = pushd()
    const loop = new Loop('statistics', log, () => one.step())
    try {
      const sentence = `statistics: InfluxDB (${influx.url}) is not running`
      await until('that is said', 5000, () => said.includes(sentence))
      await influx.start()
      await until('the sample is written', 10_000, async () => (await times()).length === 1)
      await influx.kill()
      await add(`${now + 1}-0`, now + 1)
      await influx.start()
      await until('the next sample is written', 10_000, async () => (await times()).length === 2)
      // Between the two it may say that an InfluxDB which is just starting closed its connection.
      expect(said).toContain('statistics: goes on')
      const once = said.slice(0, said.indexOf('statistics: goes on'))
      expect(once.filter((one) => one === sentence)).toHaveLength(1)
    } finally {
      await loop.stop()
    }
  })
})
