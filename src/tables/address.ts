import { type Prefix, parsePrefix } from '../text/ip.ts'
import { addressIsAsked, isAsked, prefixArgument, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { interfaceSource, interfacesOf, vrfsOf } from './interfaces.ts'
import { numberOf, required } from './json.ts'
import { distinct } from './rows.ts'
import type { Arguments, Row, Show, StoredRow, Table } from './table.ts'

const keys = ['address', 'interface']

/** IPv4 and IPv6 addresses of interfaces, without 127.0.0.0/8 and ::1, which every host has. */
export const address: Table = {
  name: 'address',
  sources: [interfaceSource],
  fields: ['address', 'interface', 'vrf'],
  keys,
  parse: ([output]) => (output === undefined ? [] : distinct(keys, addressRows(output))),
  shows: [showOf('ip', 4), showOf('ipv6', 6)],
}

function addressRows(output: string): Row[] {
  const interfaces = interfacesOf(output)
  const vrf = vrfsOf(interfaces)
  return interfaces.flatMap(({ name, addresses }) =>
    addresses
      .map((item) => ({
        local: required(item, 'local', interfaceSource.argv),
        length: numberOf(item, 'prefixlen'),
      }))
      .filter(({ local }) => local !== '::1' && !local.startsWith('127.'))
      .map(({ local, length }) => ({ address: `${local}/${length}`, interface: name, vrf: vrf(name) })),
  )
}

function showOf(family: 'ip' | 'ipv6', version: 4 | 6): Show {
  return {
    usage: `show ${family} addresses [<remote-interface>] [<ip>|<ip/prefixlen>] [vrf <vrf>] [count] [json]`,
    summary: `IPv${version} addresses of interfaces; with a prefix, those in it`,
    columns: [
      column('Address', 'address'),
      hostname,
      column('Interface', 'interface'),
      column('VRF', 'vrf'),
      lastChanged,
    ],
    filter: (args) => asked(args, version),
  }
}

function asked(args: Arguments, version: 4 | 6): (stored: StoredRow) => boolean {
  const prefix = prefixArgument(args, version)
  const name = word(args, 'remote-interface')
  const vrf = word(args, 'vrf')
  const separator = version === 4 ? '.' : ':'
  return ({ row }) =>
    String(row.address).includes(separator) &&
    isAsked(name, row.interface) &&
    isAsked(vrf, row.vrf) &&
    addressFits(prefix, String(row.address))
}

function addressFits(prefix: Prefix | undefined, text: string): boolean {
  const parsed = prefix && parsePrefix(text)
  return !prefix || (parsed !== undefined && addressIsAsked(prefix, parsed))
}
