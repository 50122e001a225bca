import { isAsked, word } from './arguments.ts'
import { changed, clipped, inVrf, teller, told } from './changes.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { type Item, jsonOf, numberOf, objectOf, textOf, unexpected } from './json.ts'
import { distinct } from './rows.ts'
import { scriptSource } from './script.ts'
import type { Arguments, Change, Happening, Row, StoredRow, Table } from './table.ts'

const NO_BGPD = 'no bgpd'

/**
 * vtysh fails where bgpd does not run. That is an answer, not a failure: the sessions that it had are gone, and to go
 * on showing them as established would be wrong. Of all daemons bgpd alone is asked: the others may hang, or be absent.
 * Where bgpd has no socket vtysh is not started: that costs 37 ms of a processor each time.
 */
const source = scriptSource(
  'bgp',
  `[ ! -d /run/frr ] || [ -S /run/frr/bgpd.vty ] || { echo '${NO_BGPD}'; exit; }
vtysh -d bgpd -c 'show bgp vrf all summary json' 2>/dev/null || echo '${NO_BGPD}'`,
)
const named = ['vtysh', '-c', 'show bgp vrf all summary json']
const keys = ['vrf', 'peerName']
const families = ['ipv4Unicast', 'ipv6Unicast', 'l2VpnEvpn']

/**
 * How many prefixes each session has received. A table of its own, which completes the rows of `bgp`: the numbers change
 * with every route in the network, and as part of the session they would make its `Last Changed` meaningless and hide
 * the changes of its state among them.
 */
export const bgpPrefixes: Table = {
  name: 'bgp-prefixes',
  sources: [source],
  fields: [...keys, 'pfxRx'],
  keys,
  parse: ([output]) =>
    distinct(
      keys,
      sessionsOf(output).map(({ vrf, peerName, pfxRx }) => ({ vrf, peerName, pfxRx })),
    ),
  shows: [],
}

/**
 * BGP sessions. `state` is `established`, `shut down` (by configuration) or `failed`: a session that is not established
 * goes through Idle, Connect and Active every few seconds, which is no news.
 */
export const bgp: Table = {
  name: 'bgp',
  sources: [source],
  fields: [...keys, 'peerHostname', 'asn', 'peerAsn', 'state'],
  keys,
  parse: ([output]) =>
    distinct(
      keys,
      sessionsOf(output).map(({ pfxRx, ...session }) => session),
    ),
  shows: [
    {
      usage: 'show bgp [<bgp-session>|asn <number-asn>] [vrf <vrf>] [count] [json]',
      summary: 'BGP sessions: peers, AS numbers and received prefixes (IPv4/IPv6/EVPN)',
      columns: [
        hostname,
        { head: 'Neighbor', cell: ({ row }) => nameOf(row) },
        column('VRF', 'vrf'),
        column('ASN', 'asn'),
        column('Peer ASN', 'peerAsn'),
        {
          head: 'PfxRx',
          cell: ({ row }) => (row.state === 'established' ? told(row, 'pfxRx') : told(row, 'state')) ?? '-',
        },
        lastChanged,
      ],
      completedBy: bgpPrefixes,
      filter: asked,
    },
  ],
  happening,
}

/** A neighbour is asked for by its interface or address, its host name, or as the screen has it. */
function asked(args: Arguments): (stored: StoredRow) => boolean {
  const session = word(args, 'bgp-session')
  const vrf = word(args, 'vrf')
  const asn = word(args, 'number-asn')
  if (asn !== undefined && !/^\d{1,10}$/.test(asn))
    throw new Error(`"${asn}" is not an AS number such as 65020, so nothing was looked up`)
  return ({ row }) =>
    (session === undefined || [row.peerName, row.peerHostname, nameOf(row)].includes(session)) &&
    isAsked(vrf, row.vrf) &&
    (asn === undefined || [row.asn, row.peerAsn].includes(Number(asn)))
}

function nameOf(row: Row): string {
  return row.peerHostname ? `${row.peerName}(${row.peerHostname})` : String(row.peerName)
}

interface Session {
  readonly vrf: string
  readonly peerName: string
  readonly peerHostname: string | null
  readonly asn: number | null
  readonly peerAsn: number | null
  readonly state: string
  readonly pfxRx: string
}

/** The sessions of every VRF; a peer of several address families is one session. */
function sessionsOf(output: string | undefined): Session[] {
  if (output === undefined || output.trim() === NO_BGPD) return []
  const vrfs = jsonOf(output, named)
  if (typeof vrfs !== 'object' || vrfs === null || Array.isArray(vrfs))
    throw unexpected(named, 'JSON that is not an object of VRFs')
  return Object.keys(vrfs).flatMap((vrf) => {
    const summaries = objectOf(vrfs as Item, vrf)
    const peers = families.map((family) => objectOf(objectOf(summaries, family), 'peers'))
    if (!families.some((family) => Object.hasOwn(summaries, family)) && Object.keys(summaries).length > 0)
      throw unexpected(named, `a VRF "${vrf.slice(0, 30)}" without address families`)
    const names = [...new Set(peers.flatMap((family) => Object.keys(family)))]
    return names.map((name) => sessionOf(vrf, name, peers))
  })
}

/** @param peers of each family, in the order of `families` */
function sessionOf(vrf: string, peerName: string, peers: readonly Item[]): Session {
  const entries = peers.map((family) =>
    Object.hasOwn(family, peerName) ? objectOf(family, peerName) : undefined,
  )
  const all = entries.filter((entry) => entry !== undefined)
  const first = all[0] ?? {}
  const states = all.map((entry) => textOf(entry, 'state') ?? '')
  const established = states.includes('Established')
  const shut = states.some((state) => /\((Admin|PG)\)/.test(state))
  return {
    vrf,
    peerName,
    peerHostname: textOf(first, 'hostname') ?? null,
    asn: numberOf(first, 'localAs') ?? null,
    peerAsn: numberOf(first, 'remoteAs') ?? null,
    state: established ? 'established' : shut ? 'shut down' : 'failed',
    pfxRx: entries.map((entry) => (entry && numberOf(entry, 'pfxRcd')) ?? '-').join('/'),
  }
}

function happening(change: Change): Happening | undefined {
  const neighbor = told(change.after ?? change.before, 'peerName')
  const was = told(change.before, 'state')
  if (neighbor === undefined || was === undefined) return undefined
  const vrf = told(change.after ?? change.before, 'vrf') ?? 'default'
  const tell = teller(
    'BgpSession',
    `BGP: ${clipped(change.hostname)} ${neighbor}${inVrf(vrf)}`,
    `${vrf} ${neighbor}`,
  )
  if (!change.after) {
    // Whether bgpd died or the neighbour was deconfigured is not known here; the table of services tells of the former.
    const why = 'bgpd does not run any more, or the neighbor was taken out of its configuration'
    return was === 'established'
      ? tell('WARNING', `session is gone; it was established: ${why}`)
      : tell('INFO', `session is gone; it was ${was}`, true)
  }
  const state = changed(change, 'state')
  if (!state) return undefined
  const what = `session state changed from ${state.from} to ${state.to}`
  if (state.to === 'established') return tell('INFO', what, true)
  if (state.to === 'shut down') return tell('INFO', `${what} by configuration`, true)
  // One that was shut down and is enabled needs a moment: it has not failed yet.
  return state.from === 'established' ? tell('ERROR', what) : undefined
}
