import { expect, it } from 'vitest'
import { show } from '../../src/query/show.ts'
import { agent, FakeReader, HOUR, NOW, SECOND, stored } from './fake-reader.ts'

const session = { vrf: 'default', peerName: 'swp51', peerHostname: 'spine01', asn: 65011, peerAsn: 65020 }
const prefixes = (peerName: string, pfxRx: string) => ({ vrf: 'default', peerName, pfxRx })
const reader = () =>
  new FakeReader([agent('leaf01'), agent('leaf02')], {
    bgp: [
      stored('leaf01', { ...session, state: 'established' }, NOW - 2 * HOUR),
      stored('leaf02', { ...session, state: 'established' }, NOW - 3 * HOUR),
      stored('leaf02', { ...session, peerName: 'swp52', state: 'failed' }, NOW - 3 * HOUR),
    ],
    'bgp-prefixes': [
      stored('leaf01', prefixes('swp51', '7/-/24'), NOW - SECOND),
      stored('leaf02', prefixes('swp52', '9/-/-'), NOW - SECOND),
    ],
  })
const ask = (args: Record<string, string | true>) => show({ table: 'bgp', show: 0, args }, reader(), NOW)

it('BGP sessions are shown with their prefixes, which do not make them newer', async () => {
  expect((await ask({})).body.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['Matching bgp records:'],
    ['Hostname', 'Neighbor', 'VRF', 'ASN', 'Peer ASN', 'PfxRx', 'Last Changed'],
    expect.anything(),
    ['leaf01', 'swp51(spine01)', 'default', '65011', '65020', '7/-/24', '2h:0m:0s'],
    ['leaf02', 'swp51(spine01)', 'default', '65011', '65020', '-', '3h:0m:0s'],
    ['leaf02', 'swp52(spine01)', 'default', '65011', '65020', 'failed', '3h:0m:0s'],
    [''],
  ])
})

it('in JSON they have the fields of both', async () => {
  const { bgp } = JSON.parse((await ask({ json: true, 'bgp-session': 'swp51' })).body)
  expect(bgp[0]).toEqual({
    hostname: 'leaf01',
    ...session,
    neighbor: 'swp51(spine01)',
    state: 'established',
    pfxRx: '7/-/24',
    lastChanged: (NOW - 2 * HOUR) / 1000,
  })
  expect(bgp).toHaveLength(2)
})
