import { describe, expect, it } from 'vitest'
import { commandsFor } from '../../src/cli/commands.ts'
import { find } from '../../src/cli/find.ts'
import { tables } from '../../src/tables/index.ts'

const commands = commandsFor(tables)

function read(typed: string): unknown {
  const found = find(commands, typed.split(' '))
  return 'problem' in found ? found.problem : found.args
}

describe('the lines of the tables together', () => {
  it.each([
    ['show bgp', {}],
    [
      'leaf01 show bgp swp51 vrf red json',
      { hostname: 'leaf01', 'bgp-session': 'swp51', vrf: 'red', json: true },
    ],
    ['show bgp asn 65020 count', { asn: true, 'number-asn': '65020', count: true }],
    ['show bgp 10.9.9.9', { 'bgp-session': '10.9.9.9' }],
    ['show services ntp vrf mgmt status fail', { name: 'ntp', vrf: 'mgmt', status: true, fail: true }],
    ['show services active json', { active: true, json: true }],
    ['show sensors all', { all: true }],
    ['show sensors temp coretemp-temp1 json', { temp: true, name: 'coretemp-temp1', json: true }],
    ['show sensors', '`show sensors` is not complete: all, psu, temp or fan is missing.'],
    ['show ntp out-of-sync', { 'out-of-sync': true }],
    ['show interfaces physical', {}],
    ['show interfaces physical swp1 plugged', { 'physical-port': 'swp1', plugged: true }],
    ['show interfaces physical vendor Mellanox count', { vendor: 'Mellanox', count: true }],
    ['show interfaces swp1', { 'remote-interface': 'swp1' }],
    ['show interfaces type swp state up', { swp: true, state: 'up' }],
    ['sho serv', {}],
    ['sh se', '`se` could be sensors or services: type more of it.'],
  ])('%s', (typed, args) => {
    expect(read(typed)).toEqual(args)
  })
})
