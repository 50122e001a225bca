import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { Agent } from '../../src/agent/agent.ts'
import { isPhysical, sampleLines } from '../../src/agent/stats.ts'
import { makeLog } from '../../src/platform/log.ts'
import { pathsUnder } from '../../src/platform/paths.ts'
import { until } from '../support/until.ts'

const procNetDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 5725899793 9447251    0    0    0     0          0         0 5725899793 9447251    0    0    0     0       0          0
  swp1:18014398509481985 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
  swp2:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`

test('a line of /proc/net/dev becomes a line of a batch, digit for digit, without what is 0', () => {
  expect(sampleLines(procNetDev, (name) => name !== 'lo')).toEqual([
    'A\tinterface-stats\tswp1\t{"rx_bytes":18014398509481985,"rx_packets":2,"rx_errs":3,"rx_drop":4,"rx_frame":6,' +
      '"rx_multicast":8,"tx_bytes":9,"tx_packets":10,"tx_errs":11,"tx_drop":12,"tx_colls":14,"tx_carrier":15}',
    'A\tinterface-stats\tswp2\t{}',
  ])
})

describe('an interface is physical', () => {
  const withDevice = ['enp3s0f0np0', 'ens4', 'wlan0', 'eth1']
  const physical = (name: string) => isPhysical(name, (one) => withDevice.includes(one))

  it.each([...withDevice, 'swp1', 'swp32s3', 'eth0'])('%s', (name) => expect(physical(name)).toBe(true))

  it.each([
    ...['lo', 'bridge', 'bond0', 'peerlink.4094', 'swp1.100', 'vlan10', 'vni100', 'mgmt', 'docker0'],
    ...['veth1a2b3c', 'tun0', 'dummy0', 'br-eth0', 'ethx'],
  ])('%s is not', (name) => expect(physical(name)).toBe(false))
})

test('samples are left out while the spool is half full, and changes are not', async () => {
  const root = mkdtempSync(join(tmpdir(), 'as-'))
  const spooled: string[] = []
  const said: string[] = []
  const log = { ...makeLog('test', 'error'), warning: (sentence: string) => void said.push(sentence) }
  let push: (mtu: number) => void = () => {}
  const table = { name: 'link', sources: [], fields: ['interface', 'mtu'], keys: ['interface'], shows: [] }
  const agent = new Agent({
    paths: pathsUnder(root),
    host: 'leaf01',
    servers: ['127.0.0.1'],
    port: 1,
    heartbeatMs: 1000,
    spoolCapBytes: 8000,
    log,
    readings: (onRows) => {
      push = (mtu) => onRows({ ...table, parse: () => [] }, [{ interface: 'swp1', mtu }])
      return { start() {}, readAll() {}, async stop() {} }
    },
    sample: { lines: () => ['A\tinterface-stats\tswp1\t{"rx_bytes":1}'], everyMs: 1 },
    watch: { spooled: ({ payload }) => spooled.push(payload) },
  })
  agent.start()
  try {
    await until('samples are left out', 10_000, () =>
      said.includes('statistics are left out while the spool is short of room, so that no change is lost'),
    )
    expect(spooled.length).toBeGreaterThan(10)
    expect(spooled.length).toBeLessThan(100)
    push(1)
    push(2)
    expect(spooled.at(-1)).toContain('"mtu":2')
    expect(said.join()).not.toContain('are lost')
  } finally {
    await agent.stop()
    rmSync(root, { recursive: true, force: true })
  }
})
