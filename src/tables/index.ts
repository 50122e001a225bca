import { address } from './address.ts'
import { bgp, bgpPrefixes } from './bgp.ts'
import { link } from './link.ts'
import { lldp } from './lldp.ts'
import { mac } from './mac.ts'
import { neighbor } from './neighbor.ts'
import { ntp } from './ntp.ts'
import { port } from './port.ts'
import { route } from './route.ts'
import { sensors } from './sensors.ts'
import { services } from './services.ts'
import type { Table } from './table.ts'

/** Every table there is: the agent collects them, the store keeps them, the command shows them. */
export const tables: readonly Table[] = [
  link,
  port,
  address,
  route,
  neighbor,
  mac,
  lldp,
  bgp,
  bgpPrefixes,
  services,
  sensors,
  ntp,
]

/** The table of this name, or undefined if there is none. */
export function tableNamed(name: string): Table | undefined {
  return tables.find((table) => table.name === name)
}
