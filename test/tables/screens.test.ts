import { describe, expect, it } from 'vitest'
import { tableNamed } from '../../src/tables/index.ts'
import type { Row } from '../../src/tables/table.ts'
import { captured, handwritten, screen } from './fixtures.ts'

function shown(
  name: string,
  show: number,
  outputs: readonly string[],
  args: Record<string, string | true> = {},
) {
  const table = tableNamed(name)!
  const rows: Row[] = table.parse(outputs)
  return screen(table.shows[show]!, rows, args)
}

describe('show interfaces', () => {
  const leaf = [handwritten('addr'), handwritten('vlan')]

  it('says what an operator needs of every type', () => {
    expect(shown('link', 0, leaf)).toEqual([
      'bond01 | bond | up | default | VLANs: 1 13 20-30, PVID: 1, Mode: 802.3ad, Members: swp1 swp3 swp10, Master: bridge, MTU: 9000',
      'bridge | bridge | up | default | VLANs: 13, Members: bond01 vni13, MTU: 9000',
      'bridge.13 | vlan | up | red | VLANs: 13, Parent: bridge, Master: red, MTU: 9000',
      'eth0 | eth | up | mgmt | Master: mgmt, MTU: 1500',
      'lo | loopback | up | default | MTU: 65536',
      'mgmt | vrf | up | mgmt | Table: 1001, Members: eth0, MTU: 65575',
      'red | vrf | up | red | Table: 1002, Members: bridge.13, MTU: 65575',
      'swp1 | swp | up | default | Master: bond01, MTU: 9000',
      'swp10 | swp | down | default | Master: bond01, MTU: 9000',
      'swp2 | swp | down | default | Admin: down, MTU: 1500',
      'swp3 | swp | up | default | Master: bond01, MTU: 9000',
      'tun0 | wireguard | up | default | MTU: 1420',
      'vni13 | vxlan | up | default | VNI: 13, PVID: 13, Master: bridge, VTEP: 10.0.0.112, MTU: 9000',
    ])
  })

  it('reads a real kernel', () => {
    expect(shown('link', 0, [captured('addr'), '[]'])).toEqual([
      'bridge | bridge | up | default | Members: swp1 vni13, MTU: 1500',
      'lo | loopback | up | default | MTU: 65536',
      'swp1 | swp | up | default | Master: bridge, MTU: 1500',
      'swp10 | swp | up | default | MTU: 1500',
      'swp2 | swp | up | default | MTU: 9216',
      'vni13 | vxlan | up | default | VNI: 13, Master: bridge, VTEP: 10.0.0.11, MTU: 9000',
      'vrrp1 | macvlan | up | default | Parent: swp10, MAC: 1e:65:b5:23:92:e5, Mode: private, MTU: 1500',
    ])
  })

  it('can be narrowed to a name, a state and a type', () => {
    expect(shown('link', 0, leaf, { 'remote-interface': 'swp1' })).toHaveLength(1)
    expect(shown('link', 0, leaf, { state: 'DOWN' }).map((line) => line.split(' ')[0])).toEqual([
      'swp10',
      'swp2',
    ])
    expect(shown('link', 1, leaf, { swp: true, state: 'up' }).map((line) => line.split(' ')[0])).toEqual([
      'swp1',
      'swp3',
    ])
  })
})

describe('show ip|ipv6 addresses', () => {
  const leaf = [captured('addr')]

  it('leaves out what every host has', () => {
    expect(shown('address', 0, leaf)).toEqual([
      '10.0.0.11/32 | lo | default',
      '10.1.13.1/24 | bridge | default',
      '10.9.10.1/30 | swp10 | default',
      '10.9.2.1/30 | swp2 | default',
    ])
    expect(shown('address', 1, leaf)).toContain('2001:db8:13::1/64 | bridge | default')
    expect(shown('address', 1, leaf).join()).not.toContain('::1/128')
  })

  it.each([
    [{ ip: '10.9.2.1' }, ['10.9.2.1/30 | swp2 | default']],
    [{ 'ip/prefixlen': '10.9.2.1/30' }, ['10.9.2.1/30 | swp2 | default']],
    [{ 'ip/prefixlen': '10.9.2.1/24' }, []],
    [{ 'ip/prefixlen': '10.9.0.0/16' }, ['10.9.10.1/30 | swp10 | default', '10.9.2.1/30 | swp2 | default']],
    [{ 'remote-interface': 'lo', vrf: 'default' }, ['10.0.0.11/32 | lo | default']],
    [{ vrf: 'red' }, []],
  ])('narrowed by %j', (args, lines) => {
    expect(shown('address', 0, leaf, args as Record<string, string>)).toEqual(lines)
  })

  it('finds an IPv6 address however it is written', () => {
    expect(shown('address', 1, leaf, { ip: '2001:0DB8:13:0::1' })).toEqual([
      '2001:db8:13::1/64 | bridge | default',
    ])
  })

  it('refuses what is no address of that kind', () => {
    const table = tableNamed('address')!
    expect(() => table.shows[0]!.filter!({ ip: '10.0.0.300' })).toThrow(
      '"10.0.0.300" is not an IPv4 address or prefix, so nothing was looked up',
    )
    expect(() => table.shows[0]!.filter!({ ip: '2001:db8::1' })).toThrow('use "show ipv6 ..."')
  })
})

