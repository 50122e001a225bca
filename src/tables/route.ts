import { covers, type Prefix, parsePrefix } from '../text/ip.ts'
import { byNature } from '../text/natural.ts'
import { isAsked, prefixArgument, word } from './arguments.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { interfaceSource, interfacesOf, vrfOfTable } from './interfaces.ts'
import { type Item, itemsOf, numberOf, objectOf, objectsOf, required, textOf, textsOf } from './json.ts'
import { distinct } from './rows.ts'
import type { Arguments, Column, Row, Show, Source, StoredRow, Table } from './table.ts'

// Each family by itself: without one, `table all` also lists what is no unicast IP route, such as MPLS labels.
const sources: readonly Source[] = [
  { argv: ['ip', '-4', '-d', '-j', 'route', 'show', 'table', 'all'], triggers: ['route'] },
  { argv: ['ip', '-6', '-d', '-j', 'route', 'show', 'table', 'all'], triggers: ['route'] },
]
const keys = ['vrf', 'prefix', 'type', 'metric']

/** Types of entries that are no routes of the operator's: the kernel makes them for every address. */
const noise = new Set(['broadcast', 'multicast', 'anycast'])

/** What the nexthops column says of a route that leads nowhere. */
const dead: Readonly<Record<string, string>> = {
  blackhole: 'Blackhole',
  unreachable: 'Unreachable',
  prohibit: 'Prohibited',
  throw: 'Throw',
}

/** What a route has that was given no metric, in IPv4 and IPv6. */
const usualMetrics: readonly unknown[] = [0, 1024]

const nexthops: Column = {
  head: 'Nexthops',
  cell: ({ row }) => {
    const nowhere = dead[String(row.type)]
    if (!nowhere) return (row.nexthops as readonly string[]).join(', ')
    // A VRF's route of last resort stands beside its default route: the metric tells that it is not the one used.
    return usualMetrics.includes(row.metric) ? nowhere : `${nowhere} (metric ${row.metric})`
  },
}

/**
 * Routes of every VRF. `origin`: the host owns the prefix, as an address of its own or as a connected network. Left
 * out is what the kernel has everywhere: multicast, broadcast, anycast, 127.0.0.0/8, ::1 and fe80::/10.
 */
export const route: Table = {
  name: 'route',
  sources: [...sources, interfaceSource],
  fields: ['vrf', 'prefix', 'type', 'metric', 'origin', 'protocol', 'nexthops'],
  keys,
  parse: ([four, six, interfaces]) => {
    if (interfaces === undefined) return []
    const vrf = vrfOfTable(interfacesOf(interfaces))
    const rows = [four, six].flatMap((output, family) =>
      output === undefined ? [] : routeRows(output, family === 0 ? 32 : 128, sources[family]!.argv, vrf),
    )
    return distinct(keys, merged(rows))
  },
  shows: [showOf('ip', 4), showOf('ipv6', 6)],
}

function routeRows(
  output: string,
  whole: number,
  argv: readonly string[],
  vrf: (table: string) => string,
): Row[] {
  return itemsOf(output, argv).flatMap((item) => {
    const type = textOf(item, 'type') ?? 'unicast'
    const dst = required(item, 'dst', argv)
    if (noise.has(type) || isEverywhere(dst)) return []
    const hops = dead[type] ? [] : nexthopsOf(item)
    const protocol = textOf(item, 'protocol') ?? ''
    return [
      {
        vrf: vrf(textOf(item, 'table') ?? 'main'),
        prefix: prefixOf(dst, whole),
        type,
        metric: numberOf(item, 'metric') ?? 0,
        origin: type === 'local' || (type === 'unicast' && protocol === 'kernel' && !viaGateway(item)),
        protocol,
        nexthops: hops,
      },
    ]
  })
}

function isEverywhere(dst: string): boolean {
  return dst.startsWith('127.') || dst === '::1' || /^fe[89ab][\da-f]:/i.test(dst)
}

function prefixOf(dst: string, whole: number): string {
  if (dst === 'default') return whole === 32 ? '0.0.0.0/0' : '::/0'
  return dst.includes('/') ? dst : `${dst}/${whole}`
}

function viaGateway(item: Item): boolean {
  return [item, ...objectsOf(item, 'nexthops')].some((hop) => 'gateway' in hop || 'via' in hop)
}

/** `10.9.2.2: swp2` or `swp2`, with what is unusual about it: `10.9.2.2: swp2 (linkdown)`. */
function nexthopsOf(item: Item): string[] {
  const several = objectsOf(item, 'nexthops')
  const tos = textOf(item, 'tos')
  return (several.length > 0 ? several : [item])
    .map((hop) => {
      const gateway = textOf(hop, 'gateway') ?? textOf(objectOf(hop, 'via'), 'host')
      const weight = numberOf(hop, 'weight') ?? 1
      const notes: string[] = textsOf(hop, 'flags').filter((flag) => flag === 'dead' || flag === 'linkdown')
      if (weight !== 1) notes.push(`weight ${weight}`)
      if (tos) notes.push(`tos ${tos}`)
      const to = [gateway, textOf(hop, 'dev')].filter((part) => part !== undefined).join(': ')
      return notes.length > 0 ? `${to} (${notes.join(', ')})` : to
    })
    .sort(byNature)
}

/**
 * The kernel may hold several routes to one prefix with one metric, such as the same IPv6 network connected on two
 * interfaces: one row with the nexthops of all of them.
 */
function merged(rows: readonly Row[]): Row[] {
  const byKey = Map.groupBy(rows, (row) => keys.map((field) => row[field]).join(' '))
  return [...byKey.values()].map((same) => ({
    ...same[0]!,
    origin: same.some((row) => row.origin === true),
    protocol: [...new Set(same.map((row) => String(row.protocol)))].sort().join(' '),
    nexthops: [...new Set(same.flatMap((row) => row.nexthops as readonly string[]))].sort(byNature),
  }))
}

function showOf(family: 'ip' | 'ipv6', version: 4 | 6): Show {
  return {
    usage: `show ${family} routes [<ip>|<ip/prefixlen>] [vrf <vrf>] [origin] [count] [json]`,
    summary: `IPv${version} routes; with an address, every route that covers it; origin: prefixes the host owns`,
    columns: [
      column('Origin', 'origin'),
      column('VRF', 'vrf'),
      column('Prefix', 'prefix'),
      hostname,
      nexthops,
      lastChanged,
    ],
    filter: (args) => asked(args, version),
  }
}

function asked(args: Arguments, version: 4 | 6): (stored: StoredRow) => boolean {
  const prefix = prefixArgument(args, version)
  const exact = word(args, 'ip') === undefined
  const vrf = word(args, 'vrf')
  const separator = version === 4 ? '.' : ':'
  return ({ row }) =>
    String(row.prefix).includes(separator) &&
    isAsked(vrf, row.vrf) &&
    (args.origin !== true || row.origin === true) &&
    (!prefix || routeFits(prefix, exact, String(row.prefix)))
}

function routeFits(asked: Prefix, exact: boolean, text: string): boolean {
  const prefix = parsePrefix(text)
  return prefix !== undefined && covers(prefix, asked) && (!exact || prefix.length === asked.length)
}
