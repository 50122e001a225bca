import type { Log } from '../platform/log.ts'
import type { Database, Progress } from './database.ts'
import { pointsOf } from './points.ts'
import { isBefore, type StatsStream, timeOfId } from './stream.ts'

/** Entries read and written at once: of a switch with 54 ports 2,700 points. */
const ENTRIES_AT_ONCE = 50
/** How long to wait once everything is written, in milliseconds. */
const IDLE_MS = 1000
/**
 * How far is gone back after a change of master, in milliseconds. What the lost master had given out may have been read
 * here and never reached the new one, whose numbers may then overlap with it, by as much as the servers' clocks differ.
 */
const GO_BACK_MS = 10 * 60 * 1000

const NOTHING: Progress = { id: '0-0', replid: '' }

/**
 * Carries the stream of statistics from this server's Redis into this server's InfluxDB. It keeps nothing in memory:
 * each step asks InfluxDB how far it got, writes what follows, and only then notes that it got there. So whatever dies,
 * samples may be written twice, which makes no difference to InfluxDB (a series has one point a time), and never not.
 */
export class Pushd {
  private readonly stream: StatsStream
  private readonly database: Database
  private readonly retentionDays: number
  private readonly log: Log
  private ready = false
  private refusal: string | undefined

  constructor(parts: { stream: StatsStream; database: Database; retentionDays: number; log: Log }) {
    this.stream = parts.stream
    this.database = parts.database
    this.retentionDays = parts.retentionDays
    this.log = parts.log
  }

  /** @returns the milliseconds until the next step; rejects with a sentence if something does not answer */
  async step(): Promise<number> {
    try {
      return await this.carry()
    } catch (error) {
      // It may be that the database is gone, or is another one when InfluxDB is back.
      this.ready = false
      throw error
    }
  }

  private async carry(): Promise<number> {
    if (!this.ready) await this.database.ensure(this.retentionDays)
    this.ready = true
    const before = (await this.database.progress()) ?? NOTHING
    const look = await this.stream.after(before.id, ENTRIES_AT_ONCE)
    const { replid, reachesBackTo } = look
    const gap = reachesBackTo !== undefined && isBefore(before.id, reachesBackTo) ? reachesBackTo : undefined
    const changed = before.replid !== '' && before.replid !== replid
    if (changed)
      this.log.info('the stream has another source now: its last ten minutes are written once more')
    const { entries } = changed ? await this.stream.after(goneBack(before.id), ENTRIES_AT_ONCE) : look
    const last = entries.at(-1)
    if (last) await this.writeAll(entries.flatMap(pointsOf))
    const now: Progress = { replid, id: last?.id ?? gap ?? before.id }
    if (now.id !== before.id || replid !== before.replid || gap !== undefined)
      await this.database.note(now, gap === undefined ? undefined : timeOfId(gap))
    if (gap !== undefined)
      this.log.info(`the stream begins at ${isoOf(gap)}; what was before is asked of the other servers`)
    return entries.length === ENTRIES_AT_ONCE ? 0 : IDLE_MS
  }

  private async writeAll(points: readonly string[]): Promise<void> {
    const refusal = await this.database.write(points)
    // How many it is differs from write to write, and is no news.
    const kind = refusal?.replace(/\d+/g, '')
    if (kind !== undefined && kind !== this.refusal) this.log.warning(`samples are left out: ${refusal}`)
    this.refusal = kind
  }
}

function goneBack(id: string): string {
  return `${Math.max(0, timeOfId(id) - GO_BACK_MS)}-0`
}

const isoOf = (id: string) => new Date(timeOfId(id)).toISOString()
