import { isAsked, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { type Item, jsonOf, objectsOf, required, textOf, unexpected } from './json.ts'
import { distinct } from './rows.ts'
import type { Row, Source, Table } from './table.ts'

// json0 is the form that lldpd's manual promises to keep: every value a list of objects.
const source: Source = { argv: ['lldpcli', '-f', 'json0', 'show', 'neighbors'], triggers: [] }
const keys = ['interface', 'peerHostname', 'peerInterface']

/** Who is at the other end of the cable, as lldpd heard it. */
export const lldp: Table = {
  name: 'lldp',
  sources: [source],
  fields: keys,
  keys,
  parse: ([output]) => (output === undefined ? [] : distinct(keys, lldpRows(output))),
  shows: [
    {
      usage: 'show lldp [<remote-physical-interface>] [count] [json]',
      summary: 'neighbours at the other end of the cable, by LLDP',
      columns: [
        hostname,
        column('Interface', 'interface'),
        column('Peer Hostname', 'peerHostname'),
        column('Peer Interface', 'peerInterface'),
        lastChanged,
      ],
      filter: (args) => {
        const name = word(args, 'remote-physical-interface')
        return ({ row }) => isAsked(name, row.interface)
      },
    },
  ],
}

function lldpRows(output: string): Row[] {
  const answer = jsonOf(output, source.argv)
  if (typeof answer !== 'object' || answer === null || !Array.isArray((answer as Item).lldp))
    throw unexpected(source.argv, 'JSON without the list "lldp"')
  return objectsOf(answer as Item, 'lldp')
    .flatMap((part) => objectsOf(part, 'interface'))
    .map((heard) => ({
      interface: required(heard, 'name', source.argv),
      peerHostname: peerHostname(objectsOf(heard, 'chassis')[0] ?? {}),
      peerInterface: peerInterface(objectsOf(heard, 'port')[0] ?? {}),
    }))
}

/** A neighbour need not tell its name; its chassis is always identified. */
function peerHostname(chassis: Item): string {
  return firstValue(chassis, 'name') || firstValue(chassis, 'id')
}

/** Switches give the interface's name as the port's identity; hosts give a MAC address, and the name as description. */
function peerInterface(port: Item): string {
  const named = objectsOf(port, 'id').some((id) => textOf(id, 'type') === 'ifname')
  return named ? firstValue(port, 'id') : firstValue(port, 'descr') || firstValue(port, 'id')
}

function firstValue(item: Item, field: string): string {
  return textOf(objectsOf(item, field)[0] ?? {}, 'value') ?? ''
}
