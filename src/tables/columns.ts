import { ago } from '../text/duration.ts'
import type { Column, Value } from './table.ts'

export const hostname: Column = { head: 'Hostname', cell: (stored) => stored.hostname }

/** The age of the change. Whoever prints has put the time that is to be believed into `agentTime`. */
export const lastChanged: Column = {
  head: 'Last Changed',
  cell: ({ agentTime }, now) => ago(now - agentTime),
}

/** A column that shows a field as it is; `absent` stands where the row has no value. */
export function column(head: string, field: string, absent = ''): Column {
  return { head, cell: ({ row }) => cellOf(row[field]) || absent }
}

function cellOf(value: Value | undefined): string {
  if (value === true) return 'yes'
  if (value === false) return 'no'
  if (Array.isArray(value)) return value.join(', ')
  return String(value ?? '')
}
