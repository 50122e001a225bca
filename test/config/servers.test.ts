import { describe, expect, it } from 'vitest'
import { validateServers } from '../../src/config/servers.ts'

const ts = 'Nothing was changed. Type: netq config ts add server <ip-master> <ip-replica> <ip-replica>'
const agent =
  'Nothing was changed. Type: netq config add server <ip>, ' +
  'or all three of a cluster: netq config add server <ip> <ip> <ip>'

describe('the addresses of servers', () => {
  it('three are a cluster, in the order given', () => {
    const addresses = ['10.0.0.6', '10.0.0.5', '127.0.0.7']
    expect(validateServers(addresses)).toEqual({ addresses })
    expect(validateServers(addresses, 'agent')).toEqual({ addresses })
  })

  it('an agent may have one', () => {
    expect(validateServers(['10.0.0.5'], 'agent')).toEqual({ addresses: ['10.0.0.5'] })
  })

  it.each([
    ['', '0 addresses were given, and a cluster has exactly three: the master first, then both replicas.'],
    [
      '10.0.0.5',
      '1 address was given, and a cluster has exactly three: the master first, then both replicas.',
    ],
    ['10.0.0.5 10.0.0.6', '2 addresses were given, and a cluster has exactly three'],
    ['10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8', '4 addresses were given, and a cluster has exactly three'],
    ['10.0.0.5 10.0.0.6 10.0.0.5', '10.0.0.5 is given twice: every server needs an address of its own.'],
    ['ts01 ts02 ts03', 'ts01 is not an IPv4 address. You cannot use DNS names here.'],
    [
      '10.0.0.5 10.0.0.6 ts03.example.net',
      'ts03.example.net is not an IPv4 address. You cannot use DNS names here.',
    ],
    ['10.0.0.5 10.0.0.6 fe80::1', 'fe80::1 is an IPv6 address, and only IPv4 addresses can be used here.'],
    [
      '10.0.0.5 10.0.0.6 10.0.0.256',
      '10.0.0.256 is not an IPv4 address, which is four numbers from 0 to 255.',
    ],
    ['10.0.0.5 10.0.0.6 10.0.7', '10.0.7 is not an IPv4 address, which is four numbers from 0 to 255.'],
    ['10.0.0.5 10.0.0.6 010.0.0.7', '010.0.0.7 is not an IPv4 address, which is four numbers from 0 to 255.'],
    ['10.0.0.5 10.0.0.6 10.0.0.7/24', '10.0.0.7/24 is more than an IPv4 address: leave out what follows it.'],
    [
      '10.0.0.5:6379 10.0.0.6 10.0.0.7',
      '10.0.0.5:6379 is more than an IPv4 address: leave out what follows it.',
    ],
    [
      '10.0.0.5,10.0.0.6,10.0.0.7',
      '10.0.0.5,10.0.0.6,10.0.0.7 holds a comma: put spaces between the addresses.',
    ],
    ['0.0.0.0 10.0.0.6 10.0.0.7', '0.0.0.0 is not the address of a server.'],
    ['224.0.0.1 10.0.0.6 10.0.0.7', "224.0.0.1 is a multicast address, not a server's."],
    ['255.255.255.255 10.0.0.6 10.0.0.7', "255.255.255.255 is the broadcast address, not a server's."],
    ['240.0.0.1 10.0.0.6 10.0.0.7', "240.0.0.1 is a reserved address, not a server's."],
  ])('%s', (typed, sentence) => {
    const result = validateServers(typed.split(' ').filter(Boolean))
    expect(result).toEqual({ problem: expect.stringContaining(sentence) })
    expect(result).toEqual({ problem: expect.stringContaining(`. ${ts}`) })
  })

  it('an agent has one or three', () => {
    expect(validateServers(['10.0.0.5', '10.0.0.6'], 'agent')).toEqual({
      problem: `2 addresses were given, and an agent reports to one server or to the three of a cluster. ${agent}`,
    })
  })
})
