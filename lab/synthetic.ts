import { Agent, type Readings } from '../src/agent/agent.ts'
import { makeLog } from '../src/platform/log.ts'
import { pathsUnder } from '../src/platform/paths.ts'
import { tableNamed } from '../src/tables/index.ts'
import type { Row, Table } from '../src/tables/table.ts'
import type { History } from './history.ts'

export interface Load {
  readonly host: string
  readonly root: string
  readonly servers: readonly string[]
  /** Changes a second that it makes up. */
  readonly changesPerSecond: number
  readonly history: History
}

export interface SyntheticAgent {
  readonly agent: Agent
  /** Ends the changes; what was made is still pushed. */
  quiet(): void
}

const INTERFACES = 40
const TICK_MS = 20

/**
 * The real agent over a node that is made up: interfaces whose MTU counts up, so that every change is one of its kind
 * and can be looked for in the log.
 */
export function syntheticAgent({ host, root, servers, changesPerSecond, history }: Load): SyntheticAgent {
  let load: MadeUpInterfaces | undefined
  const agent = new Agent({
    paths: pathsUnder(root),
    host,
    servers,
    port: 6379,
    heartbeatMs: 1000,
    log: makeLog(host, 'error'),
    readings: (onRows) => {
      load = new MadeUpInterfaces(changesPerSecond, onRows)
      return load
    },
    watch: history.watch(host),
  })
  return { agent, quiet: () => load?.stop() }
}

class MadeUpInterfaces implements Readings {
  private readonly perSecond: number
  private readonly onRows: (table: Table, rows: readonly Row[]) => void
  private readonly table = tableNamed('link')!
  private readonly mtus = Array.from({ length: INTERFACES }, (_, i) => i)
  private next = INTERFACES
  private timer: NodeJS.Timeout | undefined
  private begun = 0
  private made = 0

  constructor(perSecond: number, onRows: (table: Table, rows: readonly Row[]) => void) {
    this.perSecond = perSecond
    this.onRows = onRows
  }

  start(): void {
    this.begun = Date.now()
    this.readAll()
    this.timer = setInterval(() => this.tick(), TICK_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
  }

  readAll(): void {
    this.onRows(
      this.table,
      this.mtus.map((mtu, i) => this.row(`swp${i + 1}`, mtu)),
    )
  }

  private tick(): void {
    const due = Math.floor(((Date.now() - this.begun) / 1000) * this.perSecond)
    if (due <= this.made) return
    for (; this.made < due; this.made++) this.mtus[this.made % INTERFACES] = this.next++
    this.readAll()
  }

  private row(name: string, mtu: number): Row {
    const values: Row = { interface: name, type: 'swp', state: 'up', adminState: 'up', vrf: 'default', mtu }
    return Object.fromEntries(this.table.fields.map((field) => [field, values[field] ?? null]))
  }
}
