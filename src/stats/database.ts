import { Influx, Refused, type Series } from './influx.ts'
import { COUNTERS, DATABASE, POLICY, SAMPLES, STATE_POLICY } from './names.ts'
import { pointsOfCsv } from './points.ts'

/** Points in one request: InfluxDB refuses one of more than 25 MB, and a point of long names and numbers has 700 bytes. */
const POINTS_AT_ONCE = 5000

/** How far netq-stats-pushd has written the stream. */
export interface Progress {
  /** The last entry that was written. */
  readonly id: string
  /** The replication id of the Redis in which it had that number. */
  readonly replid: string
}

/** A time in the samples, from..to (ms since the epoch), to not included. */
export interface Range {
  readonly from: number
  readonly to: number
}

/**
 * The database of the statistics in this server's InfluxDB: the samples and, beside them, what netq-stats-pushd has to
 * remember of them, so that it is as old as they are, whatever happens to this InfluxDB.
 *
 * In the retention policy `state`: `progress` is one point, at time 0; `gap` has a point for each time before which the
 * stream did not reach back (its time is that time), open until the gap was filled from the other servers.
 */
export class Database {
  private readonly influx: Influx

  constructor(url: string) {
    this.influx = new Influx(url)
  }

  /** Makes the database unless it is there, and sets for how many days it keeps samples. */
  async ensure(days: number): Promise<void> {
    // InfluxDB deletes by the shard. Its own choice of their length, which it does not make anew when it is altered.
    const shard = days < 2 ? '1h' : days <= 180 ? '1d' : '7d'
    const kept = `DURATION ${days}d REPLICATION 1 SHARD DURATION ${shard}`
    await this.influx
      .query(`CREATE DATABASE "${DATABASE}" WITH ${kept} NAME "${POLICY}"`)
      // It is there, with another duration.
      .catch(() => this.influx.query(`ALTER RETENTION POLICY "${POLICY}" ON "${DATABASE}" ${kept} DEFAULT`))
    await this.influx.query(
      `CREATE RETENTION POLICY "${STATE_POLICY}" ON "${DATABASE}" DURATION INF REPLICATION 1`,
    )
  }

  /**
   * Writes samples. @returns why InfluxDB did not take some of them and never will, e.g. because they are older than
   * what it keeps; it has taken the others
   */
  async write(points: readonly string[]): Promise<string | undefined> {
    let refusal: string | undefined
    for (let i = 0; i < points.length; i += POINTS_AT_ONCE) {
      try {
        await this.influx.write(DATABASE, POLICY, points.slice(i, i + POINTS_AT_ONCE))
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        refusal = error.message
      }
    }
    return refusal
  }

  /** Undefined if nothing was ever written. Rejects if there is no database. */
  async progress(): Promise<Progress | undefined> {
    const [[series] = []] = await this.influx.query(`SELECT id, replid FROM ${state('progress')}`)
    const [, id, replid] = series?.values[0] ?? []
    return typeof id === 'string' && typeof replid === 'string' ? { id, replid } : undefined
  }

  /** Notes how far the stream is written and, in the same write, a gap before that time (ms). */
  async note({ id, replid }: Progress, gapBefore?: number): Promise<void> {
    const lines = [`progress id="${id}",replid="${replid}" 0`]
    if (gapBefore !== undefined) lines.push(`gap open=true ${gapBefore}`)
    await this.influx.write(DATABASE, STATE_POLICY, lines)
  }

  /** The times before which samples may be missing, ms since the epoch. */
  async gaps(): Promise<number[]> {
    const [[series] = []] = await this.influx.query(`SELECT "open" FROM ${state('gap')} WHERE "open" = true`)
    return (series?.values ?? []).map(([time]) => Number(time))
  }

  async close(gap: number): Promise<void> {
    await this.influx.write(DATABASE, STATE_POLICY, [`gap open=false ${gap}`])
  }

  /** How many samples there are in each minute of the range that has any, by the minute's begin (ms). */
  async counts(range: Range): Promise<[minute: number, count: number][]> {
    const [[series] = []] = await this.influx.query(
      `SELECT count(rx_bytes) FROM ${SAMPLES} WHERE ${within(range)} GROUP BY time(1m) fill(none)`,
    )
    return (series?.values ?? []).map(([time, count]) => [Number(time), Number(count)])
  }

  /** The samples of the range as line protocol. */
  async points(range: Range): Promise<string[]> {
    const columns = ['hostname::tag', 'interface::tag', ...COUNTERS]
    return pointsOfCsv(
      await this.influx.csv(`SELECT ${columns.join(', ')} FROM ${SAMPLES} WHERE ${within(range)}`),
    )
  }

  /** The answers to statements of InfluxQL about the samples. */
  query(statements: string): Promise<Series[][]> {
    return this.influx.query(statements)
  }
}

const state = (measurement: string) => `"${DATABASE}"."${STATE_POLICY}"."${measurement}"`

export const within = ({ from, to }: Range) => `time >= ${from}ms AND time < ${to}ms`
