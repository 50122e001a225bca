import type { Database, Range } from './database.ts'
import { within } from './database.ts'
import type { Series } from './influx.ts'
import { COUNTERS, type Counter, DATABASE, MEASUREMENT, SAMPLES } from './names.ts'

/** The counters of an interface at one time. What is above 2^53 is rounded, by 2 KB at most. */
export type Counters = Readonly<Record<Counter, number>>

export interface Sample {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly counters: Counters
}

/** What an interface did between the first and the last of its samples in a range. */
export interface Usage {
  readonly hostname: string
  readonly interface: string
  readonly from: number
  readonly to: number
  readonly samples: number
  readonly totals: Counters
}

const TURN = 2 ** 32

/**
 * By how much the counters grew between two samples. Where none went down, by the difference. Where some did, either
 * each of them is a 32-bit counter that turned over: it was below 2^32 and went on from 0 by less than half a turn; or
 * all counters began anew at 0, because the node or the driver was restarted, and grew by what they are now. 64-bit
 * counters do not turn over in the life of an interface.
 */
export function increase(before: Counters, after: Counters): Counters {
  const down = COUNTERS.filter((counter) => after[counter] < before[counter])
  const turned = (counter: Counter) =>
    before[counter] < TURN && after[counter] + TURN - before[counter] < TURN / 2
  const restarted = down.length > 0 && !down.every(turned)
  const grown = (counter: Counter) => {
    if (restarted) return after[counter]
    return after[counter] - before[counter] + (down.includes(counter) ? TURN : 0)
  }
  return recordOf(grown)
}

/** By how much they grew from the first sample to the last, step by step. */
export function totalOf(samples: readonly Sample[]): Counters {
  return samples
    .slice(1)
    .map(({ counters }, i) => increase(samples[i]!.counters, counters))
    .reduce(
      (sum, step) => recordOf((counter) => sum[counter] + step[counter]),
      recordOf(() => 0),
    )
}

/** Samples come every 15 s, so this is how many there are of a time and a number of interfaces, at most. */
const SAMPLE_EVERY_MS = 15_000
/** Up to so many, every sample is looked at: of 2,700 interfaces those of 5 minutes, of 54 those of 4 hours. */
const EXACT = 60_000
/** Beyond these an answer would take longer than anybody waits for it: 650,000 took 5 s on two cores with other work. */
const MOST = 1_000_000

/** More samples than are added up at once; the message says what to do. */
export class TooMuch extends Error {}

interface Asked {
  readonly hostname?: string
  readonly interface?: string
}

/**
 * What the interfaces did in a range. Of a long one only the last sample of each step is looked at: a restart is seen
 * all the same, as a counter is smaller then than a step before, but what was counted in its step before it is lost.
 * @param asked only this host, only this interface
 * @throws TooMuch
 */
export async function usageIn(
  database: Database,
  range: Range,
  asked: Asked,
  exact = EXACT,
): Promise<Usage[]> {
  const tags = Object.entries(asked).map(([tag, value]) => `"${tag}" = ${quoted(value)}`)
  // Not SHOW SERIES CARDINALITY: exact or not, InfluxDB 1.x counts an interface once for each shard, thirty times by default.
  const [[series] = []] = await database.query(
    `SHOW SERIES ON "${DATABASE}" FROM "${MEASUREMENT}"${tags.length > 0 ? ` WHERE ${tags.join(' AND ')}` : ''}`,
  )
  const interfaces = series?.values.length ?? 0
  const samples = Math.round((interfaces * (range.to - range.from)) / SAMPLE_EVERY_MS)
  if (samples > MOST)
    throw new TooMuch(
      `that is about ${samples} samples of ${interfaces} interfaces, more than can be added up at once: name a host or an interface, or a shorter time`,
    )
  const where = `FROM ${SAMPLES} WHERE ${[within(range), ...tags].join(' AND ')}`
  if (samples <= exact) return everySample(database, where)
  const steps = Math.max(10, Math.floor(EXACT / interfaces))
  return stepwise(database, where, Math.ceil((range.to - range.from) / steps))
}

async function everySample(database: Database, where: string): Promise<Usage[]> {
  const [found = []] = await database.query(`SELECT ${COUNTERS.join(', ')} ${where} ${BY_INTERFACE}`)
  return found.map((series) => usageOf(series, samplesOf(series), series.values.length))
}

/** @param step the length of a step in milliseconds */
async function stepwise(database: Database, where: string, step: number): Promise<Usage[]> {
  // The other counters are those of the sample that has this rx_bytes, first or last.
  const [, ...others] = COUNTERS
  const select = (which: string) => `SELECT ${which}(rx_bytes) AS rx_bytes, ${others.join(', ')} ${where}`
  const [firsts = [], steps = [], lasts = [], counts = []] = await database.query(
    [
      `${select('first')} ${BY_INTERFACE}`,
      `${select('last')} ${BY_INTERFACE}, time(${step}ms) fill(none)`,
      `${select('last')} ${BY_INTERFACE}`,
      `SELECT count(rx_bytes) ${where} ${BY_INTERFACE}`,
    ].join('; '),
  )
  const [between, end, count] = [steps, lasts, counts].map(
    (all) => new Map(all.map((series) => [nameOf(series), series])),
  )
  return firsts.flatMap((first) => {
    const name = nameOf(first)
    const [inSteps, last, counted] = [between!.get(name), end!.get(name), count!.get(name)]
    // Samples may have gone or come between two of the statements.
    if (!inSteps || !last || !counted) return []
    const looked = [...samplesOf(first), ...samplesOf(inSteps), ...samplesOf(last)]
    return [usageOf(first, looked, Number(counted.values[0]![1]))]
  })
}

const BY_INTERFACE = 'GROUP BY hostname, interface'

function usageOf({ tags = {} }: Series, looked: readonly Sample[], samples: number): Usage {
  const { hostname = '', interface: name = '' } = tags
  const [from, to] = [looked[0]!.time, looked.at(-1)!.time]
  return { hostname, interface: name, from, to, samples, totals: totalOf(looked) }
}

const nameOf = ({ tags }: Series) => `${tags?.hostname} ${tags?.interface}`

function samplesOf({ columns, values }: Series): Sample[] {
  return values.map((row) => ({
    time: Number(row[0]),
    counters: recordOf((counter) => Number(row[columns.indexOf(counter)] ?? 0)),
  }))
}

function recordOf(value: (counter: Counter) => number): Counters {
  return Object.fromEntries(COUNTERS.map((counter) => [counter, value(counter)])) as Record<Counter, number>
}

/** A string of InfluxQL. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&').replace(/\n/g, '\\n')}'`
}
