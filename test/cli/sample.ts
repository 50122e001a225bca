import { commandsFor } from '../../src/cli/commands.ts'
import type { Show, Table } from '../../src/tables/table.ts'

const show = (usage: string): Show => ({ usage, summary: usage, columns: [] })
const table = (name: string, usages: readonly string[]): Table => ({
  name,
  sources: [],
  fields: [],
  keys: [],
  parse: () => [],
  shows: usages.map(show),
})

/** Tables whose lines have all that the notation has; the grammar is tested by them whatever tables there are. */
export const commands = commandsFor([
  table('link', [
    'show interfaces [<remote-interface>] [state <state>] [count] [json]',
    'show interfaces type (bond|bridge|swp) [state <state>] [count] [json]',
  ]),
  table('address', ['show ip|ipv6 addresses [<remote-interface>] [<ip>|<ip/prefixlen>] [vrf <vrf>] [json]']),
  table('neighbor', ['show ip neighbors [<remote-interface>] [<ip>] [vrf <vrf>] [<mac>] [count] [json]']),
  table('mac', ['show macs [<mac>] [vlan <1-4096>] [origin] [json]']),
  table('vlan', ['show vlan [<1-4096>] [json]']),
  table('services', ['show services [<name>] [active|monitored|status (ok|error)] [json]']),
])
