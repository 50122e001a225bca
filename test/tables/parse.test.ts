import { describe, expect, it } from 'vitest'
import { tableNamed, tables } from '../../src/tables/index.ts'
import { keyOf } from '../../src/tables/table.ts'
import { captured, handwritten } from './fixtures.ts'

/** The outputs of each table's sources, in the order of its sources. */
const outputs = {
  link: [captured('addr'), '[]'],
  address: [captured('addr')],
  route: [captured('route4'), captured('route6'), captured('addr')],
  neighbor: [captured('neigh'), captured('addr')],
  mac: [captured('fdb'), captured('addr')],
  lldp: [captured('lldp')],
}
const named = (name: string) => tableNamed(name)!

describe.each(Object.entries(outputs))('the table %s', (name, texts) => {
  const table = named(name)
  const rows = table.parse(texts)

  it('has rows with exactly the declared fields, in order', () => {
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(Object.keys(row)).toEqual(table.fields)
  })

  it('has one row a key', () => {
    expect(new Set(rows.map((row) => keyOf(table, row))).size).toBe(rows.length)
  })

  it('does not depend on the order in which the kernel lists things', () => {
    const turned = texts.map((text) => (name === 'lldp' ? text : JSON.stringify(JSON.parse(text).reverse())))
    expect(JSON.stringify(table.parse(turned))).toBe(JSON.stringify(rows))
  })

  it('has no rows where the programs are not installed', () => {
    expect(table.parse(texts.map(() => undefined))).toEqual([])
  })

  it.each(texts.map((_, index) => index))('refuses wrong output of source %i in one sentence', (index) => {
    for (const wrong of ['', 'Cannot open netlink socket\n', '"text"', '[1]', '{"error": 1}', '[{"a": 1}]']) {
      const broken = texts.map((text, i) => (i === index ? wrong : text))
      expect(() => table.parse(broken)).toThrow(
        /^"(ip|bridge|lldpcli) .*" printed .*, so what it reports was not read$/,
      )
    }
  })

  it('keeps neither counters nor timers', () => {
    const later = texts.map((text) =>
      text
        .replace(/("(?:gc_timer|forward_delay_timer|valid_life_time|preferred_life_time)": ?)[\d.]+/g, '$177')
        .replace(/0 day, [\d:]+/g, '3 days, 01:02:03')
        .replaceAll('"REACHABLE"', '"STALE"'),
    )
    expect(later).not.toEqual(texts)
    expect(table.parse(later)).toEqual(rows)
  })
})

describe('the tables together', () => {
  it('name every argv with the same triggers, so that one run of it can serve all', () => {
    const triggers = new Map<string, string>()
    for (const { argv, triggers: own } of tables.flatMap(({ sources }) => sources)) {
      const command = argv.join(' ')
      expect(triggers.get(command) ?? String(own)).toBe(String(own))
      triggers.set(command, String(own))
    }
    expect(triggers.size).toBe(14)
  })

  it('have names and keys that the store can hold', () => {
    for (const table of tables) {
      expect(table.name).toMatch(/^[a-z][a-z0-9-]*$/)
      for (const key of table.keys) expect(table.fields).toContain(key)
    }
    expect(tableNamed('nonsense')).toBeUndefined()
  })
})

describe('VRFs', () => {
  it('come from the master of the interface, and from the table of a route', () => {
    const vrf = Object.fromEntries(
      named('link')
        .parse([handwritten('addr'), '[]'])
        .map((row) => [row.interface, row.vrf]),
    )
    expect(vrf).toMatchObject({
      eth0: 'mgmt',
      mgmt: 'mgmt',
      'bridge.13': 'red',
      bond01: 'default',
      swp1: 'default',
    })
    const routes = named('route').parse([handwritten('route4'), '[]', handwritten('addr')])
    expect(routes.map(({ vrf, prefix, type }) => `${vrf} ${prefix} ${type}`).sort()).toEqual([
      'default 10.0.0.21/32 unicast',
      'mgmt 0.0.0.0/0 unicast',
      'mgmt 0.0.0.0/0 unreachable',
      'red 10.1.13.1/32 local',
      'table-220 10.50.0.0/16 unicast',
    ])
  })
})

describe('a bridge that does not filter VLANs', () => {
  it('does not show VLAN settings that have no effect', () => {
    const vlans = JSON.stringify([{ ifname: 'swp1', vlans: [{ vlan: 1, flags: ['PVID'] }] }])
    const swp1 = named('link')
      .parse([captured('addr'), vlans])
      .find((row) => row.interface === 'swp1')
    expect(swp1).toMatchObject({ vlans: [], pvid: null })
  })
})

describe('LLDP', () => {
  it('has no rows while no neighbour is heard', () => {
    expect(named('lldp').parse([captured('lldp-none')])).toEqual([])
  })

  it('calls a nameless neighbour by its chassis, and prefers the interface name that it gave', () => {
    const heard = (chassis: object, port: object) =>
      JSON.stringify({ lldp: [{ interface: [{ name: 'swp7', chassis: [chassis], port: [port] }] }] })
    const chassis = { id: [{ type: 'mac', value: '02:00:00:00:00:01' }] }
    const port = { id: [{ type: 'ifname', value: 'swp3' }], descr: [{ value: 'to the rack' }] }
    expect(named('lldp').parse([heard(chassis, port)])).toEqual([
      { interface: 'swp7', peerHostname: '02:00:00:00:00:01', peerInterface: 'swp3' },
    ])
  })
})
