import type { ShowRequest } from '../api/types.ts'
import type { AgentRecord, StoreHealth, StoreReader } from '../store/types.ts'
import { tableNamed } from '../tables/index.ts'
import { keyOf, type Show, type StoredRow, type Table } from '../tables/table.ts'
import { globMatcher } from '../text/glob.ts'
import { byNature } from '../text/natural.ts'
import { printable, textTable } from '../text/table.ts'
import { agentsListing } from './agents.ts'
import { isStale } from './freshness.ts'
import { type Listing, tableListing } from './listing.ts'
import { agentNotes, copyNotes } from './notes.ts'
import { notificationsListing } from './notifications.ts'

export interface Answer {
  readonly type: 'text' | 'json'
  /** Ends with a line end. */
  readonly body: string
}

/** A request that cannot be answered as it was asked; its message is one clear sentence for whoever asked. */
export class BadRequest extends Error {}

/**
 * Answers one `netq [<hostname>] show ...` from this server's copy. Only the selected hosts' rows are read.
 * Rejects with a BadRequest if the request makes no sense, and with the reader's error if the store does not answer.
 * @param now milliseconds since the epoch, by this server's clock
 */
export async function show(request: ShowRequest, reader: StoreReader, now: number): Promise<Answer> {
  if (request.table === 'notifications') return showNotifications(request, reader, now)
  const asked = request.table === 'agents' ? undefined : askedFor(request)
  const [known, health] = await Promise.all([reader.agents(fitting(request.hostname)), reader.health()])
  const agents = known.sort((a, b) => byNature(a.hostname, b.hostname))
  const notes = [
    ...copyNotes(health, now),
    ...unknownHost(agents, request.hostname),
    ...agentNotes(agents, health, now, asked ? ['Rotten', 'Waiting'] : ['Waiting']),
  ]
  const listing = asked ? await matching(asked, agents, reader, now) : agentsListing(agents, health, now)
  return answerOf(listing, request, notes, health, now)
}

async function showNotifications(request: ShowRequest, reader: StoreReader, now: number): Promise<Answer> {
  const [records, health] = await Promise.all([reader.notifications(), reader.health()])
  const listing = notificationsListing(records, fitting(request.hostname), now)
  return answerOf(listing, request, copyNotes(health, now), health, now)
}

function answerOf(
  listing: Listing,
  request: ShowRequest,
  notes: readonly string[],
  health: StoreHealth,
  now: number,
): Answer {
  return request.args.json === true
    ? { type: 'json', body: jsonOf(listing, request, notes, health, now) }
    : { type: 'text', body: textOf(listing, request, notes) }
}

interface Asked {
  readonly table: Table
  readonly show: Show
  readonly fits: ReturnType<NonNullable<Show['filter']>>
}

function askedFor(request: ShowRequest): Asked {
  const table = tableNamed(request.table)
  const show = table?.shows[request.show]
  if (!table || !show)
    throw new BadRequest(
      `this server has nothing called "${printable(request.table)}" (${request.show}) to show: netq here and netqd ` +
        'there are of different versions',
    )
  try {
    return { table, show, fits: show.filter?.(request.args) ?? (() => true) }
  } catch (error) {
    throw new BadRequest(printable(error instanceof Error ? error.message : String(error)))
  }
}

const fitting = (pattern: string | undefined) => (pattern === undefined ? () => true : globMatcher(pattern))

/** Nothing found on a host and no such host are different answers. */
function unknownHost(agents: readonly AgentRecord[], pattern: string | undefined): string[] {
  if (pattern === undefined || agents.length > 0) return []
  return [`UNKNOWN: no agent called ${printable(pattern)} has ever reported to these servers.`]
}

async function matching(asked: Asked, agents: readonly AgentRecord[], reader: StoreReader, now: number) {
  const hostnames = agents.map(({ hostname }) => hostname)
  const rowsOf = (table: Table) => (hostnames.length > 0 ? reader.rows(table.name, hostnames) : [])
  const { table, show, fits } = asked
  const rows = (await rowsOf(table)).filter(fits)
  const complete = show.completedBy ? completed(table, rows, await rowsOf(show.completedBy)) : rows
  return tableListing(table, show, agents, complete, now)
}

/** The rows, each with the fields of the other table's row of the same host and key. */
function completed(table: Table, rows: readonly StoredRow[], others: readonly StoredRow[]): StoredRow[] {
  const identity = ({ hostname, row }: StoredRow) => `${hostname}\t${keyOf(table, row)}`
  const byIdentity = new Map(others.map((other) => [identity(other), other.row]))
  return rows.map((stored) => ({ ...stored, row: { ...byIdentity.get(identity(stored)), ...stored.row } }))
}

function textOf(listing: Listing, { args }: ShowRequest, notes: readonly string[]): string {
  const above = notes.map((note) => `${note}\n`).join('')
  if (args.count === true) return `${above}Count of matching ${listing.name} records: ${listing.count}\n`
  if (listing.count === 0) return `${above}No matching ${listing.name} records found\n`
  return `${above}Matching ${listing.name} records:\n${textTable(listing.heads, listing.cells())}`
}

/** The notes, and the age of a stale copy in seconds (null: no copy yet), are there only where they say something. */
function jsonOf(
  listing: Listing,
  { args }: ShowRequest,
  notes: readonly string[],
  health: StoreHealth,
  now: number,
): string {
  const answer = {
    ...(args.count === true ? { count: listing.count } : { [listing.name]: listing.records() }),
    truncatedResult: false,
    ...(isStale(health, now)
      ? { staleSeconds: health.markerTime > 0 ? (now - health.markerTime) / 1000 : null }
      : {}),
    ...(notes.length > 0 ? { notes } : {}),
  }
  return `${JSON.stringify(answer, null, 4)}\n`
}
