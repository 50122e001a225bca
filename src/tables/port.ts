import { isAsked, word } from './arguments.ts'
import { changed, clipped, teller, told } from './changes.ts'
import { column, hostname, lastChanged } from './columns.ts'
import { unexpected } from './json.ts'
import { distinct } from './rows.ts'
import { scriptSource } from './script.ts'
import type { Arguments, Change, Happening, Row, StoredRow, Table } from './table.ts'

/**
 * Interfaces with hardware behind them. Carrier and speed cannot be read while one is shut down, hence `-s`, and the
 * state that the kernel gives it, which always can.
 */
const linkSource = scriptSource(
  'ports',
  `cd /sys/class/net || exit 0
for port in *; do [ -e "$port/device" ] && set -- "$@" "$port/operstate" "$port/carrier" "$port/speed"; done
[ $# = 0 ] || grep -sH . "$@"
[ $? -le 2 ]`,
  { triggers: ['link'] },
)

/**
 * Two runs of ethtool a port (1 ms each of a processor, and of a module's slow bus some more), so once a minute: that a
 * cable was plugged is told by the link at once. On the words of the refusal hangs what is known: a cage that is empty
 * does not answer, a port without a cage does not support the question.
 */
const moduleSource = scriptSource(
  'modules',
  `command -v ethtool >/dev/null || exit 0
cd /sys/class/net || exit 0
for port in *; do
  [ -e "$port/device" ] || continue
  echo "port $port"
  ethtool "$port" 2>/dev/null | grep -E '^\\s*(Auto-negotiation|Port):'
  ethtool -m "$port" 2>&1 | grep -E '^\\s*(Identifier|Vendor name|Vendor PN|Vendor SN)\\s*:|rror:|annot|not supported'
done
:`,
  { oneIn: 4 },
)

const keys = ['interface']

/** Physical ports. `module` is what is in the cage: its type, `empty`, `RJ45`, or null where a port cannot tell. */
export const port: Table = {
  name: 'port',
  sources: [linkSource, moduleSource],
  fields: ['interface', 'state', 'speed', 'autoneg', 'module', 'vendor', 'model', 'serial'],
  keys,
  parse: ([links, modules]) => distinct(keys, portRows(links ?? '', modules ?? '')),
  shows: [
    {
      usage:
        'show interfaces physical [<physical-port>] [empty|plugged] [vendor <vendor>|model <model>] [count] [json]',
      summary: 'physical ports: their speed, and the modules plugged into them',
      columns: [
        hostname,
        column('Interface', 'interface'),
        column('State', 'state'),
        column('Speed', 'speed', '-'),
        column('AutoNeg', 'autoneg', '-'),
        column('Module', 'module', '-'),
        column('Vendor', 'vendor', '-'),
        column('Model', 'model', '-'),
        lastChanged,
      ],
      filter: asked,
    },
  ],
  happening,
}

function asked(args: Arguments): (stored: StoredRow) => boolean {
  const name = word(args, 'physical-port')
  const lower = (text: unknown) => (typeof text === 'string' ? text.toLowerCase() : undefined)
  const vendor = lower(word(args, 'vendor'))
  const model = lower(word(args, 'model'))
  return ({ row }) =>
    isAsked(name, row.interface) &&
    isAsked(vendor, lower(row.vendor)) &&
    isAsked(model, lower(row.model)) &&
    (!args.empty || row.module === 'empty') &&
    (!args.plugged || (row.module !== 'empty' && row.module !== null))
}

function portRows(links: string, modules: string): Row[] {
  const facts = modulesOf(modules)
  const ports = new Map<string, Map<string, string>>()
  for (const line of linesOf(links)) {
    const parts = /^([^/\s]+)\/(operstate|carrier|speed):(.*)$/.exec(line)
    if (!parts) throw unexpected(['the ports'], `no state of a port but "${line.slice(0, 60)}"`)
    const values = ports.get(parts[1]!) ?? new Map<string, string>()
    ports.set(parts[1]!, values.set(parts[2]!, parts[3]!))
  }
  return [...ports].map(([name, values]) => ({
    interface: name,
    state: values.get('carrier') === '1' ? 'up' : 'down',
    speed: speedOf(Number(values.get('speed'))),
    autoneg: null,
    module: null,
    vendor: null,
    model: null,
    serial: null,
    ...facts.get(name),
  }))
}

/** @param megabits per second, as the kernel has them; -1 or nothing where there is no link */
function speedOf(megabits: number): string | null {
  if (!(megabits > 0)) return null
  return megabits >= 1000 ? `${megabits / 1000}G` : `${megabits}M`
}

/** What ethtool says of each port; the fields that it says nothing of are left out. */
function modulesOf(output: string): Map<string, Record<string, string>> {
  const ports = new Map<string, Record<string, string>>()
  let facts: Record<string, string> = {}
  for (const line of linesOf(output)) {
    const start = /^port (\S+)$/.exec(line)
    const value = /^\s*([^:]+?)\s*:\s*(.*?)\s*$/.exec(line)
    if (start) {
      facts = {}
      ports.set(start[1]!, facts)
    } else if (ports.size === 0) throw unexpected(['ethtool'], `no port but "${line.slice(0, 60)}"`)
    else if (value) note(facts, value[1]!, value[2]!)
  }
  return ports
}

function note(facts: Record<string, string>, name: string, value: string): void {
  const fields: Readonly<Record<string, string>> = {
    'Vendor name': 'vendor',
    'Vendor PN': 'model',
    'Vendor SN': 'serial',
  }
  const field = fields[name]
  if (field !== undefined) {
    if (value !== '') facts[field] = value
  } else if (name === 'Auto-negotiation') facts.autoneg = value
  else if (name === 'Port') {
    if (/twisted pair/i.test(value)) facts.module ??= 'RJ45'
  } else if (name === 'Identifier') facts.module = /\(([^)]*)\)/.exec(value)?.[1] ?? value
  // ENXIO, EIO, ENODEV and the like are an empty cage's; a port that has no cage does not know the question.
  else if (!/not supported|not permitted|invalid argument/i.test(value)) facts.module ??= 'empty'
}

function linesOf(output: string): string[] {
  return output.split('\n').filter((line) => line !== '')
}

function happening(change: Change): Happening | undefined {
  const name = told(change.after, 'interface')
  const module = changed(change, 'module')
  if (name === undefined || !module) return undefined
  const tell = teller('Port', `PORT: ${clipped(change.hostname)} ${name}`, name)
  const details = ['vendor', 'model', 'serial'].flatMap((field) => told(change.after, field) ?? []).join(' ')
  if (module.to === 'empty') return tell('WARNING', `unplugged: the ${module.from} module is gone`)
  const what = `${module.to} module${details ? ` (${details})` : ''}`
  if (module.from === 'empty') return tell('INFO', `plugged: ${what}`, true)
  return tell('INFO', `another module is plugged: ${what} for ${module.from}`)
}
