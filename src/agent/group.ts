import { sentenceOf } from '../platform/log.ts'
import type { Row, Table } from '../tables/table.ts'
import type { Reporter } from './reporter.ts'
import type { Outcome } from './run.ts'
import { run } from './run.ts'

/** A program of one or more tables, and what is known of it. Times are milliseconds of performance.now(). */
interface Reading {
  readonly argv: readonly string[]
  /** What makes it due, as one text. */
  readonly triggers: string
  /** Read at every so many-th periodic reading. */
  readonly oneIn: number
  /** The last output; kept only for tables that need several programs. Undefined: not installed. */
  text: string | undefined
  state: 'unread' | 'read' | 'missing' | 'absent'
  /** When its first and last unserved trigger came. */
  due?: { first: number; last: number }
  /** No triggered reading before this. */
  notBefore: number
}

export interface GroupOptions {
  readonly timeoutMs: number
  readonly reporter: Reporter
  emit(table: Table, rows: Row[]): void
}

/** A burst of events is one reading: it begins this long after the burst's last event, but so late at most. */
const QUIET = 50
const PATIENCE = 250
/** A triggered reading that took T is not repeated for this many T: at most a fifth of one processor. */
const REST = 4

/**
 * Tables that share programs, and these programs. Groups are independent, so that a routing daemon that hangs
 * for ten seconds does not delay the news of a link.
 *
 * IDLE. A trigger makes its programs due; a timer waits for quiet (50 ms without an event, 250 ms at most)
 * and for the program's rest. READING: the due programs run side by side, then each table of theirs whose
 * programs are all known is parsed and emitted. What becomes due meanwhile is read after, never at the same
 * time. readAll() needs no wait. STOPPED: programs are killed, nothing is emitted any more.
 */
export class Group {
  readonly tables: readonly Table[]
  private readonly readings: ReadonlyMap<string, Reading>
  private readonly options: GroupOptions
  private readonly ending = new AbortController()
  private timer: NodeJS.Timeout | undefined
  private running: Promise<void> | undefined
  private everything = false
  private periods = 0

  constructor(tables: readonly Table[], options: GroupOptions) {
    const sources = tables.flatMap((table) => table.sources)
    this.tables = tables
    this.options = options
    this.readings = new Map(
      sources.map(({ argv, triggers, oneIn = 1 }) => [
        nameOf(argv),
        { argv, triggers: triggers.join(), oneIn, text: undefined, state: 'unread', notBefore: 0 },
      ]),
    )
  }

  /** Reads every program soon, absent ones too. */
  readAll(): void {
    this.everything = true
    this.schedule()
  }

  /** Reads the programs that one of these triggers concerns, when the burst is over. */
  trigger(triggers: readonly string[]): void {
    const now = performance.now()
    for (const source of this.tables.flatMap((table) => table.sources)) {
      if (!source.triggers.some((name) => triggers.includes(name))) continue
      const reading = this.readings.get(nameOf(source.argv))!
      if (reading.state === 'absent') continue
      reading.due = { first: reading.due?.first ?? now, last: now }
    }
    this.schedule()
  }

  async stop(): Promise<void> {
    this.ending.abort()
    clearTimeout(this.timer)
    await this.running
  }

  private schedule(): void {
    if (this.running || this.ending.signal.aborted) return
    const starts = [...this.readings.values()].map((reading) => this.startOf(reading))
    if (this.everything) starts.push(0)
    clearTimeout(this.timer)
    const next = Math.min(...starts)
    if (next === Number.POSITIVE_INFINITY) return
    const wait = Math.max(0, next - performance.now())
    this.timer = setTimeout(() => this.begin(), wait)
  }

  /**
   * When a reading that is due may begin. Programs of the same triggers, such as those of IPv4 and IPv6 routes, begin together,
   * after the longer rest: each by itself, their table was parsed twice as often, which was half of a processor for
   * 10,000 routes that change (measured).
   */
  private startOf({ due, triggers }: Reading): number {
    if (!due) return Number.POSITIVE_INFINITY
    const together = [...this.readings.values()].filter((other) => other.due && other.triggers === triggers)
    return Math.max(...together.map(startOf))
  }

