import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row, Show, StoredRow } from '../../src/tables/table.ts'

/** What the programs printed on a leaf made of namespaces: a bridge, a VXLAN and a MACVLAN interface, two uplinks. */
export const captured = (name: string) => fixture('captured', name)

/** In the form of iproute2's source, for what the capturing kernel lacks: bonds, VRFs, VLANs in bridges. */
export const handwritten = (name: string) => fixture('handwritten', name)

/** @param name with its ending, unless that is `.json` */
function fixture(folder: string, name: string): string {
  const file = name.includes('.') ? name : `${name}.json`
  return readFileSync(join(import.meta.dirname, '../fixtures', folder, file), 'utf8')
}

/** The cells of the rows that a show asks for, as an operator reads them; no host name, no age. */
export function screen(show: Show, rows: readonly Row[], args = {}): string[] {
  const columns = show.columns.filter(({ head }) => head !== 'Hostname' && head !== 'Last Changed')
  return rows
    .map((row): StoredRow => ({ hostname: 'leaf01', row, agentTime: 0, serverTime: 0 }))
    .filter(show.filter?.(args) ?? (() => true))
    .map((stored) => columns.map((column) => column.cell(stored, 0)).join(' | '))
}
