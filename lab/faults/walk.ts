import type { LogEntry } from './copy.ts'
import { StateModel } from './model.ts'
import type { AgentTruth, MadeBatch } from './truth.ts'

/** Up to where the log of an agent was found right, and what its state was there. */
export interface Base {
  readonly mark: number
  readonly model: StateModel
}

export const NOTHING: Base = { mark: 0, model: new StateModel() }

/** What may have happened to an agent's batches that is no fault. */
export interface Permitted {
  /**
   * A backup was restored, at the latest then (monotonic milliseconds): what was made before, the backup lacks and the agent
   * no longer holds is noted as a gap.
   */
  readonly restored?: number
  /** The agent's disk was full: batches that it never sent may be lost with its process, but not in silence. */
  readonly diskFull: boolean
}

/** What the walk along one agent's log came to; counts are changes (lines). */
export interface Walked {
  readonly base: Base
  /** Acknowledged, and not in the log. */
  readonly lost: number
  readonly duplicated: number
  /** Acknowledged, and in a gap because of a restore. */
  readonly forgotten: number
  readonly faults: readonly string[]
}

/**
 * Walks along an agent's entries of the log, from batch to batch, and has a model carry out what the agent made: every
 * entry has to be exactly what the function keeps of that batch, each number has to come once, after those before it, and a
 * number that is not there has to be of a batch that changed nothing, or in a gap that says so and was permitted.
 *
 * @param mark of the agent in the store
 */
export function walk(
  truth: AgentTruth,
  log: readonly LogEntry[],
  mark: number,
  base: Base,
  permitted: Permitted,
): Walked {
  const walker = new Walker(truth, base, permitted)
  for (const entry of log) walker.entry(entry)
  walker.silently(mark)
  if (mark < truth.acknowledged && permitted.restored === undefined) {
    walker.faults.push(
      `${truth.host}: batch ${truth.acknowledged} is acknowledged, and the store's mark is ${mark}`,
    )
    walker.lose(mark + 1, truth.acknowledged)
  }
  return { ...walker, base: { mark: walker.mark, model: walker.model } }
}

class Walker {
  lost = 0
  duplicated = 0
  forgotten = 0
  readonly faults: string[] = []
  mark: number
  readonly model: StateModel
  private readonly truth: AgentTruth
  private readonly permitted: Permitted

  constructor(truth: AgentTruth, base: Base, permitted: Permitted) {
    this.truth = truth
    this.mark = base.mark
    this.model = base.model.copy()
    this.permitted = permitted
  }

  entry(entry: LogEntry): void {
    const { host } = this.truth
    const { prev, seq, lines } = entry
    if (seq <= this.mark || prev < this.mark) {
      this.duplicated += lines.length
      this.faults.push(
        `${host}: batch ${seq} (entry ${entry.id}) comes again or too late, after ${this.mark}`,
      )
      return
    }
    this.silently(prev)
    const [, from, to, reason = ''] = /^G\t(\d+)\t(\d+)\t(.*)$/.exec(lines[0] ?? '') ?? []
    if (from !== undefined) this.gap(Number(from), Number(to), reason)
    else this.batch(entry)
    this.mark = seq
  }

  /** The numbers up to this one are not in the log: they may only be of batches that changed nothing. */
  silently(to: number): void {
    for (let seq = this.mark + 1; seq <= to; seq++) {
      const made = this.truth.made.get(seq) ?? []
      const silent = made.find(({ payload }) => this.model.preview(payload).length === 0)
      if (silent) this.model.apply(silent.payload)
      else if (made.length > 0 || !this.truth.unwritten.has(seq)) {
        this.faults.push(`${this.truth.host}: batch ${seq} is not in the log, which goes on behind it`)
        this.lose(seq, seq)
      }
    }
    this.mark = Math.max(this.mark, to)
  }

  /** Counts what was acknowledged of these batches as lost. */
  lose(from: number, to: number): void {
    this.lost += this.truth.acknowledgedIn(from, to)
  }

  private batch({ id, seq, prev, lines }: LogEntry): void {
    const { truth, model } = this
    const skipped = truth.acknowledgedIn(prev + 1, seq - 1)
    if (skipped > 0) {
      this.faults.push(
        `${truth.host}: batch ${seq} follows ${prev}, and batches between them were acknowledged`,
      )
      this.lost += skipped
    }
    const made = truth.made.get(seq) ?? []
    const right = made.find((one) => one.prev === prev && sameLines(model.preview(one.payload), lines))
    if (right) {
      model.apply(right.payload)
      return
    }
    if (made.length === 0 && truth.unwritten.has(seq)) {
      // Killed between the spool and the journal: nobody knows what it was but the store.
      model.apply(lines.join('\n'))
      return
    }
    const why = made[0]
      ? differenceOf(made[0], prev, model.preview(made[0].payload), lines)
      : 'nobody made it'
    this.faults.push(`${truth.host}: batch ${seq} (entry ${id}) is not what it should be: ${why}`)
    if (this.isRepeated(lines)) this.duplicated += lines.length
    model.apply(lines.join('\n'))
  }

  private gap(from: number, to: number, reason: string): void {
    const { truth, permitted } = this
    const acknowledged = truth.acknowledgedIn(from, to)
    const restored = (truth.made.get(to)?.[0]?.time ?? 0) <= (permitted.restored ?? -1)
    if (acknowledged > 0 && restored) this.forgotten += acknowledged
    else if (acknowledged > 0) {
      this.lost += acknowledged
      this.faults.push(`${truth.host}: the gap ${from}-${to} (${reason}) has acknowledged changes`)
    } else if (!permitted.diskFull && !restored) {
      this.faults.push(`${truth.host}: there is a gap ${from}-${to} (${reason}), and no reason for one`)
    }
    this.model.apply(`G\t${from}\t${to}\t${reason}`)
  }

  /** Whether these lines are those of a batch that is in the journal under another number. */
  private isRepeated(lines: readonly string[]): boolean {
    const text = lines.join('\n')
    return [...this.truth.made.values()].some((made) => made.some(({ payload }) => payload === text))
  }
}

/** The order within a batch does not count: the end of a reading deletes rows in the order in which Redis has them. */
function sameLines(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && [...some].sort().join('\n') === [...others].sort().join('\n')
}

function differenceOf(
  made: MadeBatch,
  prev: number,
  expected: readonly string[],
  lines: readonly string[],
): string {
  if (made.prev !== prev) return `it follows ${prev} there, and ${made.prev} at the agent`
  const odd = lines.find((line) => !expected.includes(line)) ?? expected.find((line) => !lines.includes(line))
  return `${lines.length} lines instead of ${expected.length}, first difference: ${odd?.slice(0, 120)}`
}
