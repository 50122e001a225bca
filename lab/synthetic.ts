import { mkdirSync } from 'node:fs'
import { Agent, type AgentOptions, type Readings } from '../src/agent/agent.ts'
import { type Level, makeLog } from '../src/platform/log.ts'
import { pathsUnder } from '../src/platform/paths.ts'
import { tableNamed } from '../src/tables/index.ts'
import type { Row, Table } from '../src/tables/table.ts'

export interface Load {
  readonly host: string
  /** The folder of its files, which it makes. */
  readonly root: string
  readonly servers: readonly string[]
  /** Changes a second that it makes up. */
  readonly changesPerSecond: number
  /** Is told what the agent makes and what is acknowledged. */
  readonly history: { watch(host: string): NonNullable<AgentOptions['watch']> }
  /** Where the MTUs go on from that an earlier agent of this node made up. */
  readonly from?: number
  /** Whether interfaces go and come back, too. */
  readonly flapping?: boolean
  /** How much the agent logs, on the standard error. */
  readonly logLevel?: Level
}

export interface SyntheticAgent {
  readonly agent: Agent
  /** Ends the changes; what was made is still pushed. */
  quiet(): void
  /** Goes on with changes. */
  resume(): void
  /** What the node has now. */
  rows(): readonly Row[]
}

const INTERFACES = 40
const TICK_MS = 20

/**
 * The real agent over a node that is made up: interfaces whose MTU counts up, so that every change is one of its kind
 * and can be looked for in the log.
 */
export function syntheticAgent({ host, root, servers, history, logLevel, ...node }: Load): SyntheticAgent {
  mkdirSync(root, { recursive: true })
  let load: MadeUpInterfaces | undefined
  const agent = new Agent({
    paths: pathsUnder(root),
    host,
    servers,
    port: 6379,
    heartbeatMs: 1000,
    log: makeLog(host, logLevel ?? 'error'),
    readings: (onRows) => {
      load = new MadeUpInterfaces(node, onRows)
      return load
    },
    watch: history.watch(host),
  })
  return {
    agent,
    quiet: () => load?.stop(),
    resume: () => load?.start(),
    rows: () => load?.rows() ?? [],
  }
}

/** One in so many of the MTUs is not shown: the interface is gone until its next change. */
const GONE_EVERY = 7

class MadeUpInterfaces implements Readings {
  private readonly perSecond: number
  private readonly flapping: boolean
  private readonly onRows: (table: Table, rows: readonly Row[]) => void
  private readonly table = tableNamed('link')!
  private readonly mtus: number[]
  private next: number
  private timer: NodeJS.Timeout | undefined
  private begun = 0
  private made = 0

  constructor(
    { changesPerSecond, from = 0, flapping = false }: Pick<Load, 'changesPerSecond' | 'from' | 'flapping'>,
    onRows: (table: Table, rows: readonly Row[]) => void,
  ) {
    this.perSecond = changesPerSecond
    this.flapping = flapping
    this.onRows = onRows
    // The interface of an MTU follows from the MTU: a node that goes on has the rows that it had.
    this.next = from + INTERFACES
    this.mtus = Array.from(
      { length: INTERFACES },
      (_, i) => from + ((i - (from % INTERFACES) + INTERFACES) % INTERFACES),
    )
  }

  start(): void {
    this.begun = Date.now()
    this.made = 0
    this.readAll()
    clearInterval(this.timer)
    this.timer = setInterval(() => this.tick(), TICK_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
  }

  readAll(): void {
    this.onRows(this.table, this.rows())
  }

  rows(): Row[] {
    return this.mtus.flatMap((mtu, i) =>
      this.flapping && mtu % GONE_EVERY === 0 ? [] : [this.row(`swp${i + 1}`, mtu)],
    )
  }

  private tick(): void {
    const due = Math.floor(((Date.now() - this.begun) / 1000) * this.perSecond)
    if (due <= this.made) return
    for (; this.made < due; this.made++) {
      this.mtus[this.next % INTERFACES] = this.next
      this.next++
    }
    this.readAll()
  }

  private row(name: string, mtu: number): Row {
    const values: Row = { interface: name, type: 'swp', state: 'up', adminState: 'up', vrf: 'default', mtu }
    return Object.fromEntries(this.table.fields.map((field) => [field, values[field] ?? null]))
  }
}