describe('show ip|ipv6 routes', () => {
  const leaf = [captured('route4'), captured('route6'), captured('addr')]

  it('shows what leads where, without the entries that the kernel makes for itself', () => {
    expect(shown('route', 0, leaf)).toEqual([
      'no | default | 0.0.0.0/0 | 10.9.2.2: swp2',
      'yes | default | 10.0.0.11/32 | lo',
      'no | default | 10.0.0.12/32 | 10.9.2.2: swp2, 10.9.10.2: swp10',
      'yes | default | 10.1.13.0/24 | bridge',
      'yes | default | 10.1.13.1/32 | bridge',
      'no | default | 10.10.10.0/24 | swp10',
      'no | default | 10.66.0.0/16 | Blackhole',
      'no | default | 10.88.0.0/24 | fe80::5: swp2',
      'yes | default | 10.9.10.0/30 | swp10',
      'yes | default | 10.9.10.1/32 | swp10',
      'yes | default | 10.9.2.0/30 | swp2',
      'yes | default | 10.9.2.1/32 | swp2',
      'no | table-1001 | 10.67.0.0/16 | Unreachable (metric 4278198272)',
      'no | table-1001 | 10.77.0.0/16 | 10.9.10.2: swp10',
    ])
    expect(shown('route', 1, leaf)).toEqual([
      'yes | default | 2001:db8:13::/64 | bridge',
      'yes | default | 2001:db8:13::1/128 | bridge',
      'yes | default | 2001:db8:2::/64 | swp2',
      'yes | default | 2001:db8:2::1/128 | swp2',
      'no | default | 2001:db8:66::/64 | Blackhole',
      'no | default | 2001:db8:99::/64 | 2001:db8:2::2: swp2, fe80::1: swp10',
      'no | default | ::/0 | fe80::2: swp2',
    ])
  })

  it('says which nexthop does not carry traffic', () => {
    const routes = [handwritten('route4'), '[]', handwritten('addr')]
    expect(shown('route', 0, routes, { ip: '10.0.0.21', vrf: 'default' })).toEqual([
      'no | default | 10.0.0.21/32 | 169.254.0.1: swp3 (weight 5), 169.254.0.1: swp10 (dead, linkdown)',
    ])
  })

  it('tells a last resort from the route that is used', () => {
    const routes = [handwritten('route4'), '[]', handwritten('addr')]
    expect(shown('route', 0, routes, { vrf: 'mgmt' })).toEqual([
      'no | mgmt | 0.0.0.0/0 | 192.168.0.1: eth0',
      'no | mgmt | 0.0.0.0/0 | Unreachable (metric 4278198272)',
    ])
  })

  it.each([
    [
      { ip: '10.66.1.2' },
      ['no | default | 0.0.0.0/0 | 10.9.2.2: swp2', 'no | default | 10.66.0.0/16 | Blackhole'],
    ],
    [{ 'ip/prefixlen': '10.66.0.0/16' }, ['no | default | 10.66.0.0/16 | Blackhole']],
    [
      { origin: true, ip: '10.9.2.1' },
      ['yes | default | 10.9.2.0/30 | swp2', 'yes | default | 10.9.2.1/32 | swp2'],
    ],
    [
      { vrf: 'table-1001', ip: '10.67.0.1' },
      ['no | table-1001 | 10.67.0.0/16 | Unreachable (metric 4278198272)'],
    ],
  ])('narrowed by %j', (args, lines) => {
    expect(shown('route', 0, leaf, args as Record<string, string>)).toEqual(lines)
  })

  it('makes one row of one prefix that is connected twice', () => {
    const twice = ['swp1', 'swp2'].map((dev) => ({
      type: 'unicast',
      dst: '2001:db8::/64',
      dev,
      protocol: 'kernel',
    }))
    expect(shown('route', 1, ['[]', JSON.stringify(twice), '[]'])).toEqual([
      'yes | default | 2001:db8::/64 | swp1, swp2',
    ])
  })
})

