import type { Log } from '../platform/log.ts'
import type { Row, Table } from '../tables/table.ts'
import { Group, groupsOf } from './group.ts'
import { Monitor, triggerNames } from './monitor.ts'
import { Reporter } from './reporter.ts'

export interface CollectorOptions {
  readonly tables: readonly Table[]
  /**
   * A complete reading of one table, changed or not. What it throws is logged (the same sentence once an
   * hour), and the table is offered again with its next reading.
   */
  onRows(table: Table, rows: Row[]): void
  readonly log: Log
  /** Every program is read this often even if nothing seems to have changed; default 15000 ms. */
  readonly periodMs?: number
  /** How long a program may run, default 10000 ms. */
  readonly timeoutMs?: number
}

/**
 * Reads the tables' programs: all of them every 15 s (costly ones more rarely), and those concerned at once when the kernel says that
 * something changed. A program that fails or hangs leaves its tables as they were; one that is not installed
 * has no rows.
 */
export class Collector {
  private readonly options: CollectorOptions
  private groups: readonly Group[] = []
  private monitor: Monitor | undefined
  private clock: NodeJS.Timeout | undefined

  constructor(options: CollectorOptions) {
    this.options = options
  }

  /** Throws one sentence if a table names a trigger that does not exist; nothing is then started. */
  start(): void {
    const { tables, log, onRows, periodMs = 15_000, timeoutMs = 10_000 } = this.options
    const triggers = new Set(tables.flatMap((table) => table.sources.flatMap((source) => source.triggers)))
    for (const name of triggers) {
      if (!triggerNames.includes(name))
        throw new Error(`a table names the trigger '${name}', which is not one of ${triggerNames.join(', ')}`)
    }
    const reporter = new Reporter(log)
    this.groups = groupsOf(tables).map((group) => new Group(group, { timeoutMs, reporter, emit: onRows }))
    this.clock = setInterval(() => this.readAll(), periodMs)
    if (triggers.size === 0) {
      this.readAll()
      return
    }
    const changed = (names: readonly string[]) => {
      for (const group of this.groups) group.trigger(names)
    }
    // The first reading waits for the monitor (it says missed() when it listens), so that nothing falls in
    // between.
    this.monitor = new Monitor(triggers, { changed, missed: () => this.readAll() }, log)
    this.monitor.start()
  }

  /** Reads everything now, or right after the reading that is going on. */
  readAll(): void {
    for (const group of this.groups) group.readAll()
  }

  /** Resolves when no program of the collector's runs any more; nothing is given to onRows after the call. */
  async stop(): Promise<void> {
    clearInterval(this.clock)
    const { groups, monitor } = this
    this.groups = []
    this.monitor = undefined
    await Promise.all([monitor?.stop(), ...groups.map((group) => group.stop())])
  }
}
