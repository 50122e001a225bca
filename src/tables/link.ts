import { byNature } from '../text/natural.ts'
import { isAsked, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { type Interface, interfaceSource, interfacesOf, vrfsOf } from './interfaces.ts'
import { numberOf, textOf } from './json.ts'
import { linkHappening } from './link-happening.ts'
import { distinct } from './rows.ts'
import type { Arguments, Column, Row, StoredRow, Table } from './table.ts'
import { type PortVlans, vlanSource, vlansOf } from './vlans.ts'

const types = ['bond', 'bridge', 'eth', 'loopback', 'macvlan', 'swp', 'vlan', 'vrf', 'vxlan']
/** The types that are the kernel's own name of the kind. */
const kinds = new Set(['bond', 'bridge', 'macvlan', 'vlan', 'vrf', 'vxlan'])
const keys = ['interface']

const details: Column = { head: 'Details', cell: ({ row }) => detailsOf(row) }
const columns: readonly Column[] = [
  hostname,
  column('Interface', 'interface'),
  column('Type', 'type'),
  column('State', 'state'),
  column('VRF', 'vrf'),
  details,
  lastChanged,
]

/** Interfaces of every kind. `state` is whether traffic can pass; `adminState` what was configured. */
export const link: Table = {
  name: 'link',
  sources: [interfaceSource, vlanSource],
  fields: [
    ...[
      'interface',
      'type',
      'state',
      'adminState',
      'vrf',
      'mtu',
      'macAddress',
      'master',
      'parent',
      'members',
    ],
    ...['vlans', 'pvid', 'vni', 'vtep', 'mode', 'tableId'],
  ],
  keys,
  parse: ([interfaces, vlans]) => {
    if (interfaces === undefined) return []
    return distinct(
      keys,
      linkRows(interfacesOf(interfaces), vlans === undefined ? new Map() : vlansOf(vlans)),
    )
  },
  shows: [
    {
      usage: 'show interfaces [<remote-interface>] [state <state>] [count] [json]',
      summary: 'interfaces: their type, state, VRF and settings',
      columns,
      filter: asked,
    },
    {
      usage: `show interfaces type (${types.join('|')}) [state <state>] [count] [json]`,
      summary: 'interfaces of one type',
      columns,
      filter: asked,
    },
  ],
  happening: linkHappening,
}

function asked(args: Arguments): (stored: StoredRow) => boolean {
  const name = word(args, 'remote-interface')
  const state = word(args, 'state')?.toLowerCase()
  const type = types.find((one) => args[one] === true)
  return ({ row }) => isAsked(name, row.interface) && isAsked(state, row.state) && isAsked(type, row.type)
}

function linkRows(interfaces: readonly Interface[], ports: ReadonlyMap<string, PortVlans>): Row[] {
  const vrf = vrfsOf(interfaces)
  const members = membersOf(interfaces)
  const aware = new Set(
    interfaces.filter(({ data }) => numberOf(data, 'vlan_filtering') === 1).map(({ name }) => name),
  )
  return interfaces.map((one) => {
    // A bridge that does not filter keeps VLAN settings that do nothing: they are not shown as if they did.
    const port =
      aware.has(one.name) || (one.master && aware.has(one.master)) ? ports.get(one.name) : undefined
    const id = numberOf(one.data, 'id')
    return {
      interface: one.name,
      type: typeOf(one),
      state: stateOf(one),
      adminState: one.flags.includes('UP') ? 'up' : 'down',
      vrf: vrf(one.name),
      mtu: one.mtu,
      macAddress: one.macAddress,
      master: one.master,
      parent: one.kind === 'vlan' || one.kind === 'macvlan' ? one.parent : null,
      members: members.get(one.name) ?? [],
      vlans: one.kind === 'vlan' && id !== undefined ? [`${id}`] : (port?.vlans ?? []),
      pvid: port?.pvid ?? null,
      vni: one.kind === 'vxlan' && one.data.external !== true ? (id ?? null) : null,
      vtep: one.kind === 'vxlan' ? (textOf(one.data, 'local') ?? textOf(one.data, 'local6') ?? null) : null,
      mode: textOf(one.data, 'mode') ?? null,
      tableId: one.kind === 'vrf' ? (numberOf(one.data, 'table') ?? null) : null,
    }
  })
}

function membersOf(interfaces: readonly Interface[]): Map<string, string[]> {
  const members = new Map<string, string[]>()
  for (const { name, master } of interfaces) {
    if (master) members.set(master, [...(members.get(master) ?? []), name])
  }
  for (const names of members.values()) names.sort(byNature)
  return members
}

function typeOf({ name, kind, linkType }: Interface): string {
  if (linkType === 'loopback') return 'loopback'
  if (kind && kinds.has(kind)) return kind
  if (linkType === 'ether') return name.startsWith('swp') ? 'swp' : 'eth'
  return kind ?? linkType ?? 'unknown'
}

/** Drivers without a carrier to report (loopback, VXLAN) say UNKNOWN; the flag tells whether traffic can pass. */
function stateOf({ operstate, flags }: Interface): string {
  if (operstate === 'UP') return 'up'
  if (operstate === 'UNKNOWN') return flags.includes('LOWER_UP') ? 'up' : 'down'
  return operstate === 'TESTING' || operstate === 'DORMANT' ? operstate.toLowerCase() : 'down'
}

function detailsOf(row: Row): string {
  const vlans = row.vlans as readonly string[]
  const plainAccess = vlans.length === 1 && vlans[0] === String(row.pvid)
  const parts: [string, unknown][] = [
    ['Admin', row.adminState === 'down' ? 'down' : null],
    ['VNI', row.vni],
    ['Table', row.tableId],
    ['VLANs', plainAccess ? '' : vlans.join(' ')],
    ['PVID', row.pvid],
    ['Parent', row.parent],
    ['MAC', row.type === 'macvlan' ? row.macAddress : null],
    ['Mode', row.mode],
    ['Members', (row.members as readonly string[]).join(' ')],
    ['Master', row.master],
    ['VTEP', row.vtep],
    ['MTU', row.mtu],
  ]
  return parts
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')
}