describe('show ip|ipv6 neighbors', () => {
  const leaf = [captured('neigh'), captured('addr')]

  it('shows the known ones, and which were learned from elsewhere', () => {
    expect(shown('neighbor', 0, leaf)).toEqual([
      '10.9.10.2 | swp10 | c2:b4:b7:5d:56:34 | default | no',
      '10.9.10.8 | swp10 | 02:00:00:00:10:08 | default | yes',
      '10.9.10.9 | swp10 | 02:00:00:00:10:09 | default | yes',
      '10.9.2.2 | swp2 | 7e:d4:60:86:3f:19 | default | no',
      '10.9.2.7 | swp2 | 02:00:00:00:02:07 | default | no',
    ])
    expect(shown('neighbor', 1, leaf)).toHaveLength(2)
  })

  it('leaves out those that do not answer', () => {
    const failed = [{ dst: '10.0.0.9', dev: 'swp1', lladdr: '02:00:00:00:00:09', state: ['FAILED'] }]
    const unknown = [{ dst: '10.0.0.9', dev: 'swp1', state: ['INCOMPLETE'] }]
    expect(shown('neighbor', 0, [JSON.stringify([...failed, ...unknown]), captured('addr')])).toEqual([])
  })

  it('can be narrowed to an address, an interface and a MAC address', () => {
    expect(shown('neighbor', 0, leaf, { ip: '10.9.2.7' })).toHaveLength(1)
    expect(shown('neighbor', 0, leaf, { 'remote-interface': 'swp2' })).toHaveLength(2)
    expect(shown('neighbor', 1, leaf, { mac: '7E:D4:60:86:3F:19' })).toHaveLength(2)
    expect(() => tableNamed('neighbor')!.shows[0]!.filter!({ mac: 'swp1' })).toThrow(
      '"swp1" is not a MAC address',
    )
  })
})

describe('show macs', () => {
  it('joins what the bridge and what the VXLAN interface know', () => {
    expect(shown('mac', 0, [handwritten('fdb'), handwritten('addr')])).toEqual([
      'yes | 02:00:00:00:00:03 | 13 | bond01 | no',
      'yes | 02:00:00:00:00:09 | 13 | vni13 | no',
      'no | 02:00:00:00:55:01 | 13 | bond01 | no',
      'no | 02:00:00:00:66:01 | 13 | vni13:10.0.0.134 | yes',
      'no | 02:00:00:00:66:02 | - | vni13 | yes',
    ])
  })

  it('reads a real kernel', () => {
    expect(shown('mac', 0, [captured('fdb'), captured('addr')])).toEqual([
      'no | 02:00:00:00:01:55 | - | swp1 | no',
      'no | 02:00:00:00:13:99 | - | vni13:10.0.0.12 | yes',
      'yes | 22:32:65:e6:e8:d8 | - | swp1 | no',
      'no | 36:60:e7:e0:42:50 | - | swp1 | no',
      'yes | ca:b1:ce:8b:25:42 | - | vni13 | no',
    ])
  })

  it('can be narrowed to an address, a VLAN and the own ones', () => {
    const leaf = [handwritten('fdb'), handwritten('addr')]
    expect(shown('mac', 0, leaf, { mac: '02:00:00:00:55:01', vlan: true, '1-4096': '13' })).toHaveLength(1)
    expect(shown('mac', 0, leaf, { vlan: true, '1-4096': '14' })).toEqual([])
    expect(shown('mac', 0, leaf, { origin: true })).toHaveLength(2)
    expect(() => tableNamed('mac')!.shows[0]!.filter!({ '1-4096': '5000' })).toThrow(
      '"5000" is not a VLAN number',
    )
  })
})

describe('show lldp', () => {
  it('names the peer and its interface, and can be narrowed to one port', () => {
    expect(shown('lldp', 0, [captured('lldp')])).toEqual(['swp1 | spine01 | swp1', 'swp2 | spine01 | ens3'])
    expect(shown('lldp', 0, [captured('lldp')], { 'remote-physical-interface': 'swp2' })).toHaveLength(1)
  })
})
