import { type Item, itemsOf, numberOf, objectOf, objectsOf, required, textOf, textsOf } from './json.ts'
import type { Source } from './table.ts'

/**
 * The interfaces and their addresses. Every table that needs an interface's kind, master or VRF names this same
 * source, so that one run of `ip` serves all of them and they agree with one another.
 */
export const interfaceSource: Source = {
  argv: ['ip', '-d', '-j', 'addr', 'show'],
  triggers: ['link', 'address'],
}

export interface Interface {
  readonly name: string
  /** Of a virtual interface, such as `bridge`; a physical one has none. */
  readonly kind: string | undefined
  /** `ether`, `loopback`, `none` ... */
  readonly linkType: string | undefined
  readonly flags: readonly string[]
  readonly operstate: string
  readonly mtu: number | null
  readonly macAddress: string | null
  readonly master: string | null
  /** The kind of its master as the kernel sees it: `bridge`, `bond`, `vrf`. */
  readonly masterKind: string | undefined
  /** The interface that it lies on, of a VLAN or MACVLAN interface. */
  readonly parent: string | null
  /** What is particular to its kind. */
  readonly data: Item
  readonly addresses: readonly Item[]
}

/** The interfaces from the output of `interfaceSource`. Throws an Error with one sentence if it is something else. */
export function interfacesOf(output: string): Interface[] {
  return itemsOf(output, interfaceSource.argv).map((item) => {
    const info = objectOf(item, 'linkinfo')
    const linkType = textOf(item, 'link_type')
    return {
      name: required(item, 'ifname', interfaceSource.argv),
      kind: textOf(info, 'info_kind'),
      linkType,
      flags: textsOf(item, 'flags'),
      operstate: textOf(item, 'operstate') ?? 'UNKNOWN',
      mtu: numberOf(item, 'mtu') ?? null,
      macAddress: linkType === 'ether' ? (textOf(item, 'address') ?? null) : null,
      master: textOf(item, 'master') ?? null,
      masterKind: textOf(info, 'info_slave_kind'),
      parent: textOf(item, 'link') ?? null,
      data: objectOf(info, 'info_data'),
      addresses: objectsOf(item, 'addr_info'),
    }
  })
}

/**
 * The VRF of each interface by its name. A VRF's own interface is in that VRF: so are the addresses on it, which are
 * the VRF's loopback addresses.
 */
export function vrfsOf(interfaces: readonly Interface[]): (name: string) => string {
  const vrfs = new Map<string, string>()
  for (const { name, kind, master, masterKind } of interfaces) {
    if (kind === 'vrf') vrfs.set(name, name)
    else if (masterKind === 'vrf' && master) vrfs.set(name, master)
  }
  return (name) => vrfs.get(name) ?? 'default'
}

/**
 * The VRF that a routing table, as `ip route` names it, belongs to. ifupdown2 names a VRF's table after the VRF; others
 * leave the number. A table of no VRF (policy routing) is called `table-<name>`: its routes are not the default VRF's.
 */
export function vrfOfTable(interfaces: readonly Interface[]): (table: string) => string {
  const vrfs = new Map(['main', 'local', 'default'].map((table) => [table, 'default']))
  for (const { name, kind, data } of interfaces) {
    if (kind !== 'vrf') continue
    vrfs.set(name, name)
    vrfs.set(String(data.table), name)
  }
  return (table) => vrfs.get(table) ?? `table-${table}`
}
