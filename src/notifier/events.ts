import { tableNamed } from '../tables/index.ts'
import type { Happening, Row } from '../tables/table.ts'
import { happeningOfAgent, happeningOfCluster, type KeyedChange } from './happenings.ts'
import type { LogEntry } from './store.ts'
import type { Event } from './types.ts'

type TableChange = KeyedChange & { readonly table: string }

/** An event, and the line of its entry: what a cursor points at. */
export interface Placed {
  readonly event: Event
  readonly line: number
}

/** The events that an entry of the log means to an operator, in its order. Pure; what makes no sense means nothing. */
export function eventsOf(entry: LogEntry): Placed[] {
  return entry.lines.flatMap((text, line) => {
    const change = changeOf(entry, text, line)
    const happening = change && happeningOf(change, entry.own)
    return happening ? [{ event: eventOf(entry, line, happening), line }] : []
  })
}

/** Only the servers write of agents and of themselves: what somebody on the network sends under these names is nothing. */
function happeningOf(change: TableChange, own: boolean): Happening | undefined {
  if (!own) return tableNamed(change.table)?.happening?.(change)
  if (change.after?.told === true) return undefined
  return change.table === 'agent' ? happeningOfAgent(change) : happeningOfCluster(change)
}

function eventOf(entry: LogEntry, line: number, happening: Happening): Event {
  const { type, severity, message, about, recovers } = happening
  return {
    id: `${entry.id}.${line}`,
    time: Number(entry.id.split('-')[0]),
    hostname: entry.host,
    type,
    severity,
    message,
    subject: `${type} ${entry.host} ${about}`,
    recovers: recovers === true,
  }
}

function changeOf(entry: LogEntry, text: string, line: number): TableChange | undefined {
  const [op, table = '', key = '', after] = text.split('\t')
  if (op !== 'P' && op !== 'D') return undefined
  const before = rowOf(entry.before[line])
  const now = op === 'P' ? rowOf(after) : undefined
  return {
    table,
    key,
    hostname: entry.host,
    ...(before ? { before } : {}),
    ...(now ? { after: now } : {}),
  }
}

function rowOf(json: string | undefined): Row | undefined {
  try {
    const value: unknown = JSON.parse(json || 'null')
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined
  } catch {
    return undefined
  }
}
