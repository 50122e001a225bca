import { describe, expect, it } from 'vitest'
import type { Command } from '../../src/cli/command.ts'
import { find, following } from '../../src/cli/find.ts'
import { compile } from '../../src/cli/grammar.ts'
import { commands } from './sample.ts'

const split = (typed: string) => typed.split(' ').filter((word) => word !== '')

function read(typed: string): { usage: string; args: unknown } | string {
  const found = find(commands, split(typed))
  return 'problem' in found ? found.problem : { usage: found.command.usage, args: found.args }
}

const argsOf = (typed: string) => (read(typed) as { args: unknown }).args

describe('what is typed is read by the usage lines', () => {
  it.each([
    ['show agents', {}],
    ['show agents json count', { count: true, json: true }],
    ['leaf01 show agents', { hostname: 'leaf01' }],
    ['leaf* show interfaces swp1 json', { hostname: 'leaf*', 'remote-interface': 'swp1', json: true }],
    ['show interfaces json state up lo', { 'remote-interface': 'lo', state: 'up', json: true }],
    ['show interfaces type bond', { bond: true }],
    ['show interfaces type bond count state down', { bond: true, count: true, state: 'down' }],
    ['show ip addresses', { ip: true }],
    ['show ipv6 addresses fe80::1', { ipv6: true, ip: 'fe80::1' }],
    ['show ip addresses 10.0.0.0/24 vrf mgmt', { ip: true, 'ip/prefixlen': '10.0.0.0/24', vrf: 'mgmt' }],
    ['show ip addresses 10.0.0.1 swp1', { ip: '10.0.0.1', 'remote-interface': 'swp1' }],
    ['show ip neighbors 00:02:00:00:00:11', { mac: '00:02:00:00:00:11' }],
    ['show macs vlan 10 origin', { vlan: true, '1-4096': '10', origin: true }],
    ['show vlan 4096', { '1-4096': '4096' }],
    ['show services ntp status ok', { name: 'ntp', status: true, ok: true }],
    ['config ts add server a b', { address: 'a b' }],
    ['config add server a b c vrf mgmt', { server: 'a b c', vrf: 'mgmt' }],
    ['config add server 10.0.0.5 port 6380', { server: '10.0.0.5', port: true, '1025-65535': '6380' }],
    ['config restart agent', { restart: true }],
    ['help show macs', { keywords: 'show macs' }],
  ])('%s', (typed, args) => {
    expect(argsOf(typed)).toEqual(args)
  })

  it('reads the longer line where both would do', () => {
    expect(read('help list')).toMatchObject({ usage: 'help list' })
    expect(read('show interfaces type swp')).toMatchObject({ usage: expect.stringContaining('type') })
  })
})

describe('abbreviations', () => {
  it.each([
    ['sh ag', 'show agents', {}],
    ['sho inter swp1 sta up', 'show interfaces', { 'remote-interface': 'swp1', state: 'up' }],
    ['leaf01 sh int type bo', 'show interfaces type', { hostname: 'leaf01', bond: true }],
    ['conf ts sh se', 'config ts show server', {}],
  ])('%s', (typed, start, args) => {
    expect(read(typed)).toEqual({ usage: expect.stringContaining(start), args })
  })

  it('a name that is typed where a name may stand is that name', () => {
    expect(argsOf('show interfaces js')).toEqual({ 'remote-interface': 'js' })
    expect(argsOf('sh show agents')).toEqual({ hostname: 'sh' })
  })

  it('a plain word is meant before one with a hyphen, which has to be typed that far where both would do', () => {
    expect(read('show interface')).toMatchObject({ usage: expect.stringContaining('show interfaces') })
    expect(read('show interface-s errors')).toMatchObject({
      usage: expect.stringContaining('show interface-stats'),
    })
    expect(read('show int between 1h and now')).toBe(
      '`int` could be interface-stats or interfaces: type more of it.',
    )
  })

  it('in doubt it asks', () => {
    expect(read('show interfaces type b')).toBe('`b` could be bond or bridge: type more of it.')
    expect(read('show i')).toBe('`i` could be interfaces, ip or ipv6: type more of it.')
    expect(read('config st agent')).toBe('`st` could be start, status or stop: type more of it.')
  })
})

