import type { ShowRequest } from '../api/types.ts'
import { sentenceOf } from '../platform/log.ts'
import type { Database } from '../stats/database.ts'
import type { Counter } from '../stats/names.ts'
import { timeOfId } from '../stats/stream.ts'
import { TooMuch, type Usage, usageIn } from '../stats/usage.ts'
import type { AgentRecord, StoreReader } from '../store/types.ts'
import { amount } from '../text/amount.ts'
import { ago } from '../text/duration.ts'
import { globMatcher } from '../text/glob.ts'
import { momentOf } from '../text/moment.ts'
import { byNature } from '../text/natural.ts'
import { printable, textTable } from '../text/table.ts'
import { isStale } from './freshness.ts'
import { copyNotes } from './notes.ts'
import { type Answer, BadRequest } from './show.ts'

/** The range where none is given, in milliseconds: 20 samples. */
const RANGE_MS = 5 * 60 * 1000
/** What InfluxDB may lack of the stream before that is said, in milliseconds. */
const BEHIND_MS = 30_000

/** The store, with the time of the newest entry of the stream of statistics in it (ms), or nothing. */
type Store = StoreReader & { statsEnd(): Promise<number | undefined> }

type Column = readonly [head: string, cell: (usage: Usage) => string]

const total = (counter: Counter) => (usage: Usage) => String(usage.totals[counter])
const rate = (counter: Counter) => (usage: Usage) => {
  const bits = perSecond(usage, usage.totals[counter] * 8)
  return bits === null ? '-' : amount(bits, 'bit/s')
}
const name: readonly Column[] = [
  ['Hostname', ({ hostname }) => hostname],
  ['Interface', (usage) => usage.interface],
]
const over: Column = ['Over', ({ from, to }) => ago(to - from)]
const traffic: readonly Column[] = [
  ...name,
  ['RX Rate', rate('rx_bytes')],
  ['TX Rate', rate('tx_bytes')],
  ['RX Bytes', total('rx_bytes')],
  ['TX Bytes', total('tx_bytes')],
  ['RX Packets', total('rx_packets')],
  ['TX Packets', total('tx_packets')],
  ['RX Multicast', total('rx_multicast')],
  over,
]
const troubles: readonly Column[] = [
  ...name,
  ['RX Errors', total('rx_errs')],
  ['RX Drops', total('rx_drop')],
  ['RX Frame', total('rx_frame')],
  ['TX Errors', total('tx_errs')],
  ['TX Drops', total('tx_drop')],
  ['TX Carrier', total('tx_carrier')],
  ['TX Colls', total('tx_colls')],
  over,
]

/**
 * Answers `netq [<hostname>] show interface-stats ...` from the InfluxDB of this server: what each interface counted in
 * a range, and the mean rate. Rejects with a BadRequest, or with a sentence if Redis or InfluxDB does not answer.
 * @param now ms since the epoch, by this server's clock
 */
export async function showInterfaceStats(
  request: ShowRequest,
  reader: Store,
  database: Database,
  now: number,
): Promise<Answer> {
  const range = rangeOf(request.args, now)
  const fits = globMatcher(request.hostname ?? '*')
  const [agents, health, end] = await Promise.all([reader.agents(fits), reader.health(), reader.statsEnd()])
  const port = request.args.interface
  const asked = {
    ...(agents.length === 1 ? { hostname: agents[0]!.hostname } : {}),
    ...(typeof port === 'string' ? { interface: port } : {}),
  }
  const { found, upTo } = await read(database, range, asked)
  const hostnames = new Set(agents.map(({ hostname }) => hostname))
  const usages = found
    .filter(({ hostname }) => hostnames.has(hostname))
    .sort((a, b) => byNature(a.hostname, b.hostname) || byNature(a.interface, b.interface))
  const notes = [
    ...copyNotes(health, now),
    ...(isStale(health, now) ? [] : behind(end, upTo)),
    ...aboutAgents(agents, request.hostname),
  ]
  if (request.args.json === true) return { type: 'json', body: jsonOf(usages, range, notes) }
  const above = notes.map((note) => `${note}\n`).join('')
  if (usages.length === 0)
    return { type: 'text', body: `${above}No matching interface-stats records found\n` }
  const columns = request.args.errors === true ? troubles : traffic
  const heads = columns.map(([head]) => head)
  const cells = usages.map((usage) => columns.map(([, cell]) => cell(usage)))
  return { type: 'text', body: `${above}Matching interface-stats records:\n${textTable(heads, cells)}` }
}

function rangeOf(args: ShowRequest['args'], now: number): { from: number; to: number } {
  const words = [args['text-time'], args['text-endtime']]
  if (words.every((word) => word === undefined)) return { from: now - RANGE_MS, to: now + 1 }
  const times = words.map((word) => {
    const time = momentOf(String(word), now)
    // InfluxDB has no times before 1677.
    if (time !== undefined) return Math.max(0, time)
    throw new BadRequest(
      `"${printable(String(word))}" is no time, so nothing was looked up: say now, or how long ago, such as 30s, 5m, 2h, 1d or 1w`,
    )
  })
  const [from, to] = [Math.min(...times), Math.max(...times)]
  if (from === to) throw new BadRequest('both times are the same, so nothing was looked up')
  return { from, to: to + 1 }
}

async function read(database: Database, range: { from: number; to: number }, asked: object) {
  try {
    // First what has one statement only: of several, a missing database leaves but "not executed".
    const progress = await database.progress()
    const found = await usageIn(database, range, asked)
    return { found, upTo: timeOfId(progress?.id ?? '0-0') }
  } catch (error) {
    if (error instanceof TooMuch) throw new BadRequest(error.message)
    throw new Error(
      `this server has no interface statistics to show: ${sentenceOf(error)} (services netq-influxdb, netq-stats-pushd)`,
    )
  }
}

/** @param end when the newest entry of the stream was written; undefined if there is none */
function behind(end: number | undefined, upTo: number): string[] {
  if (end === undefined || end - upTo < BEHIND_MS) return []
  return [
    `BEHIND: samples of the last ${ago(end - upTo)} are not in this server's InfluxDB yet; its netq-stats-pushd writes them.`,
  ]
}

function aboutAgents(agents: readonly AgentRecord[], pattern: string | undefined): string[] {
  if (agents.length === 0 && pattern !== undefined)
    return [`UNKNOWN: no agent called ${printable(pattern)} has ever reported to these servers.`]
  if (agents.some(({ info }) => info.stats === true)) return []
  const whom = pattern === undefined ? 'no agent collects' : `${printable(pattern)} does not collect`
  return [
    `OFF: ${whom} interface statistics now. To turn them on, type on the node: netq config add stats, and: netq config restart agent`,
  ]
}

function perSecond({ from, to }: Usage, value: number): number | null {
  return to > from ? (value * 1000) / (to - from) : null
}

function jsonOf(usages: readonly Usage[], range: { from: number; to: number }, notes: readonly string[]) {
  const records = usages.map((usage) => ({
    hostname: usage.hostname,
    interface: usage.interface,
    rxBitsPerSecond: perSecond(usage, usage.totals.rx_bytes * 8),
    txBitsPerSecond: perSecond(usage, usage.totals.tx_bytes * 8),
    ...usage.totals,
    samples: usage.samples,
    firstSample: usage.from / 1000,
    lastSample: usage.to / 1000,
  }))
  const answer = {
    'interface-stats': records,
    from: range.from / 1000,
    to: (range.to - 1) / 1000,
    truncatedResult: false,
    ...(notes.length > 0 ? { notes } : {}),
  }
  return `${JSON.stringify(answer, null, 4)}\n`
}
