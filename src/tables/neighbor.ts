import { covers, parsePrefix } from '../text/ip.ts'
import { isAsked, macArgument, prefixArgument, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { interfaceSource, interfacesOf, vrfsOf } from './interfaces.ts'
import { itemsOf, required, textOf, textsOf } from './json.ts'
import { distinct } from './rows.ts'
import type { Arguments, Row, Show, Source, StoredRow, Table } from './table.ts'

// `nud all`: a neighbour that EVPN learned from another switch is NOARP, which `ip neigh` leaves out otherwise.
const source: Source = { argv: ['ip', '-d', '-j', 'neigh', 'show', 'nud', 'all'], triggers: ['neigh'] }
const keys = ['ipAddress', 'interface']

/**
 * Neighbours whose MAC address is known. How sure the kernel is of it at the moment (REACHABLE, STALE, DELAY, PROBE)
 * changes every few seconds and is not kept.
 */
export const neighbor: Table = {
  name: 'neighbor',
  sources: [source, interfaceSource],
  fields: ['ipAddress', 'interface', 'macAddress', 'vrf', 'remote'],
  keys,
  parse: ([neighbors, interfaces]) =>
    neighbors === undefined || interfaces === undefined
      ? []
      : distinct(keys, neighborRows(neighbors, interfaces)),
  shows: [showOf('ip', 4), showOf('ipv6', 6)],
}

function neighborRows(output: string, interfaces: string): Row[] {
  const vrf = vrfsOf(interfacesOf(interfaces))
  return itemsOf(output, source.argv).flatMap((item) => {
    const ipAddress = required(item, 'dst', source.argv)
    const dev = required(item, 'dev', source.argv)
    const macAddress = textOf(item, 'lladdr')
    const states = textsOf(item, 'state')
    const remote = 'extern_learn' in item
    // FAILED and INCOMPLETE may still carry an old address. Multicast and loopback entries are NOARP, nobody's doing.
    const known =
      macAddress !== undefined && !states.some((state) => state === 'FAILED' || state === 'INCOMPLETE')
    if (!known || (states.includes('NOARP') && !remote)) return []
    return [{ ipAddress, interface: dev, macAddress, vrf: vrf(dev), remote }]
  })
}

function showOf(family: 'ip' | 'ipv6', version: 4 | 6): Show {
  return {
    usage: `show ${family} neighbors [<remote-interface>] [<ip>] [vrf <vrf>] [<mac>] [count] [json]`,
    summary: `IPv${version} neighbours with a known MAC address; remote: learned from another switch`,
    columns: [
      column('IP Address', 'ipAddress'),
      hostname,
      column('Interface', 'interface'),
      column('MAC Address', 'macAddress'),
      column('VRF', 'vrf'),
      column('Remote', 'remote'),
      lastChanged,
    ],
    filter: (args) => asked(args, version),
  }
}

function asked(args: Arguments, version: 4 | 6): (stored: StoredRow) => boolean {
  const ip = prefixArgument(args, version)
  const mac = macArgument(args)
  const name = word(args, 'remote-interface')
  const vrf = word(args, 'vrf')
  const separator = version === 4 ? '.' : ':'
  return ({ row }) => {
    if (!String(row.ipAddress).includes(separator)) return false
    if (!isAsked(name, row.interface) || !isAsked(vrf, row.vrf) || !isAsked(mac, row.macAddress)) return false
    const address = ip && parsePrefix(String(row.ipAddress))
    return !ip || (address !== undefined && covers(ip, address))
  }
}
