import { COUNTERS, MEASUREMENT } from './names.ts'

/** One entry of the stream of statistics (netq.lua): the samples of one host at one time. */
export interface Entry {
  /** `<ms>-<n>` by the master's clock; grows along the stream. */
  readonly id: string
  readonly host: string
  /** When the counters were read, by the servers' clock, ms since the epoch. */
  readonly time: string
  /** A line an interface: its name, a tab, its counters as JSON without those that are 0. */
  readonly lines: string
}

/** The largest integer that InfluxDB has; the kernel's counters are unsigned, and never get that far. */
const MOST = 2n ** 63n - 1n

/**
 * The samples of an entry in line protocol. netq.lua lets nothing through that would need an escape, and digits stay
 * digits: a JavaScript number would lose the end of a counter above 2^53.
 */
export function pointsOf({ host, time, lines }: Entry): string[] {
  return lines.split('\n').map((line) => {
    const [name = '', counters = ''] = line.split('\t')
    const values = new Map([...counters.matchAll(/"(\w+)":(\d+)/g)].map(([, key, digits]) => [key, digits!]))
    return point(
      host,
      name,
      COUNTERS.map((counter) => bounded(values.get(counter) ?? '0')),
      time,
    )
  })
}

/** The points of a CSV answer of InfluxDB whose columns are name, tags, time, hostname, interface and the counters. */
export function pointsOfCsv(csv: string): string[] {
  const [, ...rows] = csv.split('\n').filter((row) => row !== '')
  return rows.map((row) => {
    const [, , time = '', host = '', name = '', ...values] = row.split(',')
    return point(host, name, values, time)
  })
}

function point(host: string, name: string, values: readonly string[], time: string): string {
  const fields = COUNTERS.map((counter, i) => `${counter}=${values[i] || '0'}i`).join(',')
  return `${MEASUREMENT},hostname=${host},interface=${name} ${fields} ${time}`
}

function bounded(digits: string): string {
  return digits.length >= 19 && BigInt(digits) > MOST ? String(MOST) : digits
}
