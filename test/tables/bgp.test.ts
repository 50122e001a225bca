import { describe, expect, it } from 'vitest'
import { bgp, bgpPrefixes } from '../../src/tables/bgp.ts'
import type { Row } from '../../src/tables/table.ts'
import { captured, screen } from './fixtures.ts'

/**
 * Captured from FRR 8.4.4: two sessions over veth pairs to one spine, IPv4, IPv6 and EVPN among them, one neighbour
 * that does not answer, one that is shut down, and a session in a VRF.
 */
const output = captured('bgp')
const shown = (args = {}) => screen(bgp.shows[0]!, completed(), args)

/** As netqd gives them to the screen. */
function completed(): Row[] {
  const prefixes = new Map(bgpPrefixes.parse([output]).map((row) => [`${row.vrf} ${row.peerName}`, row]))
  return bgp.parse([output]).map((row) => ({ ...prefixes.get(`${row.vrf} ${row.peerName}`), ...row }))
}

describe('show bgp', () => {
  it('shows every session once, whatever address families it has', () => {
    expect(shown()).toEqual([
      '10.9.9.8 | default | 65011 | 65098 | shut down',
      '10.9.9.9 | default | 65011 | 65099 | failed',
      'swp51(spine01) | default | 65011 | 65020 | 3/-/0',
      'swp52(spine01) | default | 65011 | 65020 | 3/1/-',
      '10.9.2.2 | red | 65011 | 65020 | failed',
    ])
  })

  it.each([
    [{ 'bgp-session': 'swp51' }, 1],
    [{ 'bgp-session': 'spine01' }, 2],
    [{ 'bgp-session': 'swp52(spine01)' }, 1],
    [{ asn: true, 'number-asn': '65020' }, 3],
    [{ asn: true, 'number-asn': '65011', vrf: 'default' }, 4],
    [{ vrf: 'red' }, 1],
    [{ 'bgp-session': 'swp7' }, 0],
  ])('narrowed by %j', (args, count) => {
    expect(shown(args)).toHaveLength(count)
  })

  it('refuses what is no AS number', () => {
    expect(() => shown({ asn: true, 'number-asn': 'spine01' })).toThrow(
      '"spine01" is not an AS number such as 65020, so nothing was looked up',
    )
  })
})

describe('BGP sessions', () => {
  it('do not change with counters, prefixes and the way to a neighbour that does not answer', () => {
    const later = output
      .replace(/"(msgRcvd|msgSent|peerUptimeMsec|peerUptimeEstablishedEpoch|pfxRcd)":\d+/g, '"$1":4711')
      .replaceAll('"Active"', '"Connect"')
    expect(later).not.toBe(output)
    expect(bgp.parse([later])).toEqual(bgp.parse([output]))
    expect(bgpPrefixes.parse([later])).not.toEqual(bgpPrefixes.parse([output]))
  })

  it('are none where bgpd does not run or knows of none, and vtysh is not installed', () => {
    for (const none of ['no bgpd\n', '{\n}\n', undefined]) expect(bgp.parse([none])).toEqual([])
  })

  it('are refused in one sentence if the output is something else', () => {
    for (const wrong of ['', '[]', '"text"', '{"default": {"a": 1}}', `${output.slice(0, 500)}\nno bgpd\n`])
      expect(() => bgp.parse([wrong])).toThrow(/^"vtysh .*" printed .*, so what it reports was not read$/)
  })
})
