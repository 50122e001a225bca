import { isAsked, macArgument, vlanArgument } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { type Interface, interfaceSource, interfacesOf } from './interfaces.ts'
import { type Item, itemsOf, numberOf, required, textOf, textsOf } from './json.ts'
import { distinct } from './rows.ts'
import type { Column, Row, Source, Table } from './table.ts'

const source: Source = { argv: ['bridge', '-d', '-j', 'fdb', 'show'], triggers: ['neigh'] }
// A bridge knows an address once a VLAN. Without the port in the key, a move to another port is a change, not two.
const keys = ['macAddress', 'vlan', 'bridge']

const egressPort: Column = {
  head: 'Egress Port',
  cell: ({ row }) => (row.vtep === null ? String(row.egressPort) : `${row.egressPort}:${row.vtep}`),
}

/**
 * MAC addresses that the bridges know. `origin`: the address is the host's own. `remote`: it is behind another VTEP,
 * whose address is `vtep`. Left out: multicast groups, flooding lists, and the filters of network cards.
 */
export const mac: Table = {
  name: 'mac',
  sources: [source, interfaceSource],
  fields: ['macAddress', 'vlan', 'bridge', 'origin', 'egressPort', 'vtep', 'remote'],
  keys,
  parse: ([fdb, interfaces]) =>
    fdb === undefined || interfaces === undefined
      ? []
      : distinct(keys, macRows(fdb, interfacesOf(interfaces))),
  shows: [
    {
      usage: 'show macs [<mac>] [vlan <1-4096>] [origin] [count] [json]',
      summary: 'MAC addresses that bridges know; origin: those of the host itself',
      columns: [
        column('Origin', 'origin'),
        column('MAC Address', 'macAddress'),
        column('VLAN', 'vlan', '-'),
        hostname,
        egressPort,
        column('Remote', 'remote'),
        lastChanged,
      ],
      filter: (args) => {
        const address = macArgument(args)
        const vlan = vlanArgument(args)
        return ({ row }) =>
          isAsked(address, row.macAddress) &&
          isAsked(vlan, row.vlan) &&
          (args.origin !== true || row.origin === true)
      },
    },
  ],
}

interface Entry {
  readonly macAddress: string
  readonly port: string
  readonly item: Item
}

function macRows(fdb: string, interfaces: readonly Interface[]): Row[] {
  const vxlans = new Map(interfaces.filter(({ kind }) => kind === 'vxlan').map((one) => [one.name, one]))
  const entries = itemsOf(fdb, source.argv)
    .map((item) => ({
      macAddress: required(item, 'mac', source.argv),
      port: required(item, 'ifname', source.argv),
      item,
    }))
    .filter(({ macAddress }) => isUnicast(macAddress))
  const bridged = entries.filter(({ item }) => textOf(item, 'master') !== undefined)
  const tunnelled = entries.filter(
    ({ port, item }) => vxlans.has(port) && textsOf(item, 'flags').includes('self'),
  )
  const vteps = vtepsOf(tunnelled)
  const inVlans = new Set(bridged.filter(({ item }) => vlanOf(item) !== null).map(identity))
  const inBridge = new Set(bridged.map(identity))
  return [
    ...bridged
      // In a bridge with VLANs, a port's own address is listed once more without a VLAN.
      .filter((entry) => vlanOf(entry.item) !== null || !inVlans.has(identity(entry)))
      .map((entry) => bridgedRow(entry, vxlans, vteps)),
    ...tunnelled
      .filter((entry) => !inBridge.has(identity(entry)))
      .map((entry) => ({
        macAddress: entry.macAddress,
        vlan: null,
        bridge: vxlans.get(entry.port)?.master ?? null,
        origin: false,
        egressPort: entry.port,
        vtep: vteps.get(identity(entry)) ?? null,
        remote: true,
      })),
  ]
}

function bridgedRow(
  entry: Entry,
  vxlans: ReadonlyMap<string, Interface>,
  vteps: ReadonlyMap<string, string>,
): Row {
  const { macAddress, port, item } = entry
  const own = textOf(item, 'state') === 'permanent' && !textsOf(item, 'flags').includes('extern_learn')
  const vtep = vteps.get(identity(entry)) ?? null
  return {
    macAddress,
    vlan: vlanOf(item),
    bridge: textOf(item, 'master') ?? null,
    origin: own && vtep === null,
    egressPort: port,
    vtep,
    // The one address of a VXLAN interface that is not behind another VTEP is its own.
    remote: vtep !== null || (vxlans.has(port) && !own),
  }
}

/** The bridge says through which VXLAN interface an address is reached; the interface's own table, behind which VTEP. */
function vtepsOf(tunnelled: readonly Entry[]): Map<string, string> {
  const byEntry = Map.groupBy(tunnelled, identity)
  const vteps = [...byEntry].map(([key, same]): [string, string] => {
    const addresses = same.map(({ item }) => textOf(item, 'dst')).filter((dst) => dst !== undefined)
    return [key, [...new Set(addresses)].sort().join(' ')]
  })
  return new Map(vteps.filter(([, addresses]) => addresses !== ''))
}

function identity({ macAddress, port }: Entry): string {
  return `${macAddress} ${port}`
}

function vlanOf(item: Item): number | null {
  return numberOf(item, 'vlan') ?? null
}

/** The lowest bit of the first byte marks a group; all zeros is the list to which a VXLAN interface floods. */
function isUnicast(address: string): boolean {
  return (Number.parseInt(address.slice(0, 2), 16) & 1) === 0 && address !== '00:00:00:00:00:00'
}