describe('what is not understood', () => {
  it.each([
    ['', 'a command is missing.'],
    ['show interfaces type', '`show interfaces type` is not complete: bond, bridge or swp is missing.'],
    ['show interfaces state', '`show interfaces state` is not complete: <state> is missing.'],
    ['show interfaces state json', '`json` is not understood after `show interfaces state`.'],
    ['show interfaces json json', '`json` is not understood after `show interfaces json`.'],
    ['show interfaces lo foo', '`foo` is not understood after `show interfaces lo`.'],
    ['show vlan 4097', '`4097` is not a number from 1 to 4096.'],
    ['show vlan 0', '`0` is not a number from 1 to 4096.'],
    ['show vlan 1e3', '`1e3` is not a number from 1 to 4096.'],
    [
      'show ip addresses 10.0.0.256',
      '`10.0.0.256` is not an IP address or an address with a prefix length such as 10.0.0.0/24.',
    ],
    ['show macs 00:02:00:00:11', '`00:02:00:00:11` is not a MAC address such as 00:02:00:00:00:11.'],
    ['show agents --json', '`--json` is not understood after `show agents`.'],
    ['config add server 10.0.0.5 port 80', '`80` is not a number from 1025 to 65535.'],
    ['config ts add server', '`config ts add server` is not complete: <address> is missing.'],
    ['intefaces', '`intefaces` is not complete: show is missing.'],
    ['leaf01;reboot show agents', '`leaf01;reboot` is not a host name.'],
  ])('%s', (typed, problem) => {
    expect(read(typed)).toBe(problem)
  })

  it.each([
    ['show intefaces', 'netq [<hostname>] show interfaces [<remote-interface>]'],
    ['shwo agents', 'netq [<hostname>] show agents'],
    ['confgi ts add server 10.0.0.5', 'netq config ts add server <ip-master> <ip-replica> <ip-replica>'],
    ['config ts shwo server', 'netq config ts show server [<ip>] [json]'],
    ['show interfaces type foo', 'type (bond|bridge|swp)'],
    ['hlep', 'netq help [<keywords>...]'],
  ])('%s: the nearest lines are shown', (typed, line) => {
    const found = find(commands, split(typed))
    expect('usage' in found && found.usage.join('\n')).toContain(line)
    expect('usage' in found && found.usage.length).toBeLessThanOrEqual(7)
  })

  it('shows nothing of what was typed that could drive the terminal', () => {
    const found = find(commands, ['show', 'interfaces', 'lo', 'a\u001b[2Jb'])
    expect('problem' in found && found.problem).toBe('`a?[2Jb` is not understood after `show interfaces lo`.')
  })
})

describe('completion', () => {
  it.each([
    ['', ['completion', 'config', 'help', 'show']],
    ['leaf01', ['show']],
    ['show interfaces', ['count', 'json', 'state', 'type']],
    ['show interfaces lo json', ['count', 'state']],
    ['show interfaces type', ['bond', 'bridge', 'swp']],
    ['sho interfaces type', ['bond', 'bridge', 'swp']],
    [
      'config ts',
      [
        'add',
        'del',
        'notifier',
        'reset-cluster',
        'restart',
        'restore',
        'show',
        'start',
        'status',
        'step-down',
        'stop',
      ],
    ],
    ['show interfaces state', []],
    ['nonsense here', []],
  ])('after `%s`', (typed, expected) => {
    expect(following(commands, split(typed))).toEqual(expected)
  })
})

describe('the notation', () => {
  it.each(['show (a|b', 'show a)', 'show [', 'show ()', 'show |', ''])('refuses `%s`', (usage) => {
    expect(() => compile(usage)).toThrow('not well formed')
  })

  it('every command of the project reads at least its own fixed words', () => {
    const words = (command: Command) => compile(command.usage).beginnings.at(-1)?.split(' ') ?? []
    for (const command of commands) expect(words(command).length).toBeGreaterThan(0)
  })
})
