/**
 * A collector in whatever network namespace it is started in: prints a JSON line {table, rows, at, log} a
 * reading (`at` in ms), and a line {log} a log sentence, until its standard input ends.
 */
import { Collector } from '../../src/agent/collector.ts'
import type { Table } from '../../src/tables/table.ts'

const say = (what: object) => process.stdout.write(`${JSON.stringify(what)}\n`)

/** Names that a JSON answer of `ip` has in this field. */
function names(name: string, argv: readonly string[], field: string, triggers: readonly string[]): Table {
  return {
    name,
    sources: [{ argv, triggers }],
    fields: ['name'],
    keys: ['name'],
    parse: ([text]) => {
      const items = JSON.parse(text || '[]') as Record<string, string>[]
      return items.filter((item) => item[field] !== undefined).map((item) => ({ name: item[field]! }))
    },
    shows: [],
  }
}

const collector = new Collector({
  tables: [
    names('link', ['ip', '-j', 'link', 'show'], 'ifname', ['link']),
    names('route', ['ip', '-j', 'route', 'show'], 'dst', ['route']),
    names('neigh', ['ip', '-j', 'neigh', 'show'], 'dst', ['neigh']),
    names('fdb', ['bridge', '-j', 'fdb', 'show'], 'mac', ['fdb']),
    {
      ...names('address', ['ip', '-j', 'address', 'show'], 'ifname', ['address']),
      parse: ([text]) =>
        (JSON.parse(text || '[]') as { addr_info: { local: string }[] }[]).flatMap((link) =>
          link.addr_info.map(({ local }) => ({ name: local })),
        ),
    },
  ],
  onRows: (table, rows) => say({ table: table.name, rows: rows.map((row) => row.name), at: Date.now() }),
  // So long that only triggers can bring news within the test.
  periodMs: 3_600_000,
  log: {
    debug: () => {},
    info: (log) => say({ log }),
    warning: (log) => say({ log }),
    error: (log) => say({ log }),
  },
})
collector.start()
process.stdin.on('end', async () => {
  await collector.stop()
  say({ stopped: true, cpuMs: Math.round((process.cpuUsage().user + process.cpuUsage().system) / 1000) })
})
process.stdin.resume()
