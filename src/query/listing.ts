import type { AgentRecord } from '../store/types.ts'
import { hostname, lastChanged } from '../tables/columns.ts'
import { type Column, keyOf, type Show, type StoredRow, type Table } from '../tables/table.ts'
import { naturalKey, order } from '../text/natural.ts'
import { believed } from './times.ts'

/** What was asked for, before it is put into a form. */
export interface Listing {
  /** As in `Matching <name> records:`, and the key in JSON. */
  readonly name: string
  readonly count: number
  readonly heads: readonly string[]
  cells(): string[][]
  records(): Record<string, unknown>[]
}

/** Rows of one table that are of these agents: hosts in the order of `agents`, within a host in natural order. */
export function tableListing(
  table: Table,
  show: Show,
  agents: readonly AgentRecord[],
  rows: readonly StoredRow[],
  now: number,
): Listing {
  const ordered = () => {
    const byHost = Map.groupBy(rows, (stored) => stored.hostname)
    return agents.flatMap((agent) =>
      inNaturalOrder(table, byHost.get(agent.hostname) ?? []).map((stored) => believed(stored, agent)),
    )
  }
  const extra = extraColumns(table, show)
  return {
    name: table.name,
    count: rows.length,
    heads: show.columns.map(({ head }) => head),
    cells: () => ordered().map((stored) => show.columns.map((column) => cellOf(column, stored, now))),
    records: () => ordered().map((stored) => recordOf(stored, extra, now)),
  }
}

function inNaturalOrder(table: Table, rows: readonly StoredRow[]): StoredRow[] {
  return rows
    .map((stored) => ({ stored, key: naturalKey(keyOf(table, stored.row)) }))
    .sort((a, b) => order(a.key, b.key))
    .map(({ stored }) => stored)
}

function recordOf(
  stored: StoredRow,
  extra: readonly (readonly [string, Column])[],
  now: number,
): Record<string, unknown> {
  const texts = extra.map(([name, column]) => [name, cellOf(column, stored, now)])
  const seconds = stored.agentTime / 1000
  return { hostname: stored.hostname, ...stored.row, ...Object.fromEntries(texts), lastChanged: seconds }
}

/**
 * A cell's text; `?` if the row has not what its table says. Anybody on the network can push such a row, and one must not
 * hide all the others.
 */
function cellOf(column: Column, stored: StoredRow, now: number): string {
  try {
    return column.cell(stored, now)
  } catch {
    return '?'
  }
}

/** Columns that are made of several fields, such as `Details`: in JSON too, as what is on the screen is in JSON. */
function extraColumns(table: Table, show: Show): (readonly [string, Column])[] {
  const fields = [...table.fields, ...(show.completedBy?.fields ?? [])].map((field) => field.toLowerCase())
  return show.columns
    .filter((column) => column !== hostname && column !== lastChanged)
    .map((column) => [camelCase(column.head), column] as const)
    .filter(([name]) => !fields.includes(name.toLowerCase()))
}

function camelCase(head: string): string {
  const [first = '', ...rest] = head.toLowerCase().split(' ')
  return first + rest.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}