  private begin(): void {
    const now = performance.now()
    const all = [...this.readings.values()]
    const periodic = this.everything
    // One millisecond of grace: timers may fire a little early.
    const isChosen = periodic
      ? (reading: Reading) => reading.state !== 'read' || this.periods % reading.oneIn === 0
      : (reading: Reading) => this.startOf(reading) <= now + 1
    const chosen = all.filter(isChosen)
    if (periodic) this.periods++
    this.everything = false
    for (const reading of chosen) delete reading.due
    this.running = this.read(chosen, periodic).finally(() => {
      this.running = undefined
      this.schedule()
    })
  }

  private async read(chosen: readonly Reading[], periodic: boolean): Promise<void> {
    const { timeoutMs } = this.options
    const took = new Map<Reading, number>()
    const fresh = new Set<string>()
    await Promise.all(
      chosen.map(async (reading) => {
        const began = performance.now()
        const outcome = await run(reading.argv, timeoutMs, this.ending.signal)
        took.set(reading, performance.now() - began)
        if (!this.ending.signal.aborted && this.note(reading, outcome, periodic))
          fresh.add(nameOf(reading.argv))
      }),
    )
    for (const table of this.tables) {
      if (this.ending.signal.aborted) return
      const names = table.sources.map((source) => nameOf(source.argv))
      if (!names.some((name) => fresh.has(name))) continue
      const began = performance.now()
      this.parse(table, names)
      const cost = performance.now() - began
      for (const name of names) {
        const reading = this.readings.get(name)!
        if (took.has(reading)) took.set(reading, took.get(reading)! + cost)
      }
    }
    const now = performance.now()
    for (const [reading, ms] of took) reading.notBefore = now + REST * ms
    this.forgetTexts()
  }

  /** Notes what came of a run; says whether its tables are to be parsed again. */
  private note(reading: Reading, outcome: Outcome, periodic: boolean): boolean {
    const { reporter } = this.options
    if (outcome.kind === 'output') {
      reading.state = 'read'
      reading.text = outcome.text
      return true
    }
    if (outcome.kind === 'failed') {
      reporter.warn(`${outcome.sentence}; what it told before is kept`)
      // The text may have been forgotten, so it cannot serve the parsing of another program's news.
      reading.state = 'unread'
      return false
    }
    const program = reading.argv[0]
    if (reading.state === 'absent') return true
    // A program that was there may only be missing while its package is upgraded: it must be missed twice.
    if (reading.state === 'read' || (reading.state === 'missing' && !periodic)) {
      reading.state = 'missing'
      return false
    }
    reading.state = 'absent'
    reading.text = undefined
    reporter.warn(`${program} is not installed: what it would tell is left out`)
    return true
  }

  private parse(table: Table, names: readonly string[]): void {
    const readings = names.map((name) => this.readings.get(name)!)
    if (readings.some((reading) => reading.state === 'unread' || reading.state === 'missing')) return
    try {
      const absent = readings.every((reading) => reading.state === 'absent')
      this.options.emit(table, absent ? [] : table.parse(readings.map((reading) => reading.text)))
    } catch (error) {
      this.options.reporter.warn(`table ${table.name} keeps its last rows: ${sentenceOf(error)}`)
    }
  }

  /** Only tables of several programs are parsed from an output that is not new: the other texts would be dead weight. */
  private forgetTexts(): void {
    const shared = new Set(
      this.tables
        .filter((table) => table.sources.length > 1)
        .flatMap((table) => table.sources.map((source) => nameOf(source.argv))),
    )
    for (const [name, reading] of this.readings) if (!shared.has(name)) reading.text = undefined
  }
}

/** Tables that share a program, directly or through others, are one group. */
export function groupsOf(tables: readonly Table[]): Table[][] {
  let groups: Table[][] = []
  for (const table of tables) {
    const names = new Set(table.sources.map((source) => nameOf(source.argv)))
    const sharing = groups.filter((group) =>
      group.some((other) => other.sources.some((source) => names.has(nameOf(source.argv)))),
    )
    groups = [...groups.filter((group) => !sharing.includes(group)), [...sharing.flat(), table]]
  }
  return groups
}

function startOf(reading: Reading): number {
  const { due, notBefore } = reading
  if (!due) return Number.POSITIVE_INFINITY
  return Math.max(Math.min(due.first + PATIENCE, due.last + QUIET), notBefore)
}

function nameOf(argv: readonly string[]): string {
  return JSON.stringify(argv)
}
