import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { tableNamed, tables } from '../../src/tables/index.ts'
import type { Change, Row } from '../../src/tables/table.ts'

/** What an operator is told, as `severity message`, with `(over)` where it ends a trouble. */
function told(table: string, before: Row | undefined, after: Row | undefined): string | undefined {
  const change: Change = { hostname: 'leaf01', ...(before && { before }), ...(after && { after }) }
  const happening = tableNamed(table)!.happening!(change)
  return happening && `${happening.severity} ${happening.message}${happening.recovers ? ' (over)' : ''}`
}

const swp5 = { interface: 'swp5', type: 'swp', state: 'up', adminState: 'up', mtu: 9000 }
const peer = { vrf: 'default', peerName: 'swp51', peerHostname: 'spine01', state: 'established' }
const ssh = { service: 'ssh', vrf: 'default', pid: 90, status: 'ok' }
const core = { type: 'temp', name: 'coretemp-temp2', description: 'Core 0', state: 'ok', message: 'max 85 C' }
const clock = { ntpApp: 'chrony', ntpSync: 'yes', currentServer: '192.0.2.1', stratum: 3 }
const cage = { interface: 'swp1', module: 'QSFP28', vendor: 'Mellanox', model: 'MCP1600', serial: null }

describe('links', () => {
  it.each<[string, Row | undefined, Row | undefined, string | undefined]>([
    [
      'down',
      swp5,
      { ...swp5, state: 'down' },
      'ERROR LINK: leaf01 swp5: state changed from up to down, though it is configured to be up',
    ],
    ['up', { ...swp5, state: 'down' }, swp5, 'INFO LINK: leaf01 swp5: state changed from down to up (over)'],
    [
      'shut down',
      swp5,
      { ...swp5, state: 'down', adminState: 'down' },
      'INFO LINK: leaf01 swp5: state changed from up to down: it was shut down by configuration',
    ],
    [
      'shut down when it was down',
      { ...swp5, state: 'down' },
      { ...swp5, state: 'down', adminState: 'down' },
      'INFO LINK: leaf01 swp5: was shut down by configuration; it was down already (over)',
    ],
    [
      'enabled, without a carrier yet',
      { ...swp5, state: 'down', adminState: 'down' },
      { ...swp5, state: 'down' },
      undefined,
    ],
    [
      'dormant',
      swp5,
      { ...swp5, state: 'dormant' },
      'ERROR LINK: leaf01 swp5: state changed from up to dormant, though it is configured to be up',
    ],
    ['down in another way', { ...swp5, state: 'dormant' }, { ...swp5, state: 'down' }, undefined],
    ['gone', swp5, undefined, 'WARNING LINK: leaf01 swp5: is gone; it was up'],
    [
      'gone when it was down',
      { ...swp5, state: 'down' },
      undefined,
      'INFO LINK: leaf01 swp5: is gone; it was down (over)',
    ],
    [
      "gone, a container's",
      { ...swp5, interface: 'veth1a2b', type: 'eth' },
      undefined,
      'INFO LINK: leaf01 veth1a2b: is gone; it was up',
    ],
    [
      'gone, a VLAN',
      { ...swp5, type: 'vlan', interface: 'br.10' },
      undefined,
      'INFO LINK: leaf01 br.10: is gone; it was up',
    ],
    ['new', undefined, swp5, undefined],
    ['another MTU', swp5, { ...swp5, mtu: 1500 }, undefined],
  ])('%s', (_, before, after, message) => {
    expect(told('link', before, after)).toBe(message)
  })
})

describe('BGP sessions', () => {
  it.each<[string, Row | undefined, Row | undefined, string | undefined]>([
    [
      'failed',
      peer,
      { ...peer, state: 'failed' },
      'ERROR BGP: leaf01 swp51: session state changed from established to failed',
    ],
    [
      'established',
      { ...peer, state: 'failed' },
      peer,
      'INFO BGP: leaf01 swp51: session state changed from failed to established (over)',
    ],
    [
      'in a VRF',
      { ...peer, vrf: 'red' },
      { ...peer, vrf: 'red', state: 'failed' },
      'ERROR BGP: leaf01 swp51 vrf red: session state changed from established to failed',
    ],
    [
      'shut down',
      peer,
      { ...peer, state: 'shut down' },
      'INFO BGP: leaf01 swp51: session state changed from established to shut down by configuration (over)',
    ],
    ['enabled', { ...peer, state: 'shut down' }, { ...peer, state: 'failed' }, undefined],
    [
      'gone',
      peer,
      undefined,
      'WARNING BGP: leaf01 swp51: session is gone; it was established: bgpd does not run any more, or the neighbor was ' +
        'taken out of its configuration',
    ],
    [
      'gone when it had failed',
      { ...peer, state: 'failed' },
      undefined,
      'INFO BGP: leaf01 swp51: session is gone; it was failed (over)',
    ],
    ['new', undefined, { ...peer, state: 'failed' }, undefined],
    ['another name of the peer', { ...peer, peerHostname: null }, peer, undefined],
  ])('%s', (_, before, after, message) => {
    expect(told('bgp', before, after)).toBe(message)
  })
})

