import type { Log } from '../platform/log.ts'
import { sentenceOf } from '../platform/log.ts'
import type { Database, Range } from './database.ts'

/** Points asked for at once: more than one minute only while it is no more than these. 10,000 are 2 MB. */
const POINTS_AT_ONCE = 10_000
const MINUTE_MS = 60_000
const DAY_MS = 24 * 3600 * 1000
/** How long to wait while there is nothing to fill, in milliseconds. */
const IDLE_MS = 5000

/** By how much the time of a sample may be after that of its entry: what an agent's clock may be wrong, and more. */
const AHEAD_MS = MINUTE_MS

export type Counts = readonly (readonly [minute: number, count: number])[]

/** What a server's InfluxDB has of a range. */
export interface Holding {
  readonly counts: Counts
  /** Up to when it has written the stream, ms since the epoch. */
  readonly upTo: number
}

/** The other servers of the cluster, as this server's cts-auth reaches them. */
export interface Others {
  servers(): Promise<readonly string[]>
  holding(server: string, range: Range): Promise<Holding>
  points(server: string, range: Range): Promise<readonly string[]>
}

/**
 * The ranges to ask another server for: the minutes in which it has another number of samples than are here, joined
 * where they follow one another. Counting finds what late agents delivered too, hours after it was sampled.
 */
export function rangesToFetch(mine: Counts, theirs: Counts, pointsAtOnce = POINTS_AT_ONCE): Range[] {
  const here = new Map(mine)
  const ranges: Range[] = []
  let points = 0
  for (const [minute, count] of theirs) {
    if (here.get(minute) === count) continue
    const last = ranges.at(-1)
    const to = minute + MINUTE_MS
    if (last?.to === minute && points + count <= pointsAtOnce) {
      ranges[ranges.length - 1] = { from: last.from, to }
      points += count
    } else {
      ranges.push({ from: minute, to })
      points = count
    }
  }
  return ranges
}

/**
 * Fills the gaps that Pushd has noted, from the InfluxDBs of the other servers, and closes a gap when every one of them
 * was asked: the one that answers first may itself have been down.
 */
export class Filler {
  private readonly database: Database
  private readonly others: Others
  private readonly retentionDays: number
  private readonly log: Log
  /** The servers of which everything before a time was taken, as `<time> <server>`. */
  private readonly taken = new Set<string>()

  constructor(parts: { database: Database; others: Others; retentionDays: number; log: Log }) {
    this.database = parts.database
    this.others = parts.others
    this.retentionDays = parts.retentionDays
    this.log = parts.log
  }

  /** @returns the milliseconds until the next step; rejects with a sentence if a server could not be asked */
  async step(signal: AbortSignal): Promise<number> {
    // While Pushd has not made the database there is no gap either.
    const gap = Math.max(0, ...(await this.database.gaps().catch(() => [])))
    if (gap === 0) return IDLE_MS
    const failures: string[] = []
    for (const server of await this.others.servers()) {
      if (this.taken.has(`${gap} ${server}`)) continue
      try {
        const points = await this.fillFrom(server, gap, signal)
        if (signal.aborted) return 0
        this.taken.add(`${gap} ${server}`)
        this.log.info(`${server} gave ${points} samples of before ${new Date(gap).toISOString()}`)
      } catch (error) {
        failures.push(`${server}: ${sentenceOf(error)}`)
      }
    }
    if (failures.length > 0)
      throw new Error(`samples may be missing until they are had of ${failures.join('; ')}`)
    await this.database.close(gap)
    return 0
  }

  /** The newest day first: it is what is asked for most. */
  private async fillFrom(server: string, before: number, signal: AbortSignal): Promise<number> {
    // Of the oldest hour InfluxDB may be deleting already.
    const begin = Date.now() - this.retentionDays * DAY_MS + 60 * MINUTE_MS
    let written = 0
    for (let to = upToMinute(before + AHEAD_MS); to > begin; to -= DAY_MS) {
      const day = { from: Math.max(to - DAY_MS, begin - (begin % MINUTE_MS)), to }
      const theirs = await this.others.holding(server, day)
      if (theirs.upTo < before) throw new Error('it has not written them itself yet')
      for (const range of rangesToFetch(await this.database.counts(day), theirs.counts)) {
        if (signal.aborted) return written
        const points = await this.others.points(server, range)
        if (points.length > 0) await this.database.write(points)
        written += points.length
      }
    }
    return written
  }
}

const upToMinute = (time: number) => Math.ceil(time / MINUTE_MS) * MINUTE_MS
