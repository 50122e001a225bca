/** What the store keeps at most, in milliseconds. */
const KEEP_MS = 24 * 3600 * 1000
/** Statistics are in every server's InfluxDB soon after; this much is left for one that restarts, whatever happens. */
const KEEP_STATS_AT_LEAST_MS = 10 * 60 * 1000
/** Past this share of maxmemory the log of changes is shortened, so that the state of now always has room. */
const LOG_MEMORY_SHARE = 0.75
/** The statistics give way first: 50 nodes with 54 interfaces fill about 1.7 GB a day (110 bytes a sample). */
const STATS_MEMORY_SHARE = 0.5

/** How far back the log of changes and the stream of statistics reach: a day, and less while memory is short. */
export class Retention {
  private logMs = KEEP_MS
  private statsMs = KEEP_MS

  /**
   * Called once a second by the master with the bytes that its Redis uses and may use.
   * @returns the times before which entries may go, ms since the epoch
   */
  adapt(used: number, most: number, now: number): { log: number; stats: number } {
    this.logMs = next(this.logMs, used > LOG_MEMORY_SHARE * most)
    this.statsMs = Math.max(KEEP_STATS_AT_LEAST_MS, next(this.statsMs, used > STATS_MEMORY_SHARE * most))
    return { log: Math.floor(now - this.logMs), stats: Math.floor(now - this.statsMs) }
  }
}

/** A tenth a second: from a day to ten minutes in 50 s, and back as fast. */
function next(ms: number, full: boolean): number {
  return full ? ms * 0.9 : Math.min(KEEP_MS, ms * 1.1)
}