describe('services, sensors, clocks and ports', () => {
  it.each<[string, Row | undefined, Row | undefined, string | undefined]>([
    [
      'services',
      ssh,
      { ...ssh, pid: null, status: 'fail' },
      'ERROR SERVICES: leaf01 ssh: status changed from ok to fail: it died, and nothing has started it again',
    ],
    [
      'services',
      ssh,
      { ...ssh, pid: null, status: 'error' },
      'ERROR SERVICES: leaf01 ssh: status changed from ok to error: it should run and does not',
    ],
    [
      'services',
      ssh,
      { ...ssh, status: 'warning' },
      'WARNING SERVICES: leaf01 ssh: status changed from ok to warning: it is on its way up or down',
    ],
    [
      'services',
      { ...ssh, vrf: 'mgmt', status: 'fail' },
      { ...ssh, vrf: 'mgmt' },
      'INFO SERVICES: leaf01 ssh vrf mgmt: status changed from fail to ok (over)',
    ],
    ['services', ssh, { ...ssh, pid: 91 }, 'INFO SERVICES: leaf01 ssh: was started anew (PID 90, now 91)'],
    [
      'services',
      { ...ssh, status: 'fail' },
      undefined,
      'INFO SERVICES: leaf01 ssh: is not there any more; its status was fail (over)',
    ],
    ['services', undefined, { ...ssh, status: 'fail' }, undefined],
    [
      'sensors',
      core,
      { ...core, state: 'high' },
      'WARNING SENSORS: leaf01 temp coretemp-temp2 (Core 0): state changed from ok to high (max 85 C)',
    ],
    [
      'sensors',
      { ...core, state: 'high' },
      { ...core, state: 'crit' },
      'CRITICAL SENSORS: leaf01 temp coretemp-temp2 (Core 0): state changed from high to crit (max 85 C)',
    ],
    [
      'sensors',
      { ...core, state: 'crit' },
      core,
      'INFO SENSORS: leaf01 temp coretemp-temp2 (Core 0): state changed from crit to ok (max 85 C) (over)',
    ],
    [
      'sensors',
      { ...core, type: 'fan', name: 'fan1', description: null, message: null },
      { ...core, type: 'fan', name: 'fan1', description: null, message: null, state: 'absent' },
      'WARNING SENSORS: leaf01 fan fan1: state changed from ok to absent',
    ],
    ['sensors', core, { ...core, message: 'max 90 C' }, undefined],
    [
      'ntp',
      clock,
      { ...clock, ntpSync: 'no', currentServer: null },
      'ERROR NTP: leaf01: sync state changed from in sync with 192.0.2.1 to out of sync (chrony): its clock will drift, ' +
        'and the times of what it reports with it',
    ],
    [
      'ntp',
      { ...clock, ntpSync: 'no' },
      clock,
      'INFO NTP: leaf01: sync state changed from out of sync to in sync with 192.0.2.1 (chrony) (over)',
    ],
    ['ntp', clock, { ...clock, currentServer: '192.0.2.2', stratum: 2 }, undefined],
    [
      'port',
      cage,
      { ...cage, module: 'empty', vendor: null, model: null },
      'WARNING PORT: leaf01 swp1: unplugged: the QSFP28 module is gone',
    ],
    [
      'port',
      { ...cage, module: 'empty' },
      cage,
      'INFO PORT: leaf01 swp1: plugged: QSFP28 module (Mellanox MCP1600) (over)',
    ],
    [
      'port',
      { ...cage, module: 'SFP' },
      cage,
      'INFO PORT: leaf01 swp1: another module is plugged: QSFP28 module (Mellanox MCP1600) for SFP',
    ],
    ['port', { ...cage, module: null }, cage, undefined],
    ['port', cage, { ...cage, state: 'down' }, undefined],
  ])('%s: %j to %j', (table, before, after, message) => {
    expect(told(table, before, after)).toBe(message)
  })

  it('of sensors have the type that filters know', () => {
    const types = ['temp', 'fan', 'psu', 'toString'].map((type) => {
      const change = { hostname: 'leaf01', before: { ...core, type }, after: { ...core, type, state: 'bad' } }
      return tableNamed('sensors')!.happening!(change)?.type
    })
    expect(types).toEqual(['Temp', 'Fan', 'PSU', undefined])
  })
})

/** Rows as anybody may have written them: fields of the table, or others, with values of any kind. */
const rowOf = (fields: readonly string[]) =>
  fc.dictionary(
    fc.constantFrom(...fields, 'other', 'constructor'),
    fc.oneof(
      fc.constantFrom(
        'up',
        'down',
        'ok',
        'fail',
        'established',
        'failed',
        'yes',
        'no',
        'empty',
        'temp',
        'fan',
      ),
      fc.string({ unit: 'binary' }),
      fc.jsonValue(),
    ),
  ) as fc.Arbitrary<Row>

describe('whatever a row has in it', () => {
  it.each(tables.filter(({ happening }) => happening).map((table) => [table.name, table] as const))(
    'a change of %s is one line or nothing',
    (_, table) => {
      const row = fc.option(rowOf(table.fields), { nil: undefined })
      fc.assert(
        fc.property(fc.string({ unit: 'binary' }), row, row, (hostname, before, after) => {
          const happening = table.happening!({ hostname, ...(before && { before }), ...(after && { after }) })
          if (!happening) return
          expect(happening.message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
          expect(happening.message.length).toBeLessThan(1000)
          expect(happening.about.length).toBeGreaterThan(0)
        }),
        { numRuns: 300 },
      )
    },
  )
})
