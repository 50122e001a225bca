import { address } from './address.ts'
import { link } from './link.ts'
import { lldp } from './lldp.ts'
import { mac } from './mac.ts'
import { neighbor } from './neighbor.ts'
import { route } from './route.ts'
import type { Table } from './table.ts'

/** Every table there is: the agent collects them, the store keeps them, the command shows them. */
export const tables: readonly Table[] = [link, address, route, neighbor, mac, lldp]

/** The table of this name, or undefined if there is none. */
export function tableNamed(name: string): Table | undefined {
  return tables.find((table) => table.name === name)
}
