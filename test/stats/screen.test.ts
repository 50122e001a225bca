import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { showInterfaceStats } from '../../src/query/interface-stats.ts'
import { Database } from '../../src/stats/database.ts'
import { pointsOf } from '../../src/stats/points.ts'
import { amount } from '../../src/text/amount.ts'
import { momentOf } from '../../src/text/moment.ts'
import { agent, FakeReader } from '../query/fake-reader.ts'
import { needsInflux, TestInflux } from '../support/influx.ts'

const now = Date.now()
let influx: TestInflux
let database: Database

beforeAll(async () => {
  influx = new TestInflux()
  await influx.start()
  database = new Database(influx.url)
})
afterAll(() => influx?.remove())

const agents = [agent('leaf01', {}, { stats: true }), agent('spine01', {}, { stats: false })]

/** What netqd answers; `end` is when the newest entry of the stream was written. */
async function shown(args: Record<string, string | true>, hostname?: string, end?: number, markerTime = now) {
  const health = { markerTime, writableSince: now - 1e9 }
  const reader = Object.assign(new FakeReader(agents, {}, health), { statsEnd: async () => end })
  const request = { table: 'interface-stats', show: 0, args, ...(hostname ? { hostname } : {}) }
  return (await showInterfaceStats(request, reader, database, now)).body
}

describe('show interface-stats', () => {
  beforeEach(needsInflux)

  it('says what is missing before netq-stats-pushd has made the database', async () => {
    await expect(shown({})).rejects.toThrow(
      /^this server has no interface statistics to show: InfluxDB .* database not found: netq \(services netq-influxdb, netq-stats-pushd\)$/,
    )
  })

  it('shows rates and totals, host by host, in natural order', async () => {
    await database.ensure(30)
    const sample = (host: string, port: string, secondsAgo: number, counters: string) =>
      pointsOf({ id: '', host, time: String(now - secondsAgo * 1000), lines: `${port}\t{${counters}}` })
    await database.write([
      // In another of InfluxDB's shards, in which an interface must not be counted once more.
      ...sample('leaf01', 'swp10', 25 * 3600, '"rx_bytes":0'),
      ...sample('leaf01', 'swp10', 7200, '"rx_bytes":1'),
      ...sample('leaf01', 'swp10', 60, '"rx_bytes":1000,"tx_bytes":5'),
      ...sample('leaf01', 'swp10', 0, '"rx_bytes":7501000,"tx_bytes":5,"rx_packets":6000,"rx_drop":3'),
      ...sample('leaf01', 'swp2', 0, '"rx_bytes":7'),
      ...sample('spine01', 'swp1', 30, '"tx_bytes":10'),
      ...sample('spine01', 'swp1', 0, '"tx_bytes":85'),
    ])
    expect(await shown({})).toBe(
      `Matching interface-stats records:
Hostname    Interface    RX Rate     TX Rate    RX Bytes    TX Bytes    RX Packets    TX Packets    RX Multicast    Over
----------  -----------  ----------  ---------  ----------  ----------  ------------  ------------  --------------  ------
leaf01      swp2         -           -          0           0           0             0             0               0s
leaf01      swp10        1.0 Mbit/s  0 bit/s    7500000     0           6000          0             0               1m:0s
spine01     swp1         0 bit/s     20 bit/s   0           75          0             0             0               30s
`,
    )
  })

  it('shows errors and drops, of one interface, in a range that is given in either order', async () => {
    const words = { interface: 'swp10', errors: true } as const
    const text = await shown({ ...words, between: true, 'text-time': 'now', 'text-endtime': '3h' }, 'leaf01')
    const [, heads, , row] = text.split('\n')
    expect(heads!.split(/ {2,}/)).toEqual([
      ...['Hostname', 'Interface', 'RX Errors', 'RX Drops', 'RX Frame'],
      ...['TX Errors', 'TX Drops', 'TX Carrier', 'TX Colls', 'Over'],
    ])
    expect(row!.split(/ {2,}/)).toEqual(['leaf01', 'swp10', '0', '3', '0', '0', '0', '0', '0', '2h:0m:0s'])
  })

  it('gives the figures as JSON', async () => {
    const { 'interface-stats': records } = JSON.parse(await shown({ interface: 'swp10', json: true }))
    expect(records).toEqual([
      expect.objectContaining({
        hostname: 'leaf01',
        interface: 'swp10',
        rxBitsPerSecond: 1_000_000,
        rx_bytes: 7_500_000,
        rx_drop: 3,
        samples: 2,
        lastSample: now / 1000,
      }),
    ])
  })

  it('says what an empty or an old answer means', async () => {
    expect(await shown({}, 'leaf9')).toBe(
      'UNKNOWN: no agent called leaf9 has ever reported to these servers.\nNo matching interface-stats records found\n',
    )
    expect(await shown({}, 'spine*')).toMatch(
      /^OFF: spine\* does not collect interface statistics now\. To turn them on, type on the node: netq config add stats/,
    )
    expect(await shown({ interface: 'swp99' })).toBe('No matching interface-stats records found\n')
    await database.note({ id: `${now - 3_600_000}-0`, replid: 'x' })
    expect(await shown({}, undefined, now)).toMatch(
      /^BEHIND: samples of the last 1h:0m:0s are not in this server's InfluxDB yet; its netq-stats-pushd writes them\./,
    )
    expect(await shown({}, undefined, now - 3_600_000)).toMatch(/^Matching/)
    expect(await shown({}, undefined, now, now - 60_000)).toMatch(/^STALE: .*\nMatching/)
  })

  it('refuses what is no time', async () => {
    const between = (from: string, to: string) => shown({ 'text-time': from, 'text-endtime': to })
    await expect(between('now', 'yesterday')).rejects.toThrow(
      /^"yesterday" is no time, so nothing was looked up: /,
    )
    await expect(between('999999w', 'now')).rejects.toThrow(/^that is about \d+ samples of 3 interfaces/)
    await expect(between('5m', '300s')).rejects.toThrow('both times are the same, so nothing was looked up')
  })
})

it.each([
  ['now', 0],
  ['90s', 90],
  ['5m', 300],
  ['2h', 7200],
  ['1d', 86_400],
  ['1w', 604_800],
])('%s is so many seconds ago: %i', (word, seconds) => {
  expect(momentOf(word, 1e12)).toBe(1e12 - seconds * 1000)
})

it.each(['', '5', 'm', '5 m', '-5m', '5y', '1.5h', 'Now'])('%j is no time', (word) => {
  expect(momentOf(word, 1e12)).toBeUndefined()
})

it.each([
  [0, '0 bit/s'],
  [999, '999 bit/s'],
  [1000, '1.0 kbit/s'],
  [999_949, '999.9 kbit/s'],
  [999_960, '1.0 Mbit/s'],
  [12_345_678_901, '12.3 Gbit/s'],
])('%d bits a second are %s', (bits, text) => {
  expect(amount(bits, 'bit/s')).toBe(text)
})
